import { createHash } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { fault, reasonOf, type Refusal, refuse } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import type { Analyzer } from '../../base/words.ts'
import type { EmbedWith } from '../../engine/port.ts'
import type { Blobs } from '../../store/blobs.ts'
import { put, type Rows, scanAll } from '../../store/rows.ts'
import type { CollectionRow, DocumentRow } from '../document.ts'
import { collectionOf, GENERATIONS, generationsKey } from '../generation/row.ts'
import type { EmbeddingCache } from './cache.ts'
import { EngineEmbedder } from './engine.ts'
import { GOLDEN_TEXT, goldenOf } from './golden.ts'
import { Lsa } from './lsa.ts'
import { vectorMemoryBytes } from './memory.ts'
import { type EmbeddingChoice, LSA, SPACES, spaceKey, type SpaceRow } from './port.ts'
import { QuestionVectors } from './question.ts'
import type { Vectors } from './vectors.ts'

/** What collections are embedded with: their spaces, and vectors of passages and questions in them. */

/** The heavy half of the fitted directions, in the process that reads documents. */
export interface Folding {
  /** Fits directions on the texts; undefined where they have nothing in common. */
  fit(texts: readonly string[]): Promise<Uint8Array | undefined>
  /** Vectors by the directions of that name. Undefined where it does not know them and is not told. */
  fold(name: string, bytes: Uint8Array | undefined, texts: readonly string[]): Promise<Float32Array[] | undefined>
}

export interface EmbeddingsOptions {
  readonly rows: Rows
  readonly blobs: Blobs
  readonly vectors: Vectors
  readonly cache: EmbeddingCache
  readonly folding: Folding
  readonly embedWith: EmbedWith
  readonly analyzer: Analyzer
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Read anew each time, so that a reload changes it. */
  readonly choice: (collection: string) => EmbeddingChoice
  /** What its vectors may take of memory, in bytes. */
  readonly memoryBytesMax?: (collection: string) => number | undefined
}

/** Fitted directions held in memory to place questions: at most 21 MB each. */
const FITTED_MAX = 8
/** Words whose commonness is asked for at once. */
const WORDS_AT_ONCE = 1_000

export class Embeddings {
  readonly #options: EmbeddingsOptions
  readonly #questions: QuestionVectors
  readonly #fitted = new Map<string, Promise<Lsa>>()

  constructor(options: EmbeddingsOptions) {
    this.#options = options
    this.#questions = new QuestionVectors({ ...options, fold: (...asked) => this.fold(...asked) })
  }

  get vectors(): Vectors {
    return this.#options.vectors
  }

  /** What the configuration says of a collection. */
  configured(collection: string): EmbeddingChoice {
    return this.#options.choice(collectionOf(collection))
  }

