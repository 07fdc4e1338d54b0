import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '../src/base/random.ts'
import { formatCount } from '../src/base/units.ts'
import { Analyzer, STOP_TERMS } from '../src/base/words.ts'
import { openFilesystemIndex } from '../src/drivers/filesystem/index.ts'
import { MemoryIndex } from '../src/drivers/memory/index.ts'
import { Lsa } from '../src/retrieval/embedding/lsa.ts'
import { createSearch } from '../src/retrieval/search.ts'
import type { Index } from '../src/store/index.ts'
import { ndcg, readCranfield } from './cranfield.ts'
import { type BenchOptions, compare, cpuMsOf, type Figure, percentilesOf, type Result } from './harness.ts'
import { million } from './million.ts'
import { rowsOver } from './rows.ts'
import { Corpus } from './zipf.ts'

/** What retrieval finds, and what finding costs. `HEADWORKS_CRANFIELD` names the folder of the
 *  Cranfield collection; without it the figures that need it are skipped by name. */
export const name = 'retrieval: what is found, and what finding costs'

const CHUNKS_COUNT = 50_000
const CHUNK_WORDS = 120
const QUESTION_WORDS = 10
const QUESTIONS = 300
/** How deep the leg by words is read before both are summed. */
const LEG_HITS = 500
/** From this effort on a million chunks are searched too: building them takes minutes. */
const MILLION_EFFORT = 2
const COMPARED_CHUNKS = 2_000
const COMPARED_QUESTIONS = 5

