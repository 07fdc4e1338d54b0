/** Engines that are killed, hung, poisoned and slowed under load, behind the real program: what still reaches
 *  callers in time. Requests come when they come, however slowly earlier ones are answered. Run by hand:
 *  `npm run drill:chaos`. */
import { Agent, request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_KEY, type RunningHouse, startHouse } from '../kit/house.ts'
import { after, type Behaviour, hangs, rubbish, startUpstream, type Upstream } from './upstream.ts'

export interface ChaosOptions {
  /** Of each act, in seconds. */
  readonly actS: number
  readonly perSecond: number
  readonly onAct?: (act: string) => void
}

/** One second of it. */
export interface Second {
  offered: number
  /** The whole answer, in time. */
  inTime: number
  late: number
  failed: number
}

export interface ChaosResult {
  readonly acts: readonly { readonly name: string; readonly fromS: number }[]
  readonly seconds: readonly Second[]
  /** Of all that were offered, the share that was answered in time. */
  readonly goodput: number
  /** Calls of engines, by the requests. */
  readonly amplification: number
  /** Answers that were no whole answer, told as one. */
  readonly untrue: number
  /** Of those that failed, by the code that callers were told. */
  readonly failures: { readonly [code: string]: number }
}

const ENGINES = 4
const WARM_UPS = 40
const WORKS_MS = 30
const SLOW_MS = 600
/** What a caller calls in time. */
const IN_TIME_MS = 1_000
/** After the last request. */
const REST_MS = 4_000

/** What happens to which engine; whatever is not named is well. */
const ACTS: readonly { readonly name: string; readonly how: { readonly [engine: number]: Behaviour | 'killed' } }[] = [
  { name: 'all well', how: {} },
  { name: 'one killed', how: { 0: 'killed' } },
  { name: 'one hangs', how: { 1: hangs } },
  { name: 'one poisoned', how: { 2: rubbish } },
  { name: 'one slow', how: { 3: after(SLOW_MS) } },
  { name: 'all well', how: {} },
  { name: 'killed, hung and poisoned', how: { 0: 'killed', 1: hangs, 2: rubbish } },
  { name: 'all well again', how: {} },
]

export async function chaos({ actS, perSecond, onAct = () => {} }: ChaosOptions): Promise<ChaosResult> {
  const engines = await Promise.all(Array.from({ length: ENGINES }, () => Engine.start()))
  const house = await startHouse({ untilRead: false, documents: {}, config: configured(engines) })
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity })
  const seconds: Second[] = []
  const count = { requests: 0, untrue: 0 }
  const failures: Record<string, number> = {}
  const acts: { name: string; fromS: number }[] = []
  const asked: Promise<void>[] = []
  // Until everything that is loaded late is there.
  await Promise.all(Array.from({ length: WARM_UPS }, () => ask(house, agent)))
  const beganMs = performance.now()
  const elapsedMs = (): number => performance.now() - beganMs
  const play = async (): Promise<void> => {
    for (const { name, how } of ACTS) {
      onAct(name)
      acts.push({ name, fromS: elapsedMs() / 1_000 })
      await Promise.all(engines.map((engine, at) => engine.be(how[at] ?? after(WORKS_MS))))
      await sleep(actS * 1_000)
    }
  }
  try {
    const playing = play()
    const endMs = ACTS.length * actS * 1_000
    for (let number = 0; ; number++) {
      const dueMs = (number * 1_000) / perSecond
      if (dueMs >= endMs) break
      await sleep(Math.max(0, dueMs - elapsedMs()))
      const second = (seconds[Math.floor(dueMs / 1_000)] ??= { offered: 0, inTime: 0, late: 0, failed: 0 })
      second.offered++
      count.requests++
      asked.push(
        ask(house, agent).then(({ status, text, tookMs }) => {
          const isWhole = text.includes('is well.') && text.includes('[DONE]')
          if (status === 200 && text.includes('[DONE]') && !isWhole) count.untrue++
          if (!isWhole) {
            const code = /"code":"([a-z_]+)"/.exec(text)?.[1] ?? 'none'
            failures[code] = (failures[code] ?? 0) + 1
          }
          second[isWhole ? (tookMs <= IN_TIME_MS ? 'inTime' : 'late') : 'failed']++
        }),
      )
    }
    await playing
    const rested = new AbortController()
    const { signal } = rested
    await Promise.race([Promise.all(asked), sleep(REST_MS, undefined, { signal }).catch(() => {})])
    rested.abort()
  } finally {
    agent.destroy()
    await Promise.all(engines.map((engine) => engine.be('killed')))
    await house.stop()
  }
  const sum = (of: (second: Second) => number): number => seconds.reduce((all, second) => all + of(second), 0)
  return {
    acts,
    seconds,
    goodput: sum(({ inTime }) => inTime) / count.requests,
    amplification: (engines.reduce((all, { asked: calls }) => all + calls, 0) - WARM_UPS) / count.requests,
    untrue: count.untrue,
    failures,
  }
}

const configured = (engines: readonly Engine[]): { readonly [section: string]: unknown } => ({
  engines: Object.fromEntries(engines.map(({ url }, at) => [`gpu-${at}`, { kind: 'openai', url }])),
  models: {
    chat: {
      deployments: engines.map((_, at) => ({ engine: `gpu-${at}`, model: 'weights' })),
      routing: 'p2c',
      hedge: {},
      ejection: {},
      timeouts: { connectMs: 500, firstTokenMs: 800, betweenTokensMs: 800, totalMs: 3_000 },
    },
  },
  log: { level: 'error' },
})

/** A model server that can be killed and come back at the same address. */
class Engine {
  #upstream: Upstream | undefined
  readonly url: string
  #askedBefore = 0

  private constructor(upstream: Upstream) {
    this.#upstream = upstream
    this.url = upstream.url
  }

  static async start(): Promise<Engine> {
    return new Engine(await startUpstream())
  }

  get asked(): number {
    return this.#askedBefore + (this.#upstream?.asked ?? 0)
  }

  async be(how: Behaviour | 'killed'): Promise<void> {
    if (how !== 'killed') {
      this.#upstream ??= await startUpstream(Number(new URL(this.url).port))
      return this.#upstream.behave(how)
    }
    this.#askedBefore = this.asked
    const upstream = this.#upstream
    this.#upstream = undefined
    await upstream?.stop()
  }
}

function ask(
  house: RunningHouse,
  agent: Agent,
): Promise<{ readonly status: number; readonly text: string; readonly tookMs: number }> {
  const beganMs = performance.now()
  return new Promise((resolve) => {
    let text = ''
    let status = 0
    const end = (): void => resolve({ status, text, tookMs: performance.now() - beganMs })
    const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' }
    const request = httpRequest(`${house.url}/v1/chat/completions`, { method: 'POST', agent, headers }, (response) => {
      status = response.statusCode ?? 0
      response.setEncoding('utf8')
      response.on('data', (piece: string) => (text += piece))
      response.on('close', end)
    })
    request.on('error', end)
    request.end(JSON.stringify({ model: 'chat', stream: true, messages: [{ role: 'user', content: 'How is it?' }] }))
  })
}