  /** What a generation is to be embedded with: what it was made for, where there are several. */
  async choice(storage: string): Promise<EmbeddingChoice> {
    const collection = collectionOf(storage)
    const all = (await this.#options.rows.get(GENERATIONS, generationsKey(collection)))?.row.all ?? []
    const made = all.length > 1 ? all.find((one) => one.storage === storage) : undefined
    return made?.embedding ?? this.configured(collection)
  }

  /** What may stand before a passage of the collection, in any of its generations. */
  async passagePrefixes(collection: string): Promise<string[]> {
    const all = (await this.#options.rows.get(GENERATIONS, generationsKey(collection)))?.row.all ?? []
    const choices = [this.configured(collection), ...all.map(({ embedding }) => embedding)]
    return [...new Set(['', ...choices.map(({ passagePrefix }) => passagePrefix)])]
  }

  /** What its vectors take of memory while they are searched, about, in bytes. */
  async memoryBytes({ name, space, chunks }: CollectionRow): Promise<number> {
    return space === undefined ? 0 : vectorMemoryBytes(chunks, (await this.space(name, space)).space.dimension)
  }

  /** What a collection is embedded with, whatever the configuration says by now. */
  async held({ name, space }: CollectionRow): Promise<EmbeddingChoice> {
    if (space === undefined) {
      const wanted = this.configured(name).model === 'none' ? 'none' : LSA
      return { model: wanted, passagePrefix: '', questionPrefix: '' }
    }
    const { model, passagePrefix, questionPrefix } = (await this.space(name, space)).space
    return { model, passagePrefix, questionPrefix }
  }

  /** After a reload: every space is checked again before it is used. */
  forget(): void {
    this.#questions.forget()
  }

  space(collection: string, id: string): Promise<SpaceRow> {
    return this.#questions.space(collection, id)
  }

  /** Whether what is configured can go on with what the collection holds, and the memory allowed for it. Fitted directions are its
   *  own and give way; a model's vectors do not mix with another's. */
  async admit(row: CollectionRow): Promise<Refusal | undefined> {
    const { name, space, chunks } = row
    if (space === undefined) return undefined
    const { space: held } = await this.space(name, space)
    const limit = this.#options.memoryBytesMax?.(collectionOf(name)) ?? Infinity
    const need = vectorMemoryBytes(chunks, held.dimension)
    if (need > limit)
      return refuse('memory_target', { collection: collectionOf(name), needMiB: inMiB(need), limitMiB: inMiB(limit) })
    if (held.model === LSA) return undefined
    const { model, passagePrefix, questionPrefix } = await this.choice(name)
    if (model === held.model && passagePrefix === held.passagePrefix && questionPrefix === held.questionPrefix)
      return undefined
    const wanted = model === held.model ? 'other prefixes' : `"${model}"`
    const reason = `it was embedded with "${held.model}", and the configuration now asks for ${wanted}`
    return refuse('embedding_changed', { collection: name, reason })
  }

  /** A new space of the configured model, durable when resolved. */
  async begin(collection: string, signal: AbortSignal): Promise<SpaceRow> {
    const { embedWith, clock, random } = this.#options
    const { model, passagePrefix, questionPrefix } = await this.choice(collection)
    const asked = await embedWith(model, {
      inputs: [passagePrefix + GOLDEN_TEXT],
      signal,
      describe: true,
      collection: collectionOf(collection),
    })
    const dimension = asked.vectors[0]?.length ?? 0
    const { revision = '', pooling = '' } = asked.facts ?? {}
    const space = { model, dimension, pooling, passagePrefix, questionPrefix, normalised: true }
    const embedder = new EngineEmbedder({ ...space, revision }, embedWith, clock)
    const [golden = new Float32Array()] = await embedder.embed([GOLDEN_TEXT], 'passage', {
      signal,
      collection: collectionOf(collection),
    })
    return await this.#keep(collection, {
      id: newId('spc', clock, random),
      space: { ...space, revision: revision === '' ? fingerprint(golden) : revision },
      golden: goldenOf(golden),
      createdAtMs: clock.wallMs(),
    })
  }

