import { expandQuestion, FEEDBACK_TEXTS_MAX } from '../base/feedback.ts'
import { type Analyzer, STOP_TERMS } from '../base/words.ts'
import type { Filter } from '../store/filter.ts'
import type { Hit, Index } from '../store/index.ts'
import { HITS_MAX } from '../store/index-input.ts'
import type { Rows, Stored } from '../store/rows.ts'
import type { OpenSpan } from '../trace/trace.ts'
import { chunkKey, CHUNKS, type ChunkRow, documentKey, DOCUMENTS, type DocumentRow } from './document.ts'
import type { Passage } from './passage.ts'

/** From a question to passages: by its words, then once more with the words of what was found. */

export interface Search {
  /** Best first, near-duplicates left out. Rejects with a `Fault` (`index_unavailable`,
   *  `store_unavailable`, `field_invalid` for a `k` beyond 1 to 1,000). A collection that does not
   *  exist has no passages. */
  search(collection: string, question: string, options: SearchOptions): Promise<SearchAnswer>
}

export interface SearchOptions {
  readonly k: number
  readonly filter?: Filter
  /** Where the stages are recorded: `match`, `feedback`, `match`, `read`. */
  readonly span?: OpenSpan
}

export interface SearchAnswer {
  readonly passages: readonly Passage[]
  /** What was searched for in the end. */
  readonly terms: readonly WeighedWord[]
}

export interface WeighedWord {
  readonly word: string
  readonly weight: number
}

export interface SearchDependencies {
  readonly index: Pick<Index, 'search'>
  readonly rows: Rows
  readonly analyzer: Analyzer
}

/** A question is searched by its first words; what a caller pastes may be a book. */
const QUESTION_TERMS_MAX = 64

/** How many hits are read beyond `k`, so that `k` are left when duplicates and chunks that were
 *  just replaced are taken out. */
const SPARE_HITS = 8

/** Passages sharing this part of their words say the same. */
const DUPLICATE_OVERLAP = 0.9

export function createSearch(dependencies: SearchDependencies): Search {
  return {
    search: (collection, question, options) => new Searching(dependencies, collection, options).run(question),
  }
}

interface FoundChunk {
  readonly hit: Hit
  readonly row: ChunkRow
}

class Searching {
  readonly #dependencies: SearchDependencies
  readonly #collection: string
  readonly #options: SearchOptions
  /** How each term was written, since the index takes words, not terms. In lower case, so that an
   *  identifier is not taken apart a second time. */
  readonly #words = new Map<string, string>()

  constructor(dependencies: SearchDependencies, collection: string, options: SearchOptions) {
    this.#dependencies = dependencies
    this.#collection = collection
    this.#options = options
  }

  async run(question: string): Promise<SearchAnswer> {
    const { k } = this.#options
    const asked = this.#questionTerms(question)
    // A `k` that makes no sense is left for the index to refuse.
    const first = await this.#match(
      asked,
      k > 0 && k < FEEDBACK_TEXTS_MAX && Number.isInteger(k) ? FEEDBACK_TEXTS_MAX : k,
    )
    if (first.length === 0) return { passages: [], terms: this.#weighed(asked) }
    const expanded = await this.#feedback(asked, first.slice(0, FEEDBACK_TEXTS_MAX))
    const hits = await this.#match(expanded, Math.min(k + SPARE_HITS, HITS_MAX))
    return { passages: await this.#passages(hits), terms: this.#weighed(expanded) }
  }

  /** Without stop terms, unless there is nothing else; a word said twice weighs twice. */
  #questionTerms(question: string): Map<string, number> {
    const words = this.#read(question)
    const topical = words.filter((term) => !STOP_TERMS.has(term))
    const terms = new Map<string, number>()
    for (const term of (topical.length > 0 ? topical : words).slice(0, QUESTION_TERMS_MAX))
      terms.set(term, (terms.get(term) ?? 0) + 1)
    return terms
  }

