import { fault } from '../base/errors.ts'
import { FEEDBACK_TEXTS_MAX } from '../base/feedback.ts'
import type { Analyzer } from '../base/words.ts'
import type { Filter } from '../store/filter.ts'
import type { Hit, Index, IndexQuery } from '../store/index.ts'
import { HITS_MAX } from '../store/index-input.ts'
import { getAll, type Rows } from '../store/rows.ts'
import type { OpenSpan } from '../trace/trace.ts'
import { chunkKey, chunkKeys, CHUNKS, type ChunkRow, documentKey, DOCUMENTS, type DocumentRow } from './document.ts'
import type { EmbedOptions } from './embedding/port.ts'
import type { Passage } from './passage.ts'
import { type Access, bothOf, isWanted, mandatoryFilter, maySeeCollection, NOBODY } from './search/access.ts'
import { Calibration } from './search/calibration.ts'
import { byMarginalRelevance, withoutDuplicates } from './search/diverse.ts'
import { expandToSections } from './search/expand.ts'
import { type Fused, fuseByRank, fuseByScore, fuseOne, type LegHits, RRF_K } from './search/fuse.ts'
import { ChunkWords, QuestionWords, type WeighedWord } from './search/words.ts'

/** From a question to passages: by its words and by its vector, the two put together, then cleared of
 *  what may not be seen and of what says the same. */

export interface Search {
  /** Best first, near-duplicates left out. Rejects with a `Fault` (`index_unavailable`,
   *  `store_unavailable`, `field_invalid` for a `k` beyond 1 to 1,000 and for `mode: 'vector'` where
   *  there are no vectors). A collection that does not exist, or may not be seen, has no passages. */
  search(collection: string, question: string, options: SearchOptions): Promise<SearchAnswer>
}

export const SEARCH_MODES = ['hybrid', 'words', 'vector'] as const
export type SearchMode = (typeof SEARCH_MODES)[number]

export interface SearchOptions {
  readonly k: number
  /** Default `hybrid`: by words, and by vectors where the collection has them. */
  readonly mode?: SearchMode
  /** Default: of a caller that nothing is known about. */
  readonly access?: Access
  readonly filter?: Filter
  /** 0 to 1: by maximal marginal relevance, 1 being relevance alone. Without it, by relevance. */
  readonly mmrLambda?: number
  /** Passages grow by their neighbours of the same section up to as many tokens. */
  readonly expandTokensMax?: number
  /** Positions of `texts`, best first: four times `k` are found and then put in this order. */
  readonly rerank?: (question: string, texts: readonly string[]) => Promise<readonly number[]>
  /** Who pays for the vector of the question, where a model makes it. */
  readonly payer?: Pick<EmbedOptions, 'spending' | 'embedWith'>
  /** Where the stages are recorded: `match`, `feedback`, `match`, `embed`, `nearest`, `read`. */
  readonly span?: OpenSpan
}

export type Fusion = 'none' | 'rank' | 'score'

export interface SearchAnswer {
  readonly passages: readonly Passage[]
  /** What was searched for in the end. */
  readonly terms: readonly WeighedWord[]
  /** How the legs were put together: `none` where there was one. */
  readonly fusion?: Fusion
}

export interface SearchDependencies {
  readonly index: Pick<Index, 'search'>
  readonly rows: Rows
  readonly analyzer: Analyzer
  /** Undefined: the collection has no vectors. */
  readonly questionVector?: (
    collection: string,
    question: string,
    options: Pick<EmbedOptions, 'span' | 'spending' | 'embedWith'>,
  ) => Promise<Float32Array | undefined>
  /** The tenant a collection belongs to, by the configuration in force. */
  readonly ownerOf?: (collection: string) => string | undefined
}

/** How many hits are read beyond `k`, so that `k` are left when duplicates and chunks that were
 *  just replaced are taken out. */
const SPARE_HITS = 8
/** What legs are put together from, at the least: one finds at rank 60 what the other has first. */
const FUSED_HITS_MIN = 100
/** With a reranker or for variety, this many times `k` are looked at. */
const POOL_FACTOR = 4
/** Where what may not be seen or was replaced leaves fewer than `k`, the search is widened so often,
 *  `WIDER_FACTOR` times each. */
const WIDENINGS_MAX = 2
const WIDER_FACTOR = 6

export function createSearch(dependencies: SearchDependencies): Search {
  const calibration = new Calibration(dependencies.rows)
  const texts = new ChunkWords(dependencies.analyzer)
  return {
    search: (collection, question, options) =>
      new Searching(dependencies, { calibration, texts }, collection, options).run(question),
  }
}

interface Candidate extends Fused {
  readonly row: ChunkRow
  readonly document: DocumentRow
}

class Searching {
  readonly #dependencies: SearchDependencies
  readonly #calibration: Calibration
  readonly #texts: ChunkWords
  readonly #collection: string
  readonly #options: SearchOptions
  readonly #access: Access
  /** What the index is asked for. */
  readonly #filter: Filter | undefined
  #fusion: Fusion = 'none'

