import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/base/clock.ts'
import { intervalOfMean } from '../src/base/statistics.ts'
import { formatCount } from '../src/base/units.ts'
import { Analyzer } from '../src/base/words.ts'
import { openFilesystemIndex } from '../src/drivers/filesystem/index.ts'
import { openLanceVectors } from '../src/drivers/lancedb/vectors.ts'
import { openPostgresVectors } from '../src/drivers/postgres/vectors.ts'
import { loadZvec } from '../src/drivers/zvec/binding.ts'
import { openZvecVectors } from '../src/drivers/zvec/vectors.ts'
import type { Filter } from '../src/store/filter.ts'
import type { Index, IndexChunk } from '../src/store/index.ts'
import type { Vectors } from '../src/store/vectors.ts'
import { PostgresServer, withoutPostgres } from '../tests/kit/postgres.ts'
import { type BenchOptions, type Figure, percentilesOf } from './harness.ts'
import { cpuMs } from './processes.ts'
import { attributesOf, Corpus } from './scale/corpus.ts'

/** What finding the nearest vectors costs in each place they can lie, the server's share included,
 *  and what share of them is found, against comparing all. `HEADWORKS_TEST_POSTGRES` names a
 *  Postgres with pgvector. */
export const name = 'vectors: recall and cost in each place they can lie'

const VECTORS = 100_000
const DIMENSION = 384
const PART = 2_000
const QUESTIONS = 300
const EXACT_QUESTIONS = 50
const K = 10
/** Recall aimed at. */
const TARGET = { recallAt10: 0.95 }

const SCOPES: readonly { readonly name: string; readonly filter?: Filter }[] = [
  { name: 'all' },
  { name: '10 % fit', filter: { op: 'in', name: 'tenth', values: [3] } },
  { name: '1 % fit', filter: { op: 'in', name: 'hundredth', values: [42] } },
]

interface Place {
  readonly name: string
  readonly vectors?: Vectors
  /** Of its own processes. */
  readonly cpuMs: () => number
  readonly close: () => Promise<void>
}

export async function run({ effort, print }: BenchOptions): Promise<readonly Figure[]> {
  const count = Math.round(VECTORS * Math.min(1, effort))
  const questions = Math.max(20, Math.round(QUESTIONS * Math.min(1, effort)))
  const corpus = new Corpus(DIMENSION)
  const folder = await mkdtemp(join(tmpdir(), 'headworks-bench-vectors-'))
  const figures: Figure[] = []
  const truth: number[][][] = []
  try {
    for (const open of [compared, inZvec, inLance, inPostgres]) {
      const place = await open(folder, print)
      if (place === undefined) continue
      try {
        const measured = await measure(place, folder, { corpus, count, questions, truth })
        // At once: the next place takes minutes.
        for (const { name: what, value, unit } of measured) print(`  ${what}: ${value.toPrecision(3)} ${unit}`)
        figures.push(...measured)
      } finally {
        await place.close()
      }
    }
    return figures
  } finally {
    await rm(folder, { recursive: true })
  }
}

interface Task {
  readonly corpus: Corpus
  readonly count: number
  readonly questions: number
  /** Of each scope and question, the nearest: filled by the first place, which compares all. */
  readonly truth: number[][][]
}

async function measure(place: Place, folder: string, task: Task): Promise<Figure[]> {
  const isJudge = place.vectors === undefined
  const index = openFilesystemIndex(join(folder, place.name), new Analyzer(), {
    target: TARGET,
    ...(isJudge ? {} : { apart: place.vectors }),
  })
  const label = `${place.name}, ${formatCount(task.count)} x ${DIMENSION}`
  const figure = (what: string, unit: string, value: number, n: number): Figure => ({
    kind: 'figure',
    name: `${label}: ${what}`,
    unit,
    value,
    n,
  })
  const total = (): number => cpuMs(process.pid) + place.cpuMs()
  try {
    const begun = total()
    await index.build('bench', chunksOf(task.corpus, task.count))
    await index.mount('bench', [{ segment: 'bench', removed: [] }])
    const figures = [figure('build and probe', 'CPU-s', (total() - begun) / 1000, 1)]
    // Made before: making one takes as long as some need to answer it.
    const vectors = Array.from({ length: task.questions }, (_, question) => task.corpus.question(question))
    for (const [at, scope] of SCOPES.entries()) {
      const filter = scope.filter === undefined ? {} : { filter: scope.filter }
      const ask = (question: number) =>
        index.search('bench', { vector: vectors[question] ?? new Float32Array(DIMENSION), k: K, ...filter })
      for (let question = 0; question < 20; question++) await ask(question)
      const asked = isJudge ? Math.min(EXACT_QUESTIONS, task.questions) : task.questions
      const { found, cost, p95 } = await askAll(ask, asked, total)
      if (isJudge) task.truth[at] = await truthOf(index, task, filter)
      figures.push(figure(`a question, ${scope.name}`, 'CPU-ms', cost, asked))
      figures.push(figure('  p95, one at a time', 'ms', p95, asked))
      if (isJudge) continue
      const shares = found.map((chunks, question) => {
        const nearest = task.truth[at]?.[question] ?? []
        return chunks.filter((chunk) => nearest.includes(chunk)).length / nearest.length
      })
      figures.push(figure(`  recall@${K}`, '', intervalOfMean(shares).mean, asked))
    }
    return figures
  } finally {
    await index.close()
  }
}

