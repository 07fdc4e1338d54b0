/** The attack on budgets with real processes: many streams at once over several gateways, which are
 *  killed one after the other, while a model server keeps account of what it really did. Run by
 *  hand: `npm run drill:overspend -- --streams 1000 --kills 50`. */
import { Agent, request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom, uniform } from '../../src/base/random.ts'
import { ADMIN_KEY, startHouse, type RunningHouse } from '../kit/house.ts'
import { startMeteredEngine } from './metered-engine.ts'

export interface DrillOptions {
  readonly streams: number
  readonly kills: number
  readonly seed: number
  readonly onProgress?: (killed: number, used: number, limit: number) => void
}

export interface BudgetResult {
  readonly name: string
  readonly limit: number
  /** What the engine really used. */
  readonly used: number
  /** What the books say afterwards. */
  readonly posted: number
}

export interface DrillResult {
  readonly budgets: readonly BudgetResult[]
  readonly concurrentLimit: number
  readonly concurrentMax: number
  readonly kills: number
  readonly requests: number
  readonly answered: number
  readonly refused: number
  readonly broken: number
  readonly seconds: number
}

const GATEWAYS = 2
const USERS = 10
const OUTPUT_CAP = 48
const KILL_PAUSE_MS = 1_200
const RETRY_MS = 50
/** After it is refused so often in a row a stream gives up. */
const REFUSALS_MAX = 5
/** Of what all streams together would like to have. */
const SHARE_ALL = 0.6
const SHARE_USER = 0.08
/** Answers that each stream would like to have: some before the first kill, some after each. */
const ROUNDS = 10
const ROUNDS_A_KILL = 0.6
const TOKENS_EACH = 45

export async function drill({ streams, kills, seed, onProgress = () => {} }: DrillOptions): Promise<DrillResult> {
  const random = seededRandom(seed)
  const engine = await startMeteredEngine(seed)
  const wanted = streams * (ROUNDS + kills * ROUNDS_A_KILL) * TOKENS_EACH
  const limits = {
    all: Math.round(wanted * SHARE_ALL),
    user: Math.round(wanted * SHARE_USER),
    concurrent: Math.ceil(streams * 0.8),
  }
  const house = await startHouse({
    untilRead: false,
    documents: {},
    config: {
      gateways: GATEWAYS,
      engines: { metered: { kind: 'openai', url: engine.url } },
      models: {
        m: {
          outputTokensMax: OUTPUT_CAP,
          deployments: [
            {
              engine: 'metered',
              model: 'weights',
              price: { inputUsd: 1, outputUsd: 4 },
              templateTokensMax: 16,
            },
          ],
          timeouts: { firstTokenMs: 4_000 },
        },
      },
      budgets: [
        { id: 'all', scope: 'global', window: 'lifetime', limit: { tokens: limits.all } },
        { id: 'user', scope: 'user', window: 'lifetime', limit: { tokens: limits.user } },
      ],
      rateLimits: [{ id: 'slots', scope: 'global', limit: { concurrent: limits.concurrent } }],
      limits: { requestsInFlightMax: 5_000 },
      log: { level: 'error' },
    },
  })
  const count = { answered: 0, refused: 0, broken: 0 }
  const agent = new Agent({ keepAlive: false, maxSockets: Infinity })
  const began = performance.now()
  const usedBy = (user?: string): number =>
    [...engine.truth.tokens].reduce(
      (sum, [name, tokens]) => (user === undefined || name === user ? sum + tokens : sum),
      0,
    )
  let over = false

  async function stream(number: number): Promise<void> {
    for (let refusals = 0; refusals < REFUSALS_MAX && !over;) {
      const status = await ask(house, agent, `user-${number % USERS}`)
      if (status === 200) {
        count.answered++
        refusals = 0
      } else if (status === 429 || status === 503) {
        count.refused++
        refusals += status === 429 ? 1 : 0
        await sleep(RETRY_MS * (1 + uniform(random)))
      } else {
        count.broken++
        await sleep(RETRY_MS * uniform(random))
      }
    }
  }

  async function killer(): Promise<number> {
    let killed = 0
    while (killed < kills) {
      await sleep(KILL_PAUSE_MS * (0.5 + uniform(random)))
      const pids = await gatewayPids(house)
      const pid = pids[Math.floor(uniform(random) * pids.length)]
      if (pid === undefined) continue
      process.kill(pid, 'SIGKILL')
      onProgress(++killed, usedBy(), limits.all)
    }
    return killed
  }

  try {
    const streaming = Promise.all(Array.from({ length: streams }, (_, number) => stream(number)))
    const killed = await killer()
    await Promise.race([streaming, sleep(60_000, undefined, { ref: false })])
    over = true
    await streaming
    await sleep(1_000)
    const { concurrentMax, requests } = engine.truth
    const posted = await postedOf(house, 'user')
    const users = Array.from({ length: USERS }, (_, number) => `user-${number}`)
    return {
      budgets: [
        { name: 'all', limit: limits.all, used: usedBy(), posted: (await postedOf(house, 'all')).get('') ?? 0 },
        ...users.map((user) => ({ name: user, limit: limits.user, used: usedBy(user), posted: posted.get(user) ?? 0 })),
      ],
      concurrentLimit: limits.concurrent,
      concurrentMax,
      kills: killed,
      requests,
      ...count,
      seconds: (performance.now() - began) / 1000,
    }
  } finally {
    agent.destroy()
    await house.stop()
    await engine.stop()
  }
}

