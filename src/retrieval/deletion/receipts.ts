import type { Clock } from '../../base/clock.ts'
import { refuse, Refusal } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import type { Random } from '../../base/random.ts'
import type { Analyzer } from '../../base/words.ts'
import type { AttributeValue } from '../../store/filter.ts'
import type { Index } from '../../store/index.ts'
import { HITS_MAX } from '../../store/index-input.ts'
import { type Change, getAll, put, remove, type Rows, scanAll, type Stored, table } from '../../store/rows.ts'
import {
  chunkKey,
  chunkKeys,
  CHUNKS,
  collectionKey,
  COLLECTIONS,
  documentKey,
  DOCUMENTS,
  type DocumentRow,
} from '../document.ts'
import { GENERATIONS, generationsKey, storageOf } from '../generation/row.ts'
import { tenantOf } from '../search/access.ts'
import type { Derived, Held } from './derived.ts'

/** What became of a document that was deleted: where it was, since when it is gone there, and what
 *  could not be erased yet. The receipt is written before anything is removed, so that no crash leaves
 *  a deletion without one; what it says is looked up, place by place, and not assumed. */

/** Where a document can be. `embeddingCache`: vectors and sentences made of its passages.
 *  `answerCache`: answers kept for whoever asks again, that name it. `bytes`: the files of the segment it
 *  was indexed in, which are immutable: what they hold of it goes with them, when they are rewritten.
 *  `fittedWords`: words in the directions fitted on the collection. `store`: pages of the database and
 *  its log. */
export const PLACES = [
  'documentRow',
  'chunkRows',
  'fullText',
  'vectors',
  'embeddingCache',
  'answerCache',
  'bytes',
  'fittedWords',
  'store',
] as const
export type Place = (typeof PLACES)[number]

interface Copy {
  /** The name that generation's rows stand under. */
  readonly storage: string
  readonly segment: string
  readonly firstChunk: number
  readonly chunkCount: number
}

export interface DeletionRow {
  readonly id: string
  readonly collection: string
  readonly document: string
  readonly uri: string
  readonly contentHash: string
  /** In each generation of the collection that had it. */
  readonly copies: readonly Copy[]
  /** Whose it was. */
  readonly tenant?: AttributeValue
  readonly requestedAtMs: number
  /** When it was seen to be gone. Absent: it is still there, or was not looked for yet. */
  readonly goneAtMs: { readonly [P in Place]?: number }
  /** Passages that another document has word for word: what was made of them is kept. */
  readonly shared?: number
  /** Gone from everywhere that is looked at. */
  readonly finalAtMs?: number
}

export interface DeletionDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly rows: Rows
  readonly index: Pick<Index, 'search' | 'segments' | 'statistics'>
  readonly analyzer: Analyzer
  /** As `Ingest.removeDocument`: resolved, it answers no more. */
  readonly removeDocument: (collection: string, document: string) => Promise<Refusal | undefined>
  readonly derived: Pick<Derived, 'record' | 'erase'>
  /** Forgets kept answers that name the document. */
  readonly forgetAnswers: (document: string) => Promise<unknown>
  /** As `Ingest.erase`. */
  readonly erase: (collection: string) => Promise<void>
  /** As `Embeddings.forgetWords`. */
  readonly forgetWords: (
    storage: string,
    commonness: (terms: readonly string[]) => Promise<readonly number[]>,
  ) => Promise<void>
  /** Takes what was removed out of the files of the store; false: not yet. */
  readonly scrub: () => Promise<boolean>
}

const DELETIONS = table<DeletionRow>('deletions')
/** Those that are not final. */
const OPEN = table<{ readonly id: string }>('deletions.open')

/** Words of a deleted text that are searched for afterwards. */
const PROBE_TERMS_MAX = 32
/** Chunks of it whose words are. */
const PROBED_CHUNKS_MAX = 4
/** Files that still hold something deleted are rewritten this long after it was, if nothing else has
 *  them rewritten. */
const ERASE_MS = 24 * 3_600_000

export class Deletions {
  readonly #dependencies: DeletionDependencies

  constructor(dependencies: DeletionDependencies) {
    this.#dependencies = dependencies
  }

