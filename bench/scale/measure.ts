import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock as clock } from '../../src/base/clock.ts'
import { jsonLog } from '../../src/base/log.ts'
import { seededRandom } from '../../src/base/random.ts'
import { intervalOfMean } from '../../src/base/statistics.ts'
import { openProcessIndex } from '../../src/drivers/process/index.ts'
import type { Index, IndexQuery } from '../../src/store/index.ts'
import type { Filter } from '../../src/store/filter.ts'
import { percentilesOf } from '../harness.ts'
import { cpuMs } from '../processes.ts'
import type { BuiltSegment } from './build.ts'
import type { Corpus } from './corpus.ts'
import { closedLoop, type Load, openLoop, type Question } from './load.ts'
import { merged, SCOPES } from './truth.ts'

/** What an index of many vectors finds, what finding costs, and how it bears a crowd: asked as the
 *  product asks it, in its child process. */

const COLLECTION = 'scale'
const SEARCH_HEAP_MB = 4096
const WARM_UP = 300
const TIMED = 1_000
const CURVE_SECONDS_MAX = 10
const CURVE_TURNS = 5
/** More than this and what is offered is more than can be served. */
const SATURATED_MS = 1_000

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
  /** What searches aim at: the first under load too, the others for a curve. */
  readonly aims: readonly number[]
  readonly seconds: number
  readonly rates: readonly number[]
  readonly users: number
  readonly print: (line: string) => void
}

export async function measure(options: MeasureOptions): Promise<Row[]> {
  const { folder, corpus, built, aims, print } = options
  const [target = 0.95] = aims
  const index = openProcessIndex({
    entry: join(import.meta.dirname, '../../src/main.ts'),
    role: 'search',
    arguments: [join(folder, 'index'), String(target)],
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
    const asking =
      (aim: number, filter?: Filter): Question =>
      () => {
        const vector = questions[next++ % TIMED] ?? new Float32Array(0)
        return index.search(COLLECTION, queryOf(vector, aim, filter))
      }
    for (let at = 0; at < WARM_UP; at++) await asking(target)()
    const add = (row: Row): void => {
      rows.push(row)
      print(JSON.stringify(row))
    }
    for (const aim of aims) for (const row of await recalls(index, options, aim)) add(row)
    for (const [at, filter] of FILTERS.entries()) {
      const scope = SCOPES[at]?.name ?? ''
      // In turns, so that what else the machine does falls on all alike.
      const turns: Turn[][] = aims.map(() => [])
      for (let turn = 0; turn < CURVE_TURNS; turn++)
        for (const [which, aim] of aims.entries()) {
          const seconds = Math.min(options.seconds, CURVE_SECONDS_MAX) / CURVE_TURNS
          turns[which]?.push(await costing(pid, () => closedLoop(asking(aim, filter), 1, seconds)))
        }
      for (const [which, aim] of aims.entries())
        add({ what: `one after the other, ${scope}, aim ${aim}`, aim, scope, ...summary(turns[which] ?? []) })
    }
    for (const rate of options.rates) {
      const load = (): Promise<Load> => openLoop(asking(target), rate, options.seconds, seededRandom(rate))
      const row = { what: `open loop, ${rate}/s`, offered: rate, ...summary([await costing(pid, load)]) }
      add(row)
      if (row.p95 > SATURATED_MS) break
    }
    const { users, seconds } = options
    const crowd = await costing(pid, () => closedLoop(asking(target), users, seconds))
    add({ what: `closed loop, ${users} users`, users, ...summary([crowd]) })
    rows.push({ what: 'memory of the index process', ...(await memoryOf(pid)) })
    return rows
  } finally {
    await index.close()
  }
}

async function recalls(index: Pick<Index, 'search'>, { corpus, built }: MeasureOptions, aim: number): Promise<Row[]> {
  const truth = merged(built.map(({ nearest }) => nearest))
  const firsts = new Map(built.map(({ segment, first }) => [segment, first]))
  const rows: Row[] = []
  for (const [at, filter] of FILTERS.entries()) {
    const shares: number[] = []
    for (const [question, nearest] of (truth[at] ?? []).entries()) {
      const hits = await index.search(COLLECTION, queryOf(corpus.question(question), aim, filter))
      const found = new Set(hits.map(({ segment, chunk }) => (firsts.get(segment) ?? 0) + chunk))
      shares.push(nearest.filter(({ number }) => found.has(number)).length / nearest.length)
    }
    const { mean, halfWidth, n } = intervalOfMean(shares)
    const scope = SCOPES[at]?.name ?? ''
    rows.push({ what: `recall@10, ${scope}, aim ${aim}`, aim, scope, recall: mean, plusMinus: halfWidth, n })
  }
  return rows
}

const queryOf = (vector: Float32Array, recallAt10: number, filter: Filter | undefined): IndexQuery => ({
  vector,
  k: 10,
  recallAt10,
  ...(filter === undefined ? {} : { filter }),
})

interface Turn extends Load {
  /** Of a question: in the process of the index, and in this one, which asks. */
  readonly cpuMs: number
  readonly askingMs: number
}

async function costing(pid: number, run: () => Promise<Load>): Promise<Turn> {
  const [searching, asking] = [cpuMs(pid), cpuMs(process.pid)]
  const load = await run()
  const n = load.latenciesMs.length
  return { ...load, cpuMs: (cpuMs(pid) - searching) / n, askingMs: (cpuMs(process.pid) - asking) / n }
}

/** Costs are medians of the turns, from the least to the greatest. */
function summary(turns: readonly Turn[]): { readonly p95: number; readonly [figure: string]: number } {
  const latencies = turns.flatMap(({ latenciesMs }) => latenciesMs)
  const wallMs = turns.reduce((sum, one) => sum + one.wallMs, 0)
  const { p50, p95, p99 } = percentilesOf(latencies)
  const costs = turns.map((turn) => turn.cpuMs).toSorted((a, b) => a - b)
  return {
    cpuMsPerQuery: percentilesOf(costs).p50,
    leastCpuMs: costs[0] ?? 0,
    greatestCpuMs: costs.at(-1) ?? 0,
    askingMsPerQuery: percentilesOf(turns.map(({ askingMs }) => askingMs)).p50,
    p50,
    p95,
    p99,
    n: latencies.length,
    perSecond: (latencies.length * 1000) / wallMs,
  }
}

/** In MiB. Pages of files can be given back at any time and are read again when they are needed. */
async function memoryOf(pid: number): Promise<{ [figure: string]: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const mib = (name: string): number =>
    Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024)
  return { residentMiB: mib('VmRSS'), ownMiB: mib('RssAnon'), ofFilesMiB: mib('RssFile'), peakMiB: mib('VmHWM') }
}