async function askAll(
  ask: (question: number) => ReturnType<Index['search']>,
  count: number,
  total: () => number,
): Promise<{ readonly found: number[][]; readonly cost: number; readonly p95: number }> {
  const [found, latencies]: [number[][], number[]] = [[], []]
  const before = total()
  for (let question = 0; question < count; question++) {
    const begun = performance.now()
    const hits = await ask(question)
    latencies.push(performance.now() - begun)
    found.push(hits.map(({ chunk }) => chunk))
  }
  return { found, cost: (total() - before) / count, p95: percentilesOf(latencies).p95 }
}

async function truthOf(index: Index, task: Task, filter: { readonly filter?: Filter }): Promise<number[][]> {
  const nearest: number[][] = []
  for (let question = 0; question < task.questions; question++) {
    const hits = await index.search('bench', { vector: task.corpus.question(question), k: K, exact: true, ...filter })
    nearest.push(hits.map(({ chunk }) => chunk))
  }
  return nearest
}

async function* chunksOf(corpus: Corpus, count: number): AsyncGenerator<readonly IndexChunk[]> {
  for (let from = 0; from < count; from += PART) {
    yield Array.from({ length: Math.min(PART, count - from) }, (_, at) => ({
      text: '',
      vector: corpus.vector(from + at),
      attributes: attributesOf(from + at),
    }))
  }
}

const nothing = async (): Promise<void> => {}

const compared = async (): Promise<Place> => ({ name: 'compared', cpuMs: () => 0, close: nothing })

async function inZvec(folder: string, print: BenchOptions['print']): Promise<Place | undefined> {
  const threads = availableParallelism()
  const zvec = loadZvec(threads)
  if (typeof zvec === 'string') {
    print(`skipped: zvec (${zvec})`)
    return undefined
  }
  const vectors = openZvecVectors({ clock: systemClock, folder: join(folder, 'zvec-vectors'), zvec, threads })
  return { name: 'zvec', vectors, cpuMs: () => 0, close: nothing }
}

async function inLance(folder: string): Promise<Place> {
  const vectors = await openLanceVectors({ uri: join(folder, 'lance-vectors') })
  return { name: 'lancedb', vectors, cpuMs: () => 0, close: () => vectors.close() }
}

async function inPostgres(_: string, print: BenchOptions['print']): Promise<Place | undefined> {
  if (withoutPostgres !== false) {
    print(`skipped: postgres (${withoutPostgres})`)
    return undefined
  }
  const server = await PostgresServer.start({ shared_buffers: '1GB', max_parallel_maintenance_workers: '2' })
  const vectors = await openPostgresVectors({ url: server.url, schema: 'bench' })
  return {
    name: 'postgres',
    vectors,
    cpuMs: () => familyCpuMs(server.pid),
    close: async () => {
      await vectors.close()
      await server.stop()
    },
  }
}

/** Of a server and its children, those that have ended included. */
function familyCpuMs(pid: number): number {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => statOf(name)[3] === String(pid))
  const ended = (Number(statOf(String(pid))[15]) + Number(statOf(String(pid))[16])) * MS_PER_TICK
  return children.reduce((sum, child) => sum + cpuMs(Number(child)), cpuMs(pid) + ended)
}

/** Of `times`, in every Linux that Node runs on. */
const MS_PER_TICK = 10

/** Fields of proc_pid_stat(5), from 0; the name has no spaces here. */
function statOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/\(.*\)/, '()')
      .split(' ')
  } catch {
    return [] // It ended meanwhile.
  }
}
