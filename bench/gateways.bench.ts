import {
  type Bench,
  type BenchOptions,
  compare,
  type Contestant,
  type Figure,
  medianOf,
  type Result,
} from './harness.ts'
import { Caller, cpuMs, type Program, rssBytes, startHouse, startUpstream } from './processes.ts'

/** What it costs to answer in a process of its own, and what it brings: two gateways on one port
 *  against one, with the same model server behind them. CPU is that of all processes that answer:
 *  the main one and the gateways. */

export const name: Bench['name'] = 'gateways'

const COUNT = 2
const REQUESTS = 200
const ROUNDS = 12
const WARMUPS = 8
/** Requests in flight when throughput is measured. */
const CONCURRENCY = 32
const BODY = JSON.stringify({
  model: 'bench',
  messages: [{ role: 'user', content: 'A question of the usual length, asked again and again. '.repeat(14) }],
})

export async function run({ effort, print }: BenchOptions): Promise<readonly Result[]> {
  const upstream = await startUpstream()
  const config = (count: number): string =>
    `gateways: ${count}\nengines: { up: { kind: openai, url: "http://${upstream.address}/v1" } }\nmodels: { bench: { deployments: [{ engine: up, model: weights }] } }\ncollections: { handbook: { sources: [] } }\n`
  const several = await startHouse({ config: config(COUNT) })
  const one = await startHouse({ config: config(1) })
  const caller = new Caller()
  const rounds = Math.max(3, Math.round(ROUNDS * effort))
  const contestant = (what: string, house: Program, concurrency: number): Contestant => ({
    name: what,
    run: () => round(caller, house.address, concurrency),
    cpuMs: () => [house.pid, ...house.children('gateway')].reduce((sum, pid) => sum + cpuMs(pid), 0),
  })
  try {
    const results: Result[] = []
    for (const [what, concurrency] of [
      ['one request at a time', 1],
      [`${CONCURRENCY} requests at a time`, CONCURRENCY],
    ] as const) {
      const compared = await compare({
        name: `${what}, ${COUNT} gateways and one`,
        subject: contestant(`${COUNT} gateways`, several, concurrency),
        reference: contestant('one process', one, concurrency),
        rounds,
        warmups: WARMUPS,
        operations: REQUESTS,
      })
      results.push(compared)
      if (concurrency === 1) {
        const { subject, reference } = compared
        const added = (subject.latencyMs?.p50 ?? 0) - (reference.latencyMs?.p50 ?? 0)
        results.push(figure('added by a process of its own, p50', 'ms', [added], subject.latencyMs?.n))
      } else {
        for (const { name: whose, wallMs } of [compared.subject, compared.reference])
          results.push(figure(`throughput of ${whose}`, 'requests/s', [1000 / wallMs.median], wallMs.n))
      }
    }
    const gateways = await Promise.all(several.children('gateway').map(rssBytes))
    results.push(figure('resident memory of a gateway of its own', 'MB', gateways.map(megabytes)))
    results.push(figure('resident memory of the main process of several', 'MB', [megabytes(await several.rssBytes())]))
    results.push(
      figure('resident memory of a main process that answers itself', 'MB', [megabytes(await one.rssBytes())]),
    )
    return results
  } finally {
    caller.close()
    await Promise.all([several.stop(), one.stop()])
    await upstream.stop()
    print('')
  }
}

const megabytes = (bytes: number): number => bytes / 1e6

function figure(what: string, unit: string, values: readonly number[], n = values.length): Figure {
  return {
    kind: 'figure',
    name: what,
    unit,
    value: medianOf(values),
    n,
    ...(values.length > 1 ? { min: Math.min(...values), max: Math.max(...values) } : {}),
  }
}

async function round(caller: Caller, address: string, concurrency: number): Promise<number[]> {
  const took: number[] = []
  let begun = 0
  const ask = async (): Promise<void> => {
    while (begun++ < REQUESTS) took.push((await caller.ask(address, '/v1/chat/completions', BODY)).ms)
  }
  await Promise.all(Array.from({ length: concurrency }, ask))
  return took
}
