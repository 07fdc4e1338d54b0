import { type Bench, type BenchOptions, compare, type Result } from './harness.ts'
import { Caller, startHouse, startUpstream } from './processes.ts'

/** What the gateway adds to a request, keys, routing, metering and the durable record included:
 *  the same requests to the same model server, directly and through Headworks, one at a time. */

export const name: Bench['name'] = 'gateway'

const REQUESTS = 200
const ROUNDS = 12
/** A gateway runs for weeks: what counts is the code once it is compiled. */
const WARMUPS = 8
const BODY = {
  model: 'bench',
  messages: [{ role: 'user', content: 'A question of the usual length, asked again and again. '.repeat(14) }],
}

export async function run({ effort, print }: BenchOptions): Promise<readonly Result[]> {
  const upstream = await startUpstream()
  const config = `engines: { up: { kind: openai, url: "http://${upstream.address}/v1" } }\nmodels: { bench: { deployments: [{ engine: up, model: weights }] } }\ncollections: { handbook: { sources: [] } }\n`
  const house = await startHouse({ config })
  const caller = new Caller()
  const rounds = Math.max(3, Math.round(ROUNDS * effort))
  const round = async (address: string, body: string): Promise<number[]> => {
    const took: number[] = []
    for (let i = 0; i < REQUESTS; i++) took.push((await caller.ask(address, '/v1/chat/completions', body)).ms)
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
        name: `${what}, through the gateway and directly`,
        subject: { name: 'Headworks', run: () => round(house.address, body), cpuMs: () => house.cpuMs() },
        reference: { name: 'direct', run: () => round(upstream.address, body), cpuMs: () => upstream.cpuMs() },
        rounds,
        warmups: WARMUPS,
        operations: REQUESTS,
      })
      results.push(compared)
      const added = (compared.subject.latencyMs?.p50 ?? 0) - (compared.reference.latencyMs?.p50 ?? 0)
      const n = compared.subject.latencyMs?.n ?? 0
      results.push({
        kind: 'figure',
        name: `added to ${what}, p50`,
        unit: 'ms',
        value: added,
        n,
        target: 'at most 1 ms',
      })
    }
    return results
  } finally {
    caller.close()
    await house.stop()
    await upstream.stop()
    print('')
  }
}
