import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock as clock } from '../../src/base/clock.ts'
import { jsonLog } from '../../src/base/log.ts'
import { seededRandom } from '../../src/base/random.ts'
import { intervalOfMean } from '../../src/base/statistics.ts'
import { openProcessIndex } from '../../src/drivers/process/index.ts'
import type { IndexQuery } from '../../src/store/index.ts'
import type { Filter } from '../../src/store/filter.ts'
import { percentilesOf } from '../harness.ts'
import { cpuMs } from '../processes.ts'
import type { BuiltSegment } from './build.ts'
import type { Corpus } from './corpus.ts'
import { closedLoop, type Load, openLoop } from './load.ts'
import { merged, SCOPES } from './truth.ts'

/** What an index of many vectors finds, what finding costs, and how it bears a crowd: asked as the
 *  product asks it, in its child process. */

const COLLECTION = 'scale'
const SEARCH_HEAP_MB = 4096
const WARM_UP = 300
const TIMED = 1_000

/** In the order of `SCOPES`. */
const FILTERS: readonly (Filter | undefined)[] = [
  undefined,
  { op: 'in', name: 'tenth', values: [3] },
  { op: 'in', name: 'hundredth', values: [7] },
]

export interface Row {
  readonly what: string
  readonly [figure: string]: string | number
}

export interface MeasureOptions {
  readonly folder: string
  readonly corpus: Corpus
  readonly built: readonly BuiltSegment[]
  readonly recallAt10: number
  readonly seconds: number
  readonly rates: readonly number[]
  readonly users: number
  readonly print: (line: string) => void
}

export async function measure(options: MeasureOptions): Promise<Row[]> {
  const { folder, corpus, built, recallAt10, print } = options
  const index = openProcessIndex({
    entry: join(import.meta.dirname, '../../src/main.ts'),
    role: 'search',
    arguments: [join(folder, 'index'), String(recallAt10)],
    heapMb: SEARCH_HEAP_MB,
    clock,
    log: jsonLog(clock, () => 'warn', print),
  })
  try {
    const mountedMs = performance.now()
    await index.mount(
      COLLECTION,
      built.map(({ segment }) => ({ segment, removed: [] })),
    )
    const rows: Row[] = [{ what: 'mount', ms: Math.round(performance.now() - mountedMs) }]
    const pid = index.pid ?? 0
    const questions = Array.from({ length: TIMED }, (_, at) => corpus.question(1_000 + at))
    let next = 0
    const asking = (filter: Filter | undefined) => (): Promise<unknown> => {
      const vector = questions[next++ % TIMED] ?? new Float32Array(0)
      return index.search(COLLECTION, queryOf(vector, filter))
    }
    for (let at = 0; at < WARM_UP; at++) await asking(undefined)()
    rows.push(...(await recalls(index, options)))
    for (const [at, filter] of FILTERS.entries()) {
      const before = cpuMs(pid)
      const load = await closedLoop(asking(filter), 1, Math.min(options.seconds, 10))
      const perQuery = (cpuMs(pid) - before) / load.latenciesMs.length
      rows.push({ what: `one after the other, ${SCOPES[at]?.name ?? ''}`, cpuMsPerQuery: perQuery, ...summary(load) })
      print(JSON.stringify(rows.at(-1)))
    }
    for (const rate of options.rates) {
      const load = await openLoop(asking(undefined), rate, options.seconds, seededRandom(rate))
      rows.push({ what: `open loop, ${rate}/s`, ...summary(load) })
      print(JSON.stringify(rows.at(-1)))
    }
    const load = await closedLoop(asking(undefined), options.users, options.seconds)
    rows.push({ what: `closed loop, ${options.users} users`, ...summary(load) })
    print(JSON.stringify(rows.at(-1)))
    rows.push({ what: 'memory of the index process', ...(await memoryOf(pid)) })
    return rows
  } finally {
    await index.close()
  }
}

async function recalls(
  index: { search(collection: string, query: IndexQuery): Promise<readonly { segment: string; chunk: number }[]> },
  { corpus, built, print }: MeasureOptions,
): Promise<Row[]> {
  const truth = merged(built.map(({ nearest }) => nearest))
  const firsts = new Map(built.map(({ segment, first }) => [segment, first]))
  const rows: Row[] = []
  for (const [scope, filter] of FILTERS.entries()) {
    const shares: number[] = []
    for (const [question, nearest] of (truth[scope] ?? []).entries()) {
      const hits = await index.search(COLLECTION, queryOf(corpus.question(question), filter))
      const found = new Set(hits.map(({ segment, chunk }) => (firsts.get(segment) ?? 0) + chunk))
      shares.push(nearest.filter(({ number }) => found.has(number)).length / nearest.length)
    }
    const { mean, halfWidth, n } = intervalOfMean(shares)
    rows.push({ what: `recall@10, ${SCOPES[scope]?.name ?? ''}`, recall: mean, plusMinus: halfWidth, n })
    print(JSON.stringify(rows.at(-1)))
  }
  return rows
}

const queryOf = (vector: Float32Array, filter: Filter | undefined): IndexQuery => ({
  vector,
  k: 10,
  ...(filter === undefined ? {} : { filter }),
})

function summary({ latenciesMs, wallMs }: Load): { [figure: string]: number } {
  const { p50, p95, p99 } = percentilesOf(latenciesMs)
  return { p50, p95, p99, n: latenciesMs.length, perSecond: (latenciesMs.length * 1000) / wallMs }
}

/** In MiB. Pages of files can be given back at any time and are read again when they are needed. */
async function memoryOf(pid: number): Promise<{ [figure: string]: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const mib = (name: string): number =>
    Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024)
  return { residentMiB: mib('VmRSS'), ownMiB: mib('RssAnon'), ofFilesMiB: mib('RssFile'), peakMiB: mib('VmHWM') }
}