  constructor(
    dependencies: SearchDependencies,
    { calibration, texts }: { readonly calibration: Calibration; readonly texts: ChunkWords },
    collection: string,
    options: SearchOptions,
  ) {
    this.#dependencies = dependencies
    this.#calibration = calibration
    this.#texts = texts
    this.#collection = collection
    this.#options = options
    this.#access = options.access ?? NOBODY
    this.#filter = bothOf(mandatoryFilter(this.#access), options.filter)
  }

  async run(question: string): Promise<SearchAnswer> {
    const { k, mode = 'hybrid', mmrLambda, rerank } = this.#options
    if (!Number.isInteger(k) || k < 1 || k > HITS_MAX)
      throw fault('field_invalid', { field: 'k', problem: `is ${k}`, remedy: `Ask for 1 to ${HITS_MAX} passages.` })
    const words = new QuestionWords(this.#texts, question)
    if (!maySeeCollection(this.#access, this.#dependencies.ownerOf?.(this.#collection)))
      return { passages: [], terms: words.weighed, fusion: 'none' }
    const [vector, feedback] = await Promise.all([
      mode === 'words' ? undefined : this.#embed(question),
      mode !== 'vector' && this.#feedback(words),
    ])
    if (mode === 'vector' && vector === undefined)
      throw fault('field_invalid', {
        field: 'mode',
        problem: `asks for vectors, of which the collection ${this.#collection} has none`,
        remedy: 'Search by words, or leave `mode` out.',
      })
    const wanted = rerank === undefined && mmrLambda === undefined ? k : Math.min(k * POOL_FACTOR, HITS_MAX)
    const candidates = await this.#find(feedback ? words : undefined, vector, wanted)
    const chosen = await this.#choose(question, candidates)
    const spread = await this.#expand(chosen)
    return { passages: spread.map((one) => this.#passage(one)), terms: words.weighed, fusion: this.#fusion }
  }

  /** At least `wanted`, and some to spare, where there are as many. */
  async #find(
    words: QuestionWords | undefined,
    vector: Float32Array | undefined,
    wanted: number,
  ): Promise<Candidate[]> {
    const both = words !== undefined && vector !== undefined
    let depth = Math.min(Math.max(wanted + SPARE_HITS, both ? FUSED_HITS_MIN : 0), HITS_MAX)
    for (let widened = 0; ; widened++) {
      const legs = await Promise.all([
        ...(words === undefined ? [] : [this.#match(words, depth).then((hits): LegHits => ({ leg: 'words', hits }))]),
        ...(vector === undefined
          ? []
          : [this.#nearest(vector, depth).then((hits): LegHits => ({ leg: 'vector', hits }))]),
      ])
      const fused = await this.#fuse(legs.filter(({ hits }) => hits.length > 0))
      const span = this.#options.span?.child('read')
      const candidates = await this.#read(fused, wanted + SPARE_HITS)
      span?.end({ hits: fused.length, passages: candidates.length })
      const exhausted = depth >= HITS_MAX || legs.every(({ hits }) => hits.length < depth)
      if (candidates.length >= wanted || exhausted || widened === WIDENINGS_MAX) return candidates
      depth = Math.min(depth * WIDER_FACTOR, HITS_MAX)
    }
  }

  /** False where the words alone find nothing. */
  async #feedback(words: QuestionWords): Promise<boolean> {
    const first = await this.#match(words, Math.max(FEEDBACK_TEXTS_MAX, Math.min(this.#options.k, SPARE_HITS)))
    if (first.length === 0) return false
    const span = this.#options.span?.child('feedback')
    // What may not be seen lends no words: they would tell of it.
    const texts = words.learn(await this.#read(fuseOne({ leg: 'words', hits: first }), FEEDBACK_TEXTS_MAX))
    span?.end({ texts, terms: words.weighed.length })
    return true
  }

  async #match(words: QuestionWords, k: number): Promise<Hit[]> {
    const span = this.#options.span?.child('match')
    const terms = words.weighed
    const hits = terms.length === 0 ? [] : await this.#ask({ terms, k })
    span?.end({ terms: terms.length, hits: hits.length })
    return hits
  }

  async #embed(question: string): Promise<Float32Array | undefined> {
    const { questionVector } = this.#dependencies
    if (questionVector === undefined || question.trim() === '') return undefined
    const span = this.#options.span?.child('embed')
    const options = { ...this.#options.payer, ...(span === undefined ? {} : { span }) }
    const vector = await questionVector(this.#collection, question, options)
    span?.end({ dimension: vector?.length ?? 0 })
    return vector
  }

  async #nearest(vector: Float32Array, k: number): Promise<Hit[]> {
    const span = this.#options.span?.child('nearest')
    const hits = await this.#ask({ vector, k })
    span?.end({ hits: hits.length })
    return hits
  }

  #ask(query: IndexQuery): Promise<Hit[]> {
    const filtered = this.#filter === undefined ? query : { ...query, filter: this.#filter }
    return this.#dependencies.index.search(this.#collection, filtered)
  }

  async #fuse(legs: readonly LegHits[]): Promise<Fused[]> {
    const [first] = legs
    if (first === undefined) return []
    if (legs.length === 1) return fuseOne(first)
    const spreads = await this.#calibration.spreads(this.#collection, legs)
    this.#fusion = spreads === undefined ? 'rank' : 'score'
    return spreads === undefined ? fuseByRank(legs) : fuseByScore(legs, spreads)
  }

  /** What stands behind the best, until there are `count`. What a running ingest has just replaced is
   *  gone and left out, and so is what may not be seen or was not asked for: the rows decide. */
  async #read(fused: readonly Fused[], count: number): Promise<Candidate[]> {
    const { rows } = this.#dependencies
    const found: Candidate[] = []
    const places = new Set<string>()
    let at = 0
    while (at < fused.length && found.length < count) {
      const page = fused.slice(at, at + Math.max(count - found.length, SPARE_HITS))
      at += page.length
      const chunks = await rows.getMany(
        CHUNKS,
        page.map(({ segment, chunk }) => chunkKey(segment, chunk)),
      )
      const ids = [...new Set(chunks.flatMap((stored) => (stored === undefined ? [] : [stored.row.document])))]
      const stored = await rows.getMany(
        DOCUMENTS,
        ids.map((id) => documentKey(this.#collection, id)),
      )
      const documents = new Map(ids.map((id, place) => [id, stored[place]?.row]))
      const read = page.flatMap((one, place) => {
        const row = chunks[place]?.row
        const document = row === undefined ? undefined : documents.get(row.document)
        return row === undefined || document === undefined ? [] : [{ ...one, row, document }]
      })
      for (const one of await this.#present(read)) {
        const place = chunkKey(one.segment, one.chunk).join('/')
        // By one leg before it was moved, and by the other after.
        if (places.has(place)) continue
        places.add(place)
        if (isWanted(this.#access, this.#options.filter, one.document)) found.push(one)
      }
    }
    return found
  }

  /** Each where its document stands now, once. What a merge has just moved keeps its old rows until the new
   *  segment is mounted; what was replaced is nowhere. */
  async #present(read: readonly Candidate[]): Promise<readonly Candidate[]> {
    const moved = new Map(read.filter((one) => !isOf(one.document, one)).map(({ document }) => [document.id, document]))
    if (moved.size === 0) return read
    const places = new Map<string, { readonly segment: string; readonly chunk: number }>()
    for (const document of moved.values()) {
      const rows = await getAll(this.#dependencies.rows, CHUNKS, chunkKeys(document))
      for (const [at, stored] of rows.entries())
        if (stored?.row.document === document.id)
          places.set(contentOf(stored.row), { segment: document.segment, chunk: document.firstChunk + at })
    }
    return read.flatMap((one) => {
      if (isOf(one.document, one)) return [one]
      const place = places.get(contentOf(one.row))
      return place === undefined ? [] : [{ ...one, ...place }]
    })
  }

  async #choose(question: string, candidates: readonly Candidate[]): Promise<Candidate[]> {
    const { k, rerank, mmrLambda, expandTokensMax } = this.#options
    const termsOf = (one: Candidate): ReadonlySet<string> => this.#texts.terms(one.row)
    // Neighbours that grow together leave room.
    const count = expandTokensMax === undefined ? k : k + SPARE_HITS
    const many = rerank === undefined && mmrLambda === undefined ? count : k * POOL_FACTOR
    let different = withoutDuplicates(candidates, termsOf, many)
    if (rerank !== undefined && different.length > 0) {
      const texts = different.map((one) => `${titleOf(one)}\n${one.row.text}`)
      const order = await rerank(question, texts)
      // From now on ranked by the model: the score is its order's.
      different = order.flatMap((at, place) => {
        const one = different[at]
        return one === undefined ? [] : [{ ...one, score: 1 / (RRF_K + place + 1) }]
      })
    }
    return mmrLambda === undefined
      ? different.slice(0, count)
      : byMarginalRelevance(different, termsOf, mmrLambda, count)
  }

  async #expand(chosen: readonly Candidate[]): Promise<readonly Candidate[]> {
    const { k, expandTokensMax, span: parent } = this.#options
    if (expandTokensMax === undefined) return chosen
    const span = parent?.child('expand')
    const expanded = await expandToSections(this.#dependencies.rows, chosen, expandTokensMax, k)
    span?.end({ passages: expanded.length })
    return expanded
  }

  #passage({
    row: { start, end, text, headings },
    document: { id, uri, title, contentHash },
    segment,
    score,
    legs,
  }: Candidate): Passage {
    const place = { contentHash, segment }
    return { collection: this.#collection, document: id, uri, title, headings, start, end, text, score, legs, ...place }
  }
}

/** The hit is of the document as it stands, and not of one that was replaced. */
const isOf = ({ segment, firstChunk, chunkCount }: DocumentRow, hit: Fused): boolean =>
  segment === hit.segment && hit.chunk >= firstChunk && hit.chunk < firstChunk + chunkCount

const contentOf = ({ document, start, text }: ChunkRow): string => `${document}\0${start}\0${text}`

const titleOf = ({ document, row }: Candidate): string =>
  [document.title, ...row.headings.filter((heading) => heading !== document.title)].join(' › ')
