import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom, uniform, type Random } from '../src/base/random.ts'
import { Analyzer } from '../src/base/words.ts'
import { openFilesystemIndex } from '../src/drivers/filesystem/index.ts'
import { createMemoryIndex } from '../src/drivers/memory/index.ts'
import { CHUNKS, type ChunkRow, DOCUMENTS, type DocumentRow } from '../src/retrieval/document.ts'
import { createSearch } from '../src/retrieval/search.ts'
import type { Index } from '../src/store/index.ts'
import type { Rows, Stored } from '../src/store/rows.ts'
import { ndcg, readCranfield } from './cranfield.ts'

/** What retrieval finds, and what finding costs. */

const CHUNKS_COUNT = 50_000
const CHUNK_WORDS = 120
const QUESTIONS = 400
const NAIVE_CHUNKS = 5_000
const NAIVE_QUESTIONS = 5

/** One line a figure. `cranfield` is the folder of the collection; without it the figures that need
 *  it are skipped by name. */
export async function run(print: (line: string) => void = console.log, cranfield = process.env['HEADWORKS_CRANFIELD']): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-bench-'))
  try {
    if (cranfield === undefined || !existsSync(join(cranfield, 'cran.qry'))) {
      print('nDCG@10 on Cranfield: skipped, HEADWORKS_CRANFIELD names no folder with cran.all.1400, cran.qry and cranqrel')
    } else {
      await quality(print, folder, cranfield)
    }
    await cost(print, folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function quality(print: (line: string) => void, folder: string, cranfield: string): Promise<void> {
  const { documents, questions } = await readCranfield(cranfield)
  const analyzer = new Analyzer()
  const index = openFilesystemIndex(folder, analyzer)
  await index.build('cranfield', documents)
  await index.mount('cranfield', [{ segment: 'cranfield', removed: [] }])
  const { search } = createSearch({ index, rows: rowsOver(documents), analyzer })
  let [plain, fed] = [0, 0]
  for (const { text, relevant } of questions) {
    const { terms, passages } = await search('cranfield', text, { k: 10 })
    fed += ndcg(passages.map(({ document }) => document), relevant, 10)
    // Before feedback the question's own words weigh what they were said: found again by a search without witnesses.
    const own = await createSearch({ index, rows: rowsOver([]), analyzer }).search('cranfield', text, { k: 10 })
    const hits = await index.search('cranfield', { terms: own.terms, k: 10 })
    plain += ndcg(hits.map(({ chunk }) => documents[chunk]?.id ?? ''), relevant, 10)
    if (terms.length < own.terms.length) throw new Error('feedback lost words of the question')
  }
  const n = questions.length
  print(`nDCG@10 on Cranfield: BM25 ${(plain / n).toFixed(3)}, with feedback ${(fed / n).toFixed(3)} (x${(fed / plain).toFixed(2)}), n=${n}`)
  await index.close()
}

async function cost(print: (line: string) => void, folder: string): Promise<void> {
  const corpus = new Corpus(seededRandom(7))
  const chunks = Array.from({ length: CHUNKS_COUNT }, () => ({ text: corpus.text(CHUNK_WORDS) }))
  const bytes = chunks.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
  const questions = Array.from({ length: QUESTIONS }, () => corpus.question(10))
  const index = openFilesystemIndex(folder, new Analyzer())

  const [built, buildCpuMs] = await cpuOf(() => index.build('large', chunks))
  print(`build: ${(bytes / 1e3 / buildCpuMs).toFixed(1)} MB of text per CPU-s (${(bytes / 1e6).toFixed(0)} MB, ${built.chunks} chunks, ${built.terms} terms, ${(built.bytes / bytes).toFixed(2)} bytes a byte)`)
  const [, mountCpuMs] = await cpuOf(() => index.mount('large', [{ segment: 'large', removed: [] }]))
  print(`mount: ${mountCpuMs.toFixed(0)} CPU-ms`)
  await ask(index, 'large', questions) // Warm: compiled.
  const fast = await ask(index, 'large', questions)
  print(`query: ${describe(fast)} at ${CHUNKS_COUNT} chunks, 10 words`)

  const naive = createMemoryIndex(new Analyzer())
  await naive.build('small', chunks.slice(0, NAIVE_CHUNKS))
  await naive.mount('small', [{ segment: 'small', removed: [] }])
  const slow = await ask(naive, 'small', questions.slice(0, NAIVE_QUESTIONS))
  const ratio = (slow.cpuMs * CHUNKS_COUNT) / NAIVE_CHUNKS / fast.cpuMs
  print(`query, reference (a scan of ${NAIVE_CHUNKS} chunks): ${describe(slow)}; per chunk the index is x${ratio.toFixed(0)} cheaper`)
  await index.close()
}

interface Asked {
  readonly cpuMs: number
  /** Sorted. */
  readonly ms: readonly number[]
}

async function ask(index: Index, collection: string, questions: readonly string[][]): Promise<Asked> {
  const ms: number[] = []
  const [, cpuMs] = await cpuOf(async () => {
    for (const question of questions) {
      const begun = performance.now()
      await index.search(collection, { terms: question.map((word) => ({ word, weight: 1 })), k: 10 })
      ms.push(performance.now() - begun)
    }
  })
  return { cpuMs: cpuMs / questions.length, ms: ms.sort((a, b) => a - b) }
}

function describe({ cpuMs, ms }: Asked): string {
  const quantile = (share: number): string => (ms[Math.min(ms.length - 1, Math.floor(ms.length * share))] ?? 0).toFixed(2)
  return `${cpuMs.toFixed(2)} CPU-ms, p50 ${quantile(0.5)} p95 ${quantile(0.95)} p99 ${quantile(0.99)} ms, n=${ms.length}`
}

async function cpuOf<Value>(work: () => Promise<Value>): Promise<[Value, number]> {
  const before = process.cpuUsage()
  const value = await work()
  const { user, system } = process.cpuUsage(before)
  return [value, (user + system) / 1000]
}

/** Text whose words are as frequent as in English: the n-th commonest about 1/n as often as the
 *  commonest, 60,000 of them. */
class Corpus {
  readonly #random: Random
  readonly #words: string[]
  readonly #bounds: Float64Array

  constructor(random: Random) {
    this.#random = random
    this.#words = Array.from({ length: 60_000 }, (_, rank) => this.#word(rank))
    this.#bounds = new Float64Array(this.#words.length)
    let sum = 0
    for (const rank of this.#bounds.keys()) this.#bounds[rank] = sum += 1 / (rank + 2.7)
  }

  text(words: number): string {
    return Array.from({ length: words }, () => this.#words[this.#rank()]).join(' ')
  }

  /** Without the thirty commonest words, as after the stop words are gone. */
  question(words: number): string[] {
    return Array.from({ length: words }, () => {
      let rank = this.#rank()
      while (rank < 30) rank = this.#rank()
      return this.#words[rank] ?? ''
    })
  }

  #rank(): number {
    const at = uniform(this.#random) * (this.#bounds.at(-1) ?? 0)
    let [low, high] = [0, this.#bounds.length - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#bounds[middle] ?? 0) < at) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Common words are short. */
  #word(rank: number): string {
    const length = 2 + Math.floor(Math.log2(rank + 2) / 2) + Math.floor(uniform(this.#random) * 3)
    return Array.from(this.#random.bytes(length), (byte) => String.fromCharCode(97 + (byte % 26))).join('') + (rank % 10)
  }
}

/** Just enough of rows for a search: one document and one chunk per text. */
function rowsOver(documents: readonly { readonly id: string; readonly text: string }[]): Rows {
  const chunk = ({ id, text }: { id: string; text: string }): ChunkRow => ({ document: id, text, headings: [], start: 0, end: text.length })
  const document = (id: string): DocumentRow => ({
    id, uri: id, title: id, mediaType: 'text/plain', contentHash: '', bytes: 0, segment: 'cranfield', firstChunk: 0, chunkCount: 1, ingestedAtMs: 0,
  })
  const find = (table: string, key: readonly string[]): unknown => {
    if (table === DOCUMENTS.name) return document(key[1] ?? '')
    const found = table === CHUNKS.name ? documents[Number(key[1])] : undefined
    return found === undefined ? undefined : chunk(found)
  }
  return {
    get: async <Row>(from: { name: string }, key: readonly string[]) => stored<Row>(key, find(from.name, key)),
    getMany: async <Row>(from: { name: string }, keys: readonly (readonly string[])[]) => keys.map((key) => stored<Row>(key, find(from.name, key))),
    scan: async () => [],
    commit: async () => false,
    close: async () => {},
  }
}

const stored = <Row>(key: readonly string[], row: unknown): Stored<Row> | undefined =>
  row === undefined ? undefined : { key, row: row as Row, version: 1 }

if (import.meta.main) await run(undefined, process.argv[2] ?? process.env['HEADWORKS_CRANFIELD'])
