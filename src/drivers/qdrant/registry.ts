import { createHash } from 'node:crypto'
import type { Schemas } from '@qdrant/js-client-rest'
import type { SegmentName } from '../../store/index.ts'
import type { VectorProbe } from '../../store/vectors.ts'
import type { Rest } from './rest.ts'

/** A collection of its own says which segments there are, in which collection each lies, and which
 *  are finished: one point for each, without vectors. Writing a point publishes a segment. */

export interface Entry {
  readonly segment: SegmentName
  readonly collection: string
  readonly dimension: number
  /** Absent until it is finished. */
  readonly probe?: VectorProbe
}

const ENTRIES_PER_PAGE = 1_000
const TIMEOUT_MS = 30_000

export class Registry {
  readonly #rest: Rest
  readonly #prefix: string

  constructor(rest: Rest, prefix: string) {
    this.#rest = rest
    this.#prefix = prefix
  }

  /** Where the vectors of a segment lie. */
  collectionOf(segment: SegmentName): string {
    return `${this.#prefix}-${uuidOf(segment)}`
  }

  async prepare(): Promise<void> {
    if ((await this.#rest.ask('GET', this.#path, TIMEOUT_MS)) !== undefined) return
    const body: Schemas['CreateCollection'] = { vectors: {} }
    await this.#rest.ask('PUT', this.#path, TIMEOUT_MS, body)
  }

  async get(segment: SegmentName): Promise<Entry | undefined> {
    const found = await this.#rest.ask<Schemas['Record']>('GET', `${this.#path}/points/${uuidOf(segment)}`, TIMEOUT_MS)
    return found?.payload as Entry | undefined
  }

  async put(entry: Entry): Promise<void> {
    const body: Schemas['PointInsertOperations'] = {
      points: [{ id: uuidOf(entry.segment), vector: {}, payload: { ...entry } }],
    }
    await this.#rest.ask('PUT', `${this.#path}/points?wait=true`, TIMEOUT_MS, body)
  }

  async remove(segment: SegmentName): Promise<void> {
    const body: Schemas['PointsSelector'] = { points: [uuidOf(segment)] }
    await this.#rest.ask('POST', `${this.#path}/points/delete?wait=true`, TIMEOUT_MS, body)
  }

  async list(): Promise<Entry[]> {
    const entries: Entry[] = []
    let offset: Schemas['ScrollResult']['next_page_offset']
    do {
      const body: Schemas['ScrollRequest'] = { limit: ENTRIES_PER_PAGE, with_payload: true, ...(offset && { offset }) }
      const page = await this.#rest.ask<Schemas['ScrollResult']>(
        'POST',
        `${this.#path}/points/scroll`,
        TIMEOUT_MS,
        body,
      )
      for (const { payload } of page?.points ?? []) entries.push(payload as unknown as Entry)
      offset = page?.next_page_offset
    } while (offset !== undefined && offset !== null)
    return entries
  }

  get #path(): string {
    return `/collections/${this.#prefix}-segments`
  }
}

/** A name of any length as the id of a point: the first half of its SHA-256, in the form of a UUID. */
function uuidOf(segment: SegmentName): string {
  const hash = createHash('sha256').update(segment).digest('hex')
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`
}
