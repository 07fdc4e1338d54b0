import { getAll, type Rows } from '../../store/rows.ts'
import type { Alerts } from '../../meter/alerts/alerts.ts'
import {
  type ChunkRow,
  CHUNKS,
  chunkKey,
  collectionKey,
  COLLECTIONS,
  type CollectionRow,
  documentKey,
  DOCUMENTS,
} from '../document.ts'
import type { Embeddings } from '../embedding/embeddings.ts'
import { LSA } from '../embedding/port.ts'
import { storageOf } from '../generation/row.ts'
import { searchedText } from '../ingest/worker.ts'

/** Whether what came since the directions of a collection were fitted still lies along them. Texts about
 *  something else are hardly found by directions that know neither its words nor what goes together in
 *  them. A model's vectors are fitted on nothing of the collection, and do not drift so. */

/** Segments that are looked into: the newest, and as many evenly spread. */
const SEGMENTS_LOOKED_AT = 16
/** Of each, so many chunks in a row. */
const CHUNKS_OF_SEGMENT = 32
/** On either side; of fewer nothing is said. */
const TEXTS_MIN = 30
/** New texts that lie along the directions by less than this share of what the old ones do have drifted. */
const DRIFTED_BELOW = 0.75

export type Refit = 'off' | 'propose' | 'auto'

export interface Drift {
  /** Mean share of a text that the directions explain, 0 to 1: of texts from before they were fitted. */
  readonly before: number
  /** Of texts that came since. */
  readonly since: number
  readonly texts: { readonly before: number; readonly since: number }
  readonly drifted: boolean
}

export interface DriftDependencies {
  readonly rows: Rows
  readonly embeddings: Pick<Embeddings, 'space' | 'explained'>
  readonly alerts: Pick<Alerts, 'raise' | 'close'>
  readonly refitOf: (collection: string) => Refit
  /** As `Generations.replace`. */
  readonly replace: (collection: string, because: string) => Promise<void>
}

export class DriftWatch {
  readonly #dependencies: DriftDependencies
  readonly #last = new Map<string, Drift>()

  constructor(dependencies: DriftDependencies) {
    this.#dependencies = dependencies
  }

  /** As it was when last looked at. */
  last(collection: string): Drift | undefined {
    return this.#last.get(collection)
  }

  /** Measures a collection, and does what its configuration says where it has drifted. */
  async look(collection: string): Promise<void> {
    const { rows, refitOf, replace, alerts } = this.#dependencies
    if (refitOf(collection) === 'off') {
      this.#last.delete(collection)
      return
    }
    const storage = await storageOf(rows, collection)
    const row = (await rows.get(COLLECTIONS, collectionKey(storage)))?.row
    const drift = row === undefined ? undefined : await this.measure(row)
    const key = JSON.stringify(['drift', collection])
    if (drift === undefined) this.#last.delete(collection)
    else this.#last.set(collection, drift)
    if (drift === undefined || !drift.drifted) {
      await alerts.close(key, 'what came since lies along the directions')
      return
    }
    const { before, since, texts } = drift
    const isAuto = refitOf(collection) === 'auto'
    await alerts.raise({
      kind: 'drift',
      subject: { collection },
      key,
      step: since.toFixed(1),
      evidence: { before, since, texts: texts.before + texts.since, refit: isAuto ? 'made' : 'proposed' },
    })
    if (isAuto) await replace(collection, 'what came since its directions were fitted lies elsewhere')
  }

  /** Undefined where it has no fitted directions, or too little from before or since. */
  async measure({ name, space: id, segments }: CollectionRow): Promise<Drift | undefined> {
    if (id === undefined) return undefined
    const { rows, embeddings } = this.#dependencies
    const space = await embeddings.space(name, id)
    if (space.space.model !== LSA) return undefined
    const found: ChunkRow[] = []
    for (const { segment, chunks } of chosen(segments)) found.push(...(await this.#some(segment, chunks)))
    const documents = await getAll(
      rows,
      DOCUMENTS,
      found.map(({ document }) => documentKey(name, document)),
    )
    const [before, since]: [string[], string[]] = [[], []]
    for (const [at, chunk] of found.entries()) {
      const owner = documents[at]?.row
      if (owner === undefined) continue
      const side = owner.ingestedAtMs > space.createdAtMs ? since : before
      side.push(searchedText(owner.title, chunk))
    }
    if (before.length < TEXTS_MIN || since.length < TEXTS_MIN) return undefined
    const explained = async (texts: readonly string[]): Promise<number> =>
      (await embeddings.explained(name, id, texts)).reduce((sum, one) => sum + one, 0) / texts.length
    const [old, fresh] = [await explained(before), await explained(since)]
    return {
      before: old,
      since: fresh,
      texts: { before: before.length, since: since.length },
      drifted: fresh < DRIFTED_BELOW * old,
    }
  }

  async #some(segment: string, chunks: number): Promise<ChunkRow[]> {
    // Spread over it: what was merged stands one after the other.
    const step = Math.max(1, Math.floor(chunks / CHUNKS_OF_SEGMENT))
    const keys = Array.from({ length: Math.min(chunks, CHUNKS_OF_SEGMENT) }, (_, at) => chunkKey(segment, at * step))
    return (await getAll(this.#dependencies.rows, CHUNKS, keys)).flatMap((one) => (one === undefined ? [] : one.row))
  }
}

function chosen(segments: CollectionRow['segments']): CollectionRow['segments'] {
  const half = SEGMENTS_LOOKED_AT / 2
  if (segments.length <= SEGMENTS_LOOKED_AT) return segments
  const older = segments.slice(0, -half)
  const step = older.length / half
  return [...Array.from({ length: half }, (_, at) => older[Math.floor(at * step)]), ...segments.slice(-half)].filter(
    (one) => one !== undefined,
  )
}
