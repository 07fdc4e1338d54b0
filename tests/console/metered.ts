import type { Handler } from '../../src/base/http.ts'
import { openAssets } from '../../src/drivers/http/assets.ts'
import { NodeHttpListener } from '../../src/drivers/http/server.ts'
import { chance, meteredHouse, type MeteredHouse } from '../kit/metered.ts'

/** The real control plane behind the console, with weeks of use behind it, at a time that stands
 *  still: half past two on a Wednesday afternoon, in UTC. */

const BODY_TIMEOUT_MS = 5_000
const DAYS = 34

const BUDGETS = `
models: { chat: { deployments: [{ engine: reader, model: reader }] }, small: { deployments: [{ engine: reader, model: reader }] } }
budgets:
  - { id: users-month, scope: user, limit: { usd: 20 }, window: month, timeZone: Europe/Berlin, warnAt: [0.5, 0.8] }
  - { id: web-day, scope: team, match: web, limit: { tokens: 4000000 }, window: day, onLimit: { degradeTo: small } }
  - { id: demo, scope: user, match: ann, limit: { tokens: 150000 }, window: 24h, onLimit: warn }
  - { id: house, scope: global, limit: { usd: 9000 }, window: lifetime, onLimit: dryRun }
  - { id: each, scope: request, limit: { outputTokens: 4000 } }
rateLimits:
  - { id: pace, scope: key, limit: { requests: 600, concurrent: 20 } }
`

const PEOPLE = [
  { user: 'ann', team: 'web', share: 1 },
  { user: 'bob', team: 'web', share: 0.5 },
  { user: 'مريم العبدالله', team: 'web', share: 0.3 },
  { user: 'cy', team: 'data', share: 0.7 },
  { user: `a-service-account-of-the-quarterly-report-${'x'.repeat(60)}`, team: 'data', share: 0.45 },
  { user: 'dee', team: 'support', share: 0.2 },
  { user: 'eli', team: '', share: 0.06 },
  ...Array.from({ length: 14 }, (_, at) => ({ user: `trainee-${at + 1}`, team: 'support', share: 0.006 })),
]
const PROMPTS = ['summary', 'reply', 'classify', '']

/** Nano-dollars for a million tokens in and out; of `raw` nobody knows. */
const PRICES = { chat: [2_500_000_000, 10_000_000_000], small: [150_000_000, 600_000_000], raw: undefined } as const

/** What everybody used in the last days: by day more than by night, on weekdays more than on Sundays. */
async function useForDays(house: MeteredHouse, days: number): Promise<void> {
  const bodies = []
  for (let hoursAgo = days * 24 - 0.6; hoursAgo > 0; hoursAgo--) {
    const at = new Date(house.clock.wallMs() - hoursAgo * 3_600_000)
    const busy = (at.getUTCHours() >= 7 && at.getUTCHours() < 19 ? 1 : 0.15) * (at.getUTCDay() % 6 === 0 ? 0.3 : 1)
    for (const { user, team, share } of PEOPLE) {
      const name = `${hoursAgo} ${user}`
      if (chance(name) > busy * Math.min(1, share * 2)) continue
      const model = chance(`${name} model`) < 0.6 ? 'chat' : chance(`${name} raw`) < 0.8 ? 'small' : 'raw'
      const input = Math.round((2_000 + chance(`${name} in`) * 9_000) * (0.4 + share))
      const output = Math.round((200 + chance(`${name} out`) * 1_500) * (0.4 + share))
      const price = PRICES[model]
      const cost = price === undefined ? undefined : Math.round((input * price[0] + output * price[1]) / 1e6)
      const outcome = chance(`${name} outcome`) < 0.96 ? 'answered' : chance(`${name} why`) < 0.5 ? 'failed' : 'refused'
      bodies.push({
        hoursAgo,
        user,
        ...(team === '' ? {} : { team }),
        prompt: PROMPTS[Math.floor(chance(`${name} prompt`) * PROMPTS.length)] ?? '',
        model,
        outcome,
        totalMs: 200 + Math.round(chance(`${name} ms`) * 4_000),
        usage: {
          inputTokens: input,
          cachedInputTokens: Math.round(input / 5),
          outputTokens: output,
          reasoningTokens: 0,
        },
        ...(cost === undefined ? {} : { costNanoUsd: String(cost) }),
      })
    }
  }
  await house.used(...bodies)
}

/** Accounts to go with it: what each used in the month so far. */
async function standAsUsed(house: MeteredHouse): Promise<void> {
  const usage = (await house.call('GET', '/api/usage?from=2026-11-01&by=user')).json()
  for (const row of usage.rows)
    await house.stand('users-month', row.user, Number(row.costNanoUsd), row.user === 'ann' ? 850_000_000 : 0)
  await house.stand('web-day', 'web', 3_350_000, 190_000)
  await house.stand('demo', 'ann', 171_000)
  await house.stand('house', '', 212_000_000_000)
  await house.stand('pace-requests', 'k', 9, 60)
}

export interface ServedHouse extends MeteredHouse {
  readonly url: string
  close(): Promise<void>
}

/** With weeks of use behind it. */
export async function serveUsed(dist: string): Promise<ServedHouse> {
  const house = await serveMetered(dist, BUDGETS)
  await useForDays(house, DAYS)
  await standAsUsed(house)
  return house
}

export async function serveMetered(dist: string, yaml: string): Promise<ServedHouse> {
  const house = await meteredHouse(yaml)
  const assets = openAssets(dist)
  const handler: Handler = (request, reply) => {
    const asset = /^\/(api|v1)\//.test(request.target) ? undefined : assets(request.target, request.headers)
    if (asset === undefined) return house.handle(request, reply)
    reply.head(asset.status, asset.headers)
    reply.end(asset.bytes)
  }
  const server = await new NodeHttpListener(BODY_TIMEOUT_MS).listen('127.0.0.1:0', handler)
  return { ...house, url: `http://${server.address}`, close: () => server.drain(0) }
}
