import { formatCount } from '../src/base/units.ts'
import { Analyzer } from '../src/base/words.ts'
import { openFilesystemIndex } from '../src/drivers/filesystem/index.ts'
import { createSearch } from '../src/retrieval/search.ts'
import type { Filter } from '../src/store/filter.ts'
import type { Index, IndexChunk } from '../src/store/index.ts'
import { cpuMsOf, type Figure, percentilesOf } from './harness.ts'
import { rowsOver } from './rows.ts'
import { Corpus } from './zipf.ts'

const SEGMENTS = 5
const SEGMENT_CHUNKS = 200_000
const PART_CHUNKS = 2_000
const CHUNK_WORDS = 120
const QUESTION_WORDS = 10
const QUESTIONS = 150
const WARMUPS = 50
const SIZE = `${formatCount(SEGMENTS * SEGMENT_CHUNKS)} chunks`
const COLLECTION = 'million'

/** Words over a million chunks in five segments: a question as it is, one under a filter, and the
 *  whole search, which asks again with the words of what was found. */
export async function million(folder: string): Promise<Figure[]> {
  const corpus = new Corpus(11)
  const analyzer = new Analyzer()
  const index = openFilesystemIndex(folder, analyzer)
  const text = (segment: number, chunk: number): string => corpus.text(segment * SEGMENT_CHUNKS + chunk, CHUNK_WORDS)
  const figures = await mount(index, text)
  const questions = Array.from({ length: QUESTIONS }, () => corpus.question(QUESTION_WORDS))
  const ask = (question: readonly string[], filter?: Filter): Promise<unknown> => {
    const query = { terms: question.map((word) => ({ word, weight: 1 })), k: 10 }
    return index.search(COLLECTION, filter === undefined ? query : { ...query, filter })
  }
  const rows = rowsOver((segment, chunk) => ({
    id: `${segment}/${chunk}`,
    text: text(Number(segment.split('/')[1]), chunk),
  }))
  const { search } = createSearch({ index, rows, analyzer })
  figures.push(
    ...(await measure(`question of ${QUESTION_WORDS} words`, questions, (question) => ask(question))),
    ...(await measure('the same, of one chunk in a hundred', questions, (question) =>
      ask(question, { op: 'in', name: 'kind', values: [7] }),
    )),
    ...(await measure('whole search, with feedback', questions, (question) =>
      search(COLLECTION, question.join(' '), { k: 10 }),
    )),
  )
  await index.close()
  return figures
}

async function mount(index: Index, text: (segment: number, chunk: number) => string): Promise<Figure[]> {
  const segments = Array.from({ length: SEGMENTS }, (_, at) => `${COLLECTION}/${at}`)
  async function* parts(segment: number): AsyncGenerator<IndexChunk[]> {
    for (let from = 0; from < SEGMENT_CHUNKS; from += PART_CHUNKS)
      yield Array.from({ length: PART_CHUNKS }, (_, at) => ({
        text: text(segment, from + at),
        attributes: { kind: at % 100 },
      }))
  }
  let fileBytes = 0
  for (const [at, segment] of segments.entries()) fileBytes += (await index.build(segment, parts(at))).bytes
  await index.mount(
    COLLECTION,
    segments.map((segment) => ({ segment, removed: [] })),
  )
  const chunks = SEGMENTS * SEGMENT_CHUNKS
  return [
    {
      kind: 'figure',
      name: `index: files, as they are held when mounted, ${SIZE}`,
      unit: 'bytes per chunk',
      value: fileBytes / chunks,
      n: SEGMENTS,
    },
  ]
}

async function measure(
  what: string,
  questions: readonly string[][],
  run: (question: readonly string[]) => Promise<unknown>,
): Promise<Figure[]> {
  // Compiles it.
  for (const question of questions.slice(0, WARMUPS)) await run(question)
  const latencies: number[] = []
  const cpuMs = await cpuMsOf(async () => {
    for (const question of questions) {
      const begun = performance.now()
      await run(question)
      latencies.push(performance.now() - begun)
    }
  })
  const n = questions.length
  const name = `index: ${what}, ${SIZE}`
  const { p50, p95, p99 } = percentilesOf(latencies)
  return [
    { kind: 'figure', name, unit: 'CPU-ms', value: cpuMs / n, n, target: 'at most 10' },
    { kind: 'figure', name: '  p50', unit: 'ms', value: p50, n },
    { kind: 'figure', name: '  p95', unit: 'ms', value: p95, n },
    { kind: 'figure', name: '  p99', unit: 'ms', value: p99, n },
  ]
}