/** One stream to its end: its status; 0 where the connection broke before one, 1 where it broke
 *  afterwards. */
function ask(house: RunningHouse, agent: Agent, user: string): Promise<number> {
  const body = JSON.stringify({
    model: 'm',
    user,
    stream: true,
    messages: [{ role: 'user', content: 'Go on and on.' }],
  })
  return new Promise((resolve) => {
    const request = httpRequest(
      `${house.url}/v1/chat/completions`,
      { agent, method: 'POST', headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' } },
      (response) => {
        let last = ''
        response.on('data', (bytes: Buffer) => (last = bytes.toString('latin1').slice(-20)))
        response.on('error', () => resolve(1))
        response.on('close', () =>
          resolve(response.statusCode === 200 && !last.endsWith('data: [DONE]\n\n') ? 1 : (response.statusCode ?? 0)),
        )
      },
    )
    request.on('error', () => resolve(0))
    request.end(body)
  })
}

const api = async (house: RunningHouse, path: string): Promise<unknown> =>
  (
    await fetch(`${house.url}${path}`, { headers: { authorization: `Bearer ${ADMIN_KEY}`, connection: 'close' } })
  ).json()

async function gatewayPids(house: RunningHouse): Promise<number[]> {
  const status = (await api(house, '/api/status').catch(() => ({}))) as { gateways?: { pid: number | null }[] }
  return (status.gateways ?? []).flatMap(({ pid }) => pid ?? [])
}

async function postedOf(house: RunningHouse, budget: string): Promise<Map<string, number>> {
  const found = (await api(house, `/api/budgets/${budget}/accounts`)) as {
    accounts: { subject: string; posted: number; leased: number }[]
  }
  return new Map(found.accounts.map(({ subject, posted, leased }) => [subject, posted + leased]))
}

if (import.meta.main) {
  const option = (name: string, fallback: number): number => {
    const at = process.argv.indexOf(`--${name}`)
    return at < 0 ? fallback : Number(process.argv[at + 1])
  }
  const result = await drill({
    streams: option('streams', 1000),
    kills: option('kills', 50),
    seed: option('seed', 1),
    onProgress: (killed, used, limit) =>
      void process.stderr.write(
        `\r\x1b[K${killed} gateways killed, ${((100 * used) / limit).toFixed(1)} % of the budget used`,
      ),
  })
  process.stderr.write('\n')
  process.stdout.write(`${report(result)}\n`)
  process.exitCode = result.budgets.some(({ used, limit }) => used > limit) ? 1 : 0
}

function report({ budgets, concurrentMax, concurrentLimit, ...rest }: DrillResult): string {
  const lines = budgets.map(
    ({ name, limit, used, posted }) =>
      `${name.padEnd(8)} limit ${String(limit).padStart(9)}  used ${String(used).padStart(9)} (${((100 * used) / limit).toFixed(1)} %)  in the books ${String(posted).padStart(9)}  overspent ${Math.max(0, used - limit)}`,
  )
  return [
    ...lines,
    `at the same time: ${concurrentMax} of ${concurrentLimit} allowed`,
    `${rest.kills} gateways killed; ${rest.requests} requests reached the engine, ${rest.answered} answered whole, ${rest.refused} refused, ${rest.broken} broken; ${rest.seconds.toFixed(0)} s`,
  ].join('\n')
}