  async #feedback(asked: ReadonlyMap<string, number>, hits: readonly Hit[]): Promise<ReadonlyMap<string, number>> {
    const span = this.#options.span?.child('feedback')
    const texts = (await this.#chunks(hits)).map(({ hit, row }) => ({
      terms: this.#read(`${row.headings.join('\n')}\n${row.text}`),
      score: hit.score,
    }))
    const expanded = expandQuestion(asked, texts, STOP_TERMS)
    span?.end({ texts: texts.length, terms: expanded.size })
    return expanded
  }

  async #match(terms: ReadonlyMap<string, number>, k: number): Promise<Hit[]> {
    const span = this.#options.span?.child('match')
    const { filter } = this.#options
    const query = { terms: this.#weighed(terms), k, ...(filter === undefined ? {} : { filter }) }
    const hits = await this.#dependencies.index.search(this.#collection, query)
    span?.end({ terms: terms.size, hits: hits.length })
    return hits
  }

  async #passages(hits: readonly Hit[]): Promise<Passage[]> {
    const span = this.#options.span?.child('read')
    const { rows, analyzer } = this.#dependencies
    const chunks = withoutDuplicates(analyzer, await this.#chunks(hits), this.#options.k)
    const keys = chunks.map(({ row }) => documentKey(this.#collection, row.document))
    const documents: (Stored<DocumentRow> | undefined)[] = await rows.getMany(DOCUMENTS, keys)
    const passages = chunks.flatMap(({ hit, row }, at): Passage[] => {
      const document = documents[at]?.row
      if (document === undefined) return []
      const { start, end, text, headings } = row
      return [
        {
          collection: this.#collection,
          document: document.id,
          uri: document.uri,
          title: document.title,
          headings,
          start,
          end,
          text,
          score: hit.score,
          contentHash: document.contentHash,
          segment: hit.segment,
        },
      ]
    })
    span?.end({ hits: hits.length, passages: passages.length })
    return passages
  }

  /** The chunks behind hits. One that a running ingest has just replaced is gone: it is left out. */
  async #chunks(hits: readonly Hit[]): Promise<FoundChunk[]> {
    const stored = await this.#dependencies.rows.getMany(
      CHUNKS,
      hits.map(({ segment, chunk }) => chunkKey(segment, chunk)),
    )
    return hits.flatMap((hit, at) => {
      const row = stored[at]?.row
      return row === undefined ? [] : [{ hit, row }]
    })
  }

  #read(text: string): string[] {
    const terms: string[] = []
    for (const { term, start, end } of this.#dependencies.analyzer.words(text)) {
      terms.push(term)
      if (!this.#words.has(term)) this.#words.set(term, text.slice(start, end).toLowerCase())
    }
    return terms
  }

  #weighed(terms: ReadonlyMap<string, number>): WeighedWord[] {
    return [...terms].map(([term, weight]) => ({ word: this.#words.get(term) ?? term, weight }))
  }
}

/** The first of every group of passages that share nearly all their words, until there are `k`. */
function withoutDuplicates(analyzer: Analyzer, chunks: readonly FoundChunk[], k: number): FoundChunk[] {
  const kept: { readonly chunk: FoundChunk; readonly terms: ReadonlySet<string> }[] = []
  for (const chunk of chunks) {
    if (kept.length === k) break
    const terms = new Set(analyzer.terms(chunk.row.text))
    if (!kept.some((other) => overlap(terms, other.terms) >= DUPLICATE_OVERLAP)) kept.push({ chunk, terms })
  }
  return kept.map(({ chunk }) => chunk)
}

/** Jaccard's index. */
function overlap(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  if (Math.min(a.size, b.size) < DUPLICATE_OVERLAP * Math.max(a.size, b.size)) return 0
  const shared = a.intersection(b).size
  const together = a.size + b.size - shared
  return together === 0 ? 1 : shared / together
}
