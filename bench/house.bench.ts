import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bench, type BenchOptions, type Figure, medianOf, percentilesOf, type Result } from './harness.ts'
import { Caller, startHouse } from './processes.ts'

/** The whole program as a user meets it: how soon it is ready, what it weighs, how long a question
 *  over the handbook takes with the embedded engines. */

export const name: Bench['name'] = 'house'

const STARTS = 7
const ASKINGS = 20
const QUESTIONS = [
  'How do I put a real model behind Headworks?',
  'How do I make a key?',
  'Why was a file skipped?',
  'What survives a crash?',
  'How is the cost of a request computed?',
  'Where do the keys of providers live?',
  'What happens when the disk is full?',
  'How does streaming behave when a client disconnects?',
  'How can I change the configuration while it runs?',
  'What is a quasar?',
]

export async function run({ effort, print }: BenchOptions): Promise<readonly Result[]> {
  const data = await mkdtemp(join(tmpdir(), 'headworks-bench-data-'))
  try {
    await (await startHouse({ data })).stop() // The first start reads the handbook.
    const readyMs: number[] = []
    const rss: number[] = []
    for (let i = 0; i < Math.max(3, Math.round(STARTS * effort)); i++) {
      const house = await startHouse({ data })
      readyMs.push(house.readyMs)
      rss.push((await house.rssBytes()) / 1e6)
      await house.stop()
    }
    print('')
    const took = await questions(data, Math.max(2, Math.round(ASKINGS * effort)))
    const latency = percentilesOf(took)
    const figure = (what: string, unit: string, value: number, n: number, target?: string): Figure => ({
      kind: 'figure',
      name: what,
      unit,
      value,
      n,
      ...(target === undefined ? {} : { target }),
    })
    return [
      {
        ...figure('warm start, process to listening', 'ms', medianOf(readyMs), readyMs.length, 'at most 1,000 ms'),
        min: Math.min(...readyMs),
        max: Math.max(...readyMs),
      },
      {
        ...figure(
          'resident memory of the gateway process after a warm start',
          'MB',
          medianOf(rss),
          rss.length,
          'at most 150 MB',
        ),
        min: Math.min(...rss),
        max: Math.max(...rss),
      },
      figure('a question over the handbook, p50', 'ms', latency.p50, latency.n),
      figure('a question over the handbook, p95', 'ms', latency.p95, latency.n, 'at most 50 ms'),
      figure('a question over the handbook, p99', 'ms', latency.p99, latency.n),
    ]
  } finally {
    await rm(data, { recursive: true, force: true })
  }
}

async function questions(data: string, times: number): Promise<number[]> {
  const house = await startHouse({ data })
  const caller = new Caller()
  const took: number[] = []
  try {
    for (let i = 0; i < times + 1; i++) {
      for (const content of QUESTIONS) {
        const { ms } = await caller.ask(
          house.address,
          '/v1/chat/completions',
          JSON.stringify({ model: 'docs', messages: [{ role: 'user', content }] }),
        )
        if (i > 0) took.push(ms) // The first round warms up.
      }
    }
    return took
  } finally {
    caller.close()
    await house.stop()
  }
}