export async function run({ effort, print }: BenchOptions): Promise<readonly Result[]> {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-bench-'))
  const cranfield = process.env['HEADWORKS_CRANFIELD']
  try {
    const found: Result[] = []
    if (cranfield !== undefined && existsSync(join(cranfield, 'cran.qry')))
      found.push(...(await quality(folder, cranfield)))
    else
      print(
        'skipped: nDCG@10 on Cranfield (HEADWORKS_CRANFIELD names no folder with cran.all.1400, cran.qry and cranqrel)',
      )
    found.push(...(await cost(folder, effort)))
    if (effort >= MILLION_EFFORT) found.push(...(await million(folder)))
    else print(`skipped: a million chunks (--effort ${MILLION_EFFORT} takes some minutes)`)
    return found
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function quality(folder: string, cranfield: string): Promise<Figure[]> {
  const { documents, questions } = await readCranfield(cranfield)
  const analyzer = new Analyzer()
  const index = openFilesystemIndex(folder, analyzer)
  await index.build('cranfield', documents)
  await index.mount('cranfield', [{ segment: 'cranfield', removed: [] }])
  const { search } = createSearch({ index, rows: rowsOver((_, chunk) => documents[chunk]), analyzer })
  const lsa = Lsa.fit(
    documents.map(({ text }) => text),
    analyzer,
    seededRandom(1),
  )
  if (lsa === undefined) throw new Error('nothing could be fitted')
  const places = documents.map(({ text }) => lsa.place(text))
  const numbers = new Map(documents.map(({ id }, at) => [id, at]))
  const gain = (scores: Float64Array, relevant: ReadonlySet<string>): number => {
    const best = [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0)).slice(0, 10)
    return ndcg(
      best.map((at) => documents[at]?.id ?? ''),
      relevant,
      10,
    )
  }
  let [plain, fed, alone] = [0, 0, 0]
  const summed: number[] = []
  for (const { text, relevant } of questions) {
    const { passages } = await search('cranfield', text, { k: LEG_HITS })
    fed += ndcg(
      passages.slice(0, 10).map(({ document }) => document),
      relevant,
      10,
    )
    const asked = lsa.place(text)
    const near = Float64Array.from(places, (place) => place.reduce((sum, x, i) => sum + x * (asked[i] ?? 0), 0))
    const words = new Float64Array(documents.length)
    for (const { document, score } of passages) words[numbers.get(document) ?? 0] = score
    alone += gain(near, relevant)
    const [a, b] = [standardised(words), standardised(near)]
    summed.push(
      gain(
        a.map((x, at) => x + (b[at] ?? 0)),
        relevant,
      ),
    )
    const terms = analyzer.terms(text).filter((term) => !STOP_TERMS.has(term))
    const hits = await index.search('cranfield', {
      terms: terms.map((term) => ({ word: wordOf(analyzer, text, term), weight: 1 })),
      k: 10,
    })
    plain += ndcg(
      hits.map(({ chunk }) => documents[chunk]?.id ?? ''),
      relevant,
      10,
    )
  }
  await index.close()
  const n = questions.length
  return [
    { kind: 'figure', name: 'nDCG@10 on Cranfield, BM25', unit: '', value: plain / n, n, target: 'at least 0.373' },
    {
      kind: 'figure',
      name: 'nDCG@10 on Cranfield, with feedback',
      unit: '',
      value: fed / n,
      n,
      target: 'at least 0.407',
    },
    { kind: 'figure', name: 'nDCG@10 on Cranfield, corpus-fitted LSA', unit: '', value: alone / n, n },
    {
      kind: 'figure',
      name: 'nDCG@10 on Cranfield, sum of z-scores of feedback and LSA',
      unit: '',
      value: mean(summed),
      n,
      target: 'at least 0.43',
    },
    // Nothing was fitted on questions; the halves show how far the figure can be trusted.
    ...[0, 1].map((half): Figure => {
      const own = summed.filter((_, at) => at % 2 === half)
      return { kind: 'figure', name: `  every other question, ${half + 1}`, unit: '', value: mean(own), n: own.length }
    }),
  ]
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** By how many standard deviations each is above the mean. What a leg did not find is at its foot. */
function standardised(scores: Float64Array): Float64Array {
  const middle = mean([...scores])
  const spread = Math.sqrt(mean(Array.from(scores, (score) => (score - middle) ** 2)))
  return scores.map((score) => (spread === 0 ? 0 : (score - middle) / spread))
}

/** The index takes words, not terms. */
function wordOf(analyzer: Analyzer, text: string, term: string): string {
  for (const word of analyzer.words(text)) if (word.term === term) return text.slice(word.start, word.end)
  return term
}

async function cost(folder: string, effort: number): Promise<Result[]> {
  const corpus = new Corpus(7)
  const count = Math.max(COMPARED_CHUNKS, Math.round(CHUNKS_COUNT * Math.min(1, effort)))
  const chunks = Array.from({ length: count }, (_, number) => ({ text: corpus.text(number, CHUNK_WORDS) }))
  const questions = Array.from({ length: QUESTIONS }, () => corpus.question(QUESTION_WORDS))
  const bytes = chunks.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
  const index = openFilesystemIndex(folder, new Analyzer())
  const size = `${formatCount(count)} chunks`

  const buildCpuMs = await cpuMsOf(() => index.build('large', chunks))
  const mountCpuMs = await cpuMsOf(() => index.mount('large', [{ segment: 'large', removed: [] }]))
  await ask(index, 'large', questions) // Compiles it.
  let latencies: readonly number[] = []
  const askCpuMs = await cpuMsOf(async () => {
    latencies = await ask(index, 'large', questions)
  })
  const figure = (what: string, unit: string, value: number, n: number, target?: string): Figure =>
    target === undefined
      ? { kind: 'figure', name: what, unit, value, n }
      : { kind: 'figure', name: what, unit, value, n, target }
  const { p50, p95, p99 } = percentilesOf(latencies)
  const figures: Result[] = [
    figure(`index: build, ${size}`, 'MB of text per CPU-s', bytes / 1000 / buildCpuMs, 1, 'at least 10'),
    figure(`index: mount, ${size}`, 'CPU-ms', mountCpuMs, 1),
    figure(`index: question of ${QUESTION_WORDS} words, ${size}`, 'CPU-ms', askCpuMs / QUESTIONS, QUESTIONS, 'a few'),
    figure('  p50', 'ms', p50, QUESTIONS),
    figure('  p95', 'ms', p95, QUESTIONS),
    figure('  p99', 'ms', p99, QUESTIONS),
  ]

  const naive = new MemoryIndex(new Analyzer())
  for (const one of [index, naive]) {
    await one.build('small', chunks.slice(0, COMPARED_CHUNKS))
    await one.mount('small', [{ segment: 'small', removed: [] }])
  }
  const compared = questions.slice(0, COMPARED_QUESTIONS)
  figures.push(
    await compare({
      name: `a question over ${formatCount(COMPARED_CHUNKS)} chunks, against looking at every chunk`,
      subject: { name: 'filesystem index', run: () => ask(index, 'small', compared) },
      reference: { name: 'memory index (linear scan)', run: () => ask(naive, 'small', compared) },
      rounds: Math.max(6, Math.round(10 * effort)),
      operations: COMPARED_QUESTIONS,
    }),
  )
  await index.close()
  return figures
}

/** Milliseconds of each. */
async function ask(index: Index, collection: string, questions: readonly string[][]): Promise<number[]> {
  const latencies: number[] = []
  for (const question of questions) {
    const begun = performance.now()
    await index.search(collection, { terms: question.map((word) => ({ word, weight: 1 })), k: 10 })
    latencies.push(performance.now() - begun)
  }
  return latencies
}