  /** Removes a document; it answers no more when this resolves. `collection_unknown`, `not_found`. */
  async remove(collection: string, document: string): Promise<DeletionRow | Refusal> {
    const { clock, random, rows, removeDocument, derived } = this.#dependencies
    const live = await storageOf(rows, collection)
    const stored = await rows.get(DOCUMENTS, documentKey(live, document))
    if (stored === undefined) return (await removeDocument(collection, document)) ?? notFound('document', document)
    const copies = await this.#copies(collection, document)
    const held: Held[] = []
    for (const { storage, row } of copies) held.push(await this.#held(storage, row))
    const { uri, contentHash } = stored.row
    const id = newId('del', clock, random)
    const place = { uri, contentHash, copies: copies.map(({ copy }) => copy), ...tenantOf(stored.row) }
    const row = { id, collection, document, ...place, requestedAtMs: clock.wallMs(), goneAtMs: {} }
    const made = await derived.record(collection, id, held)
    await rows.commit([put(DELETIONS, [collection, id], row, 0), put(OPEN, [collection, id], { id }), ...made])
    const refusal = await removeDocument(collection, document)
    if (refusal !== undefined) {
      // Somebody else was faster; then theirs is the receipt.
      const undone = made.map((change): Change => ({ op: 'remove', table: change.table, key: change.key }))
      await rows.commit([remove(DELETIONS, [collection, id]), remove(OPEN, [collection, id]), ...undone])
      return refusal
    }
    return await this.#settle(row, held)
  }

  /** Rewrites the files that still hold what was deleted from the collection; resolves to the receipt as it
   *  stands then. `not_found`. */
  async erase(collection: string, id: string): Promise<DeletionRow | Refusal> {
    const found = await this.status(collection, id)
    if (found instanceof Refusal || found.finalAtMs !== undefined) return found
    await this.#dependencies.erase(collection)
    return await this.status(collection, id)
  }

  /** As it stands now. `not_found`. */
  async status(collection: string, id: string): Promise<DeletionRow | Refusal> {
    const stored = await this.#dependencies.rows.get(DELETIONS, [collection, id])
    if (stored === undefined) return notFound('deletion', id)
    return stored.row.finalAtMs === undefined ? await this.#settle(stored.row) : stored.row
  }

  /** As they were last seen, newest first. */
  async list(collection: string, limit: number, after?: string): Promise<DeletionRow[]> {
    const page = await this.#dependencies.rows.scan(DELETIONS, {
      prefix: [collection],
      limit,
      reverse: true,
      ...(after === undefined ? {} : { after: [collection, after] }),
    })
    return page.map(({ row }) => row)
  }

  /** Looks again at all that are not final, and has rewritten what still holds those of long ago. */
  async settleAll(): Promise<void> {
    const { clock, rows, erase } = this.#dependencies
    const late = new Set<string>()
    for await (const { key } of scanAll(rows, OPEN)) {
      const stored: Stored<DeletionRow> | undefined = await rows.get(DELETIONS, key)
      if (stored === undefined) continue
      const { collection, goneAtMs, requestedAtMs } = await this.#settle(stored.row)
      if (goneAtMs.bytes === undefined && clock.wallMs() - requestedAtMs >= ERASE_MS) late.add(collection)
    }
    for (const collection of late) await erase(collection)
  }

  /** Takes down what is gone since the last look.
   *  @param held What it was, while that is known. */
  async #settle(row: DeletionRow, held: readonly Held[] = []): Promise<DeletionRow> {
    const { clock, rows } = this.#dependencies
    const gone = new Set<Place>()
    const { documentRow, chunkRows } = await this.#rowsLeft(row)
    if (!documentRow) gone.add('documentRow')
    if (!chunkRows) gone.add('chunkRows')
    // No mount after the removal answers from its chunks, whoever mounted it.
    if (!documentRow && !(await this.#isMounted(row)) && !(await this.#answers(row, held))) {
      gone.add('fullText')
      gone.add('vectors')
    }
    if (!(await this.#hasBytes(row))) gone.add('bytes')
    const shared = gone.has('fullText') ? await this.#eraseDerived(row, held, gone) : undefined
    if (gone.has('fullText') && gone.has('bytes')) {
      if (row.goneAtMs.fittedWords === undefined) await this.#forgetWords(row)
      gone.add('fittedWords')
    }
    const isGone = (place: Place): boolean => gone.has(place) || row.goneAtMs[place] !== undefined
    // The last, since what goes leaves its traces there.
    const isScrubbed = PLACES.every((place) => place === 'store' || isGone(place)) && (await this.#dependencies.scrub())
    if (isScrubbed) gone.add('store')
    const nowMs = clock.wallMs()
    const goneAtMs: { [P in Place]?: number } = { ...row.goneAtMs }
    for (const place of gone) goneAtMs[place] ??= nowMs
    const isFinal = PLACES.every((place) => goneAtMs[place] !== undefined)
    const settled = {
      ...row,
      goneAtMs,
      ...(shared === undefined || shared === 0 ? {} : { shared }),
      ...(isFinal ? { finalAtMs: nowMs } : {}),
    }
    const key = [row.collection, row.id]
    if (gone.size > 0 || isFinal)
      await rows.commit([put(DELETIONS, key, settled), ...(isFinal ? [remove(OPEN, key)] : [])])
    return settled
  }

  /** Resolves to how many of its passages another document has. */
  async #eraseDerived(row: DeletionRow, held: readonly Held[], gone: Set<Place>): Promise<number | undefined> {
    const { derived, forgetAnswers } = this.#dependencies
    const { collection, id, document, goneAtMs } = row
    const shared = goneAtMs.embeddingCache === undefined ? await derived.erase(collection, id, held) : undefined
    gone.add('embeddingCache')
    // What was being answered when it was removed is kept a moment later.
    if (goneAtMs.bytes === undefined) await forgetAnswers(document)
    gone.add('answerCache')
    return shared
  }

  async #forgetWords({ copies }: DeletionRow): Promise<void> {
    const { index, analyzer, forgetWords } = this.#dependencies
    for (const { storage } of copies)
      await forgetWords(storage, async (terms) => {
        const { chunksWith } = await index.statistics(storage, terms)
        // A stem that has a stem of its own is not found by itself.
        return terms.map((term, at) => (analyzer.term(term) === term ? (chunksWith[at] ?? 0) : 1))
      })
  }

  async #held(storage: string, row: DocumentRow): Promise<Held> {
    const chunks = await getAll(this.#dependencies.rows, CHUNKS, chunkKeys(row))
    return { storage, title: row.title, chunks: chunks.flatMap((chunk) => (chunk === undefined ? [] : [chunk.row])) }
  }

  async #copies(
    collection: string,
    document: string,
  ): Promise<{ readonly storage: string; readonly row: DocumentRow; readonly copy: Copy }[]> {
    const { rows } = this.#dependencies
    const generations = (await rows.get(GENERATIONS, generationsKey(collection)))?.row.all ?? []
    const storages = new Set([await storageOf(rows, collection), ...generations.map(({ storage }) => storage)])
    const copies: { storage: string; row: DocumentRow; copy: Copy }[] = []
    for (const storage of storages) {
      const stored = await rows.get(DOCUMENTS, documentKey(storage, document))
      if (stored === undefined) continue
      const { segment, firstChunk, chunkCount } = stored.row
      copies.push({ storage, row: stored.row, copy: { storage, segment, firstChunk, chunkCount } })
    }
    return copies
  }

  async #rowsLeft({ document, copies, requestedAtMs }: DeletionRow): Promise<{
    readonly documentRow: boolean
    readonly chunkRows: boolean
  }> {
    const { rows } = this.#dependencies
    let [documentRow, chunkRows] = [false, false]
    for (const { storage, segment, firstChunk, chunkCount } of copies) {
      const stored = await rows.get(DOCUMENTS, documentKey(storage, document))
      const keys = Array.from({ length: chunkCount }, (_, at) => chunkKey(segment, firstChunk + at))
      const chunks = await getAll(rows, CHUNKS, keys)
      // Read again later it is another one.
      documentRow ||= stored !== undefined && stored.row.ingestedAtMs <= requestedAtMs && isSame(stored.row, segment)
      chunkRows ||= chunks.some((chunk) => chunk?.row.document === document)
    }
    return { documentRow, chunkRows }
  }

  /** The collection answers from chunks of the document. */
  async #isMounted({ copies }: DeletionRow): Promise<boolean> {
    for (const { storage, segment, firstChunk, chunkCount } of copies) {
      const stored = await this.#dependencies.rows.get(COLLECTIONS, collectionKey(storage))
      const mounted = stored?.row.segments.find((one) => one.segment === segment)
      const isRemoved = mounted?.removed.some(
        ({ first, count }) => first <= firstChunk && first + count >= firstChunk + chunkCount,
      )
      if (isRemoved === false) return true
    }
    return false
  }

  /** A file of the index holds its words and vectors: its segment's own, or a part made of it. */
  async #hasBytes({ copies }: DeletionRow): Promise<boolean> {
    const { rows, index } = this.#dependencies
    const stored = new Set(await index.segments())
    for (const { storage, segment, firstChunk, chunkCount } of copies) {
      if (stored.has(segment)) return true
      const { parts = [] } = (await rows.get(COLLECTIONS, collectionKey(storage)))?.row ?? {}
      const isHeld = parts
        .flatMap(({ holds }) => holds)
        .some(
          (run) => run.segment === segment && run.first < firstChunk + chunkCount && firstChunk < run.first + run.count,
        )
      if (isHeld) return true
    }
    return false
  }

  /** Whether the index still finds it by its own words. */
  async #answers(row: DeletionRow, held: readonly Held[]): Promise<boolean> {
    const { rows, index, analyzer } = this.#dependencies
    const live = await storageOf(rows, row.collection)
    const copy = row.copies.find(({ storage }) => storage === live)
    if (copy === undefined) return false
    const { segment, firstChunk, chunkCount } = copy
    const { chunks = [] } = held.find(({ storage }) => storage === live) ?? {}
    for (const { text } of chunks.slice(0, PROBED_CHUNKS_MAX)) {
      const words = new Set(analyzer.words(text).map(({ start, end }) => text.slice(start, end)))
      const terms = [...words].slice(0, PROBE_TERMS_MAX).map((word) => ({ word, weight: 1 }))
      if (terms.length === 0) continue
      const hits = await index.search(live, { terms, k: HITS_MAX })
      const isIts = hits.some(
        (hit) => hit.segment === segment && hit.chunk >= firstChunk && hit.chunk < firstChunk + chunkCount,
      )
      if (isIts) return true
    }
    return false
  }
}

const isSame = (document: DocumentRow, segment: string): boolean => document.segment === segment

const notFound = (what: string, id: string): Refusal => refuse('not_found', { what, id })
