import { type Bench, type BenchOptions, compare, type Result } from './harness.ts'
import { Caller, startHouse, startUpstream } from './processes.ts'

/** What budgets add to a request: the same requests through a house that keeps five budgets and two
 *  rate limits, each hold on record, and through one that keeps none. One at a time. */

export const name: Bench['name'] = 'budgets'

const REQUESTS = 200
const ROUNDS = 12
const WARMUPS = 8
const BODY = {
  model: 'bench',
  user: 'ann',
  messages: [{ role: 'user', content: 'A question of the usual length, asked again and again. '.repeat(14) }],
}
const BUDGETS = `
budgets:
  - { scope: global, limit: { usd: 1000000 }, window: month }
  - { scope: key, limit: { tokens: 1000000000 }, window: day, timeZone: Europe/Berlin }
  - { scope: user, limit: { tokens: 1000000000 }, window: 24h }
  - { scope: model, limit: { usd: 1000000 }, window: lifetime }
  - { scope: request, limit: { outputTokens: 4000 } }
rateLimits:
  - { scope: key, limit: { requests: 1000000, concurrent: 100 } }
`

export async function run({ effort, print }: BenchOptions): Promise<readonly Result[]> {
  const upstream = await startUpstream()
  const config = `engines: { up: { kind: openai, url: "http://${upstream.address}/v1" } }
models: { bench: { deployments: [{ engine: up, model: weights, price: { inputUsd: 1, outputUsd: 4 } }] } }
collections: { handbook: { sources: [] } }
`
  const [plain, kept] = [await startHouse({ config }), await startHouse({ config: config + BUDGETS })]
  const caller = new Caller()
  const round = async (address: string, body: string): Promise<number[]> => {
    const took: number[] = []
    for (let i = 0; i < REQUESTS; i++) {
      took.push((await caller.ask(address, '/v1/chat/completions', body)).ms)
    }
    return took
  }
  try {
    const results: Result[] = []
    for (const [what, stream] of [
      ['a whole answer', false],
      ['a stream of 20 chunks', true],
    ] as const) {
      const body = JSON.stringify({ ...BODY, stream })
      const compared = await compare({
        name: `${what}, with budgets and without`,
        subject: { name: 'with', run: () => round(kept.address, body), cpuMs: () => kept.cpuMs() },
        reference: { name: 'without', run: () => round(plain.address, body), cpuMs: () => plain.cpuMs() },
        rounds: Math.max(3, Math.round(ROUNDS * effort)),
        warmups: WARMUPS,
        operations: REQUESTS,
      })
      const [by, than] = [compared.subject.latencyMs, compared.reference.latencyMs]
      results.push(compared, {
        kind: 'figure',
        name: `added by budgets to ${what}, p50`,
        unit: 'ms',
        value: (by?.p50 ?? 0) - (than?.p50 ?? 0),
        n: by?.n ?? 0,
        target: 'at most 0.1 ms',
      })
    }
    return results
  } finally {
    caller.close()
    await Promise.all([plain.stop(), kept.stop()])
    await upstream.stop()
    print('')
  }
}