  /** A new space of directions fitted on the texts; undefined where there is nothing to fit. */
  async fit(collection: string, texts: readonly string[]): Promise<SpaceRow | undefined> {
    const { blobs, clock, random, folding } = this.#options
    const bytes = await folding.fit(texts)
    if (bytes === undefined) return undefined
    const id = newId('spc', clock, random)
    await blobs.put(fittedName(collection, id), bytes)
    const space = { model: LSA, revision: id, dimension: Lsa.dimension, pooling: '', normalised: true }
    return await this.#keep(collection, {
      id,
      space: { ...space, passagePrefix: '', questionPrefix: '' },
      texts: texts.length,
      createdAtMs: clock.wallMs(),
    })
  }

  /** Vectors of passages. Rejects with a `Fault`: `embedding_changed`, or of the engine. */
  async passages(
    collection: string,
    id: string,
    texts: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly Float32Array[]> {
    const row = await this.space(collection, id)
    if (row.space.model === LSA) return await this.#fold(collection, id, texts)
    const options = { signal, collection: collectionOf(collection) }
    return await (await this.#questions.embedder(collection, row, options)).embed(texts, 'passage', options)
  }

  /** As `QuestionVectors.of`. */
  question(...asked: Parameters<QuestionVectors['of']>): Promise<Float32Array | undefined> {
    return this.#questions.of(...asked)
  }

  /** Where fitted directions place a question; undefined where they know no word of it. */
  async fold(storage: string, id: string, question: string): Promise<Float32Array | undefined> {
    return (await this.#directions(storage, id)).fold(question)
  }

  /** As `Lsa.explained`, of each text. */
  async explained(storage: string, id: string, texts: readonly string[]): Promise<number[]> {
    const lsa = await this.#directions(storage, id)
    return texts.map((text) => lsa.explained(text))
  }

  /** The vectors of whole documents, in order, as they are kept; what is lost or damaged is embedded
   *  again. `texts` has one for every chunk of them. */
  async again(
    collection: string,
    id: string,
    documents: readonly DocumentRow[],
    texts: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly Float32Array[]> {
    const found: Float32Array[] = []
    for (const { segment, firstChunk, chunkCount } of documents) {
      const of = texts.slice(found.length, found.length + chunkCount)
      const kept = await this.#options.vectors.read(segment, firstChunk, chunkCount).catch((thrown: unknown) => {
        this.#options.log.write('warn', 'kept vectors are embedded again', { segment, reason: reasonOf(thrown) })
        return undefined
      })
      found.push(...(kept ?? (await this.passages(collection, id, of, signal))))
    }
    return found
  }

  /** Forgets the spaces of a collection but for those in use: of one that is gone, or that an interrupted
   *  ingest began. */
  async sweep(collection: string, used: ReadonlySet<string>): Promise<void> {
    for await (const { row } of scanAll(this.#options.rows, SPACES, [collection]))
      if (!used.has(row.id)) await this.drop(collection, row.id)
  }

  /** Takes words out of fitted directions that no text of the collection has any more. */
  async forgetWords(
    storage: string,
    commonness: (terms: readonly string[]) => Promise<readonly number[]>,
  ): Promise<void> {
    const { rows, blobs, analyzer } = this.#options
    for await (const { row } of scanAll(rows, SPACES, [storage])) {
      if (row.space.model !== LSA) continue
      const lsa = Lsa.read(await this.#bytes(storage, row.id), analyzer)
      const gone = new Set<string>()
      for (let at = 0; at < lsa.terms.length; at += WORDS_AT_ONCE) {
        const terms = lsa.terms.slice(at, at + WORDS_AT_ONCE).filter((term) => term !== '')
        for (const [i, count] of (await commonness(terms)).entries()) if (count === 0) gone.add(terms[i] ?? '')
      }
      if (gone.size === 0) continue
      await blobs.put(fittedName(storage, row.id), lsa.without(gone).bytes())
      this.#fitted.delete(row.id)
    }
  }

  /** Forgets a space that nothing is in any more. */
  async drop(collection: string, id: string): Promise<void> {
    const { rows, blobs } = this.#options
    this.#fitted.delete(id)
    await rows.commit([{ op: 'remove', table: SPACES.name, key: spaceKey(collection, id) }])
    await blobs.remove(fittedName(collection, id))
  }

  async #keep(collection: string, row: SpaceRow): Promise<SpaceRow> {
    await this.#options.rows.commit([put(SPACES, spaceKey(collection, row.id), row)])
    return row
  }

  async #fold(collection: string, id: string, texts: readonly string[]): Promise<readonly Float32Array[]> {
    const { folding } = this.#options
    const folded =
      (await folding.fold(id, undefined, texts)) ?? (await folding.fold(id, await this.#bytes(collection, id), texts))
    if (folded === undefined) throw fault('internal', { reason: 'fitted directions were given and are not known' })
    return folded
  }

  #directions(collection: string, id: string): Promise<Lsa> {
    const known = this.#fitted.get(id)
    if (known !== undefined) return known
    const read = this.#bytes(collection, id).then((bytes) => Lsa.read(bytes, this.#options.analyzer))
    const [oldest] = this.#fitted.keys()
    if (this.#fitted.size >= FITTED_MAX && oldest !== undefined) this.#fitted.delete(oldest)
    this.#fitted.set(id, read)
    read.catch(() => this.#fitted.delete(id))
    return read
  }

  async #bytes(collection: string, id: string): Promise<Uint8Array> {
    const bytes = await this.#options.blobs.get(fittedName(collection, id))
    if (bytes === undefined)
      throw fault('index_unavailable', { reason: `the fitted directions of ${collection} are missing` })
    return bytes
  }
}

const inMiB = (bytes: number): number => Math.ceil(bytes / 2 ** 20)

const fittedName = (collection: string, id: string): string => `fitted/${collection}/${id}`

/** Stands for weights whose engine does not say what they are, so that vectors of others are never
 *  taken for theirs. Rounded, so that it seldom changes with the noise of a graphics card. */
function fingerprint(golden: Float32Array): string {
  const rounded = Array.from(golden, (value) => Math.round(value * 100)).join(' ')
  return `unstated-${createHash('sha256').update(rounded).digest('hex').slice(0, 16)}`
}
