import type { Clock } from '../base/clock.ts'
import { fault, refuse, Refusal } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import type { BlobName, Blobs } from '../store/blobs.ts'
import { type Change, put, remove, type Rows, scanAll, type Stored } from '../store/rows.ts'
import { EXPIRIES, expiryKey, FILE_BYTES_MAX, fileKey, type FileRow, FILES, HOLDINGS, type Purpose } from './file.ts'

/** Files that callers send and that are made for them. Their bytes go to blobs as they come, a part at
 *  a time, so that no file is ever in memory as a whole; a file is there once its last part is. */

/** What is in memory of a file that is written or read. */
const PART_BYTES = 8 * 2 ** 20
/** Of one owner. */
const FILES_MAX = 100_000
/** Attempts at adding up what an owner has, while others do so too. */
const TRIES_MAX = 50
/** Expired files that are removed in one go. */
const SWEPT_MAX = 100

export interface FilesDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly rows: Rows
  readonly blobs: Blobs
  /** Of all files of one owner; read at every upload. */
  readonly ownerBytesMax: () => number
}

export interface NewFile {
  readonly owner: string
  readonly name: string
  readonly mediaType: string
  /** Of a file that is written anew in place of one that was not finished. */
  readonly id?: string
}

/** What is known of a file once its bytes have arrived: in a form it may stand behind them. */
export interface Finish {
  readonly purpose: Purpose
  /** After its making, in seconds. */
  readonly expiresAfterS?: number
}

export class Files {
  readonly #dependencies: FilesDependencies

  private constructor(dependencies: FilesDependencies) {
    this.#dependencies = dependencies
  }

  /** Clears away what was not finished. Before anybody else writes files. */
  static async open(dependencies: FilesDependencies): Promise<Files> {
    const files = new Files(dependencies)
    for await (const stored of scanAll(dependencies.rows, FILES))
      if (stored.row.state !== 'whole') await files.#clear(stored.row)
    return files
  }

  /** Resolves once the file is durable. `finish` is asked after the last byte, and may refuse. Rejects
   *  with what `pieces` throws, and with a `Fault` of the store; then nothing of the file is left, or
   *  will be after the next start. */
  async write(
    { owner, name, mediaType, id = newId('file', this.#dependencies.clock, this.#dependencies.random) }: NewFile,
    pieces: AsyncIterable<Uint8Array>,
    finish: () => Promise<Finish | Refusal>,
  ): Promise<FileRow | Refusal> {
    const { clock, rows } = this.#dependencies
    const createdAtMs = clock.wallMs()
    const begun: FileRow = {
      id,
      owner,
      name,
      mediaType,
      purpose: 'user_data',
      bytes: 0,
      createdAtMs,
      state: 'writing',
    }
    await rows.commit([put(FILES, fileKey(owner, id), begun)])
    try {
      const bytes = await this.#writeParts(id, pieces)
      const finished = await this.#accepted(owner, bytes, await finish())
      if (finished instanceof Refusal) {
        await this.#clear(begun)
        return finished
      }
      const { purpose, expiresAfterS } = finished
      const row: FileRow = {
        ...begun,
        purpose,
        bytes,
        state: 'whole',
        ...(expiresAfterS === undefined ? {} : { expiresAtMs: createdAtMs + expiresAfterS * 1000 }),
      }
      await this.#count(owner, 1, bytes, [
        put(FILES, fileKey(owner, id), row),
        ...(row.expiresAtMs === undefined ? [] : [put(EXPIRIES, expiryKey(row.expiresAtMs, owner, id), null)]),
      ])
      return row
    } catch (thrown) {
      await this.#undo(begun).catch(() => {}) // The next start does.
      throw thrown
    }
  }

  /** Undefined too where it is another's, has expired or is not whole. */
  async find(owner: string, id: string): Promise<FileRow | undefined> {
    const stored = await this.#dependencies.rows.get(FILES, fileKey(owner, id))
    return stored !== undefined && this.isThere(stored.row) ? stored.row : undefined
  }

  isThere({ state, expiresAtMs = Infinity }: FileRow): boolean {
    return state === 'whole' && expiresAtMs > this.#dependencies.clock.wallMs()
  }

  /** Piece by piece, from `offset` on. Rejects with a `Fault` (`document_absent`) where the file is
   *  removed meanwhile. */
  async *read({ id, bytes }: FileRow, offset = 0): AsyncGenerator<Uint8Array> {
    for (let part = Math.floor(offset / PART_BYTES); part * PART_BYTES < bytes; part++) {
      const found = await this.#dependencies.blobs.get(partName(id, part))
      if (found === undefined) throw fault('document_absent', { reason: `the file ${id} was removed` })
      yield found.subarray(Math.max(0, offset - part * PART_BYTES))
    }
  }

  /** False where it is not there, for this owner. */
  async remove(owner: string, id: string): Promise<boolean> {
    const { rows } = this.#dependencies
    const stored = await rows.get(FILES, fileKey(owner, id))
    if (stored === undefined || !this.isThere(stored.row)) return false
    return this.#drop(stored)
  }

  /** Removes what has expired. */
  async sweep(): Promise<void> {
    const { rows, clock } = this.#dependencies
    for (;;) {
      const over = await rows.scan(EXPIRIES, { limit: SWEPT_MAX })
      for (const { key } of over) {
        const [expires = '', owner = '', id = ''] = key
        if (Number(expires) > clock.wallMs()) return
        const stored = await rows.get(FILES, fileKey(owner, id))
        if (stored === undefined || !(await this.#drop(stored))) await rows.commit([remove(EXPIRIES, key)])
      }
      if (over.length < SWEPT_MAX) return
    }
  }

  async #writeParts(id: string, pieces: AsyncIterable<Uint8Array>): Promise<number> {
    const { blobs } = this.#dependencies
    let held: Uint8Array[] = []
    let heldBytes = 0
    let part = 0
    let bytes = 0
    const write = async (size: number): Promise<void> => {
      const all = Buffer.concat(held)
      await blobs.put(partName(id, part++), all.subarray(0, size))
      const rest = all.subarray(size)
      held = rest.length === 0 ? [] : [rest]
      heldBytes = rest.length
    }
    for await (const piece of pieces) {
      held.push(piece)
      heldBytes += piece.length
      bytes += piece.length
      while (heldBytes >= PART_BYTES) await write(PART_BYTES)
    }
    if (heldBytes > 0) await write(heldBytes)
    return bytes
  }

  /** What is made for callers is kept whatever they have. */
  async #accepted(owner: string, bytes: number, finish: Finish | Refusal): Promise<Finish | Refusal> {
    if (finish instanceof Refusal) return finish
    const { purpose } = finish
    if (bytes === 0) return refuse('field_invalid', EMPTY)
    if (bytes > FILE_BYTES_MAX[purpose])
      return refuse('file_too_large', { limitBytes: FILE_BYTES_MAX[purpose], purpose })
    if (purpose === 'batch_output') return finish
    const { rows, ownerBytesMax } = this.#dependencies
    const held = (await rows.get(HOLDINGS, [owner]))?.row ?? { files: 0, bytes: 0 }
    if (held.bytes + bytes <= ownerBytesMax() && held.files < FILES_MAX) return finish
    return refuse('files_full', { ...held, limitFiles: FILES_MAX, limitBytes: ownerBytesMax() })
  }

  async #drop({ row, version }: Stored<FileRow>): Promise<boolean> {
    if (row.state !== 'whole') return false
    const { owner, id, bytes, expiresAtMs } = row
    const going: FileRow = { ...row, state: 'going' }
    const isOurs = await this.#count(owner, -1, -bytes, [
      put(FILES, fileKey(owner, id), going, version),
      ...(expiresAtMs === undefined ? [] : [remove(EXPIRIES, expiryKey(expiresAtMs, owner, id))]),
    ])
    if (isOurs) await this.#clear(going)
    return isOurs
  }

  /** Commits, with what the owner has afterwards. False where a version among `changes` does not hold. */
  async #count(owner: string, files: number, bytes: number, changes: readonly Change[]): Promise<boolean> {
    const { rows } = this.#dependencies
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const held = await rows.get(HOLDINGS, [owner])
      const sum = { files: (held?.row.files ?? 0) + files, bytes: (held?.row.bytes ?? 0) + bytes }
      if (await rows.commit([...changes, put(HOLDINGS, [owner], sum, held?.version ?? 0)])) return true
      if ((await rows.get(HOLDINGS, [owner]))?.version === held?.version) return false
    }
    throw fault('store_unavailable', { reason: 'the files of one owner change without a pause' })
  }

  /** After a failure: what the store took all the same is counted. */
  async #undo(begun: FileRow): Promise<void> {
    const stored = await this.#dependencies.rows.get(FILES, fileKey(begun.owner, begun.id))
    if (stored?.row.state === 'whole') await this.#drop(stored)
    else await this.#clear(begun)
  }

  async #clear({ owner, id }: FileRow): Promise<void> {
    const { rows, blobs } = this.#dependencies
    for (const { name } of await blobs.list(`files/${id}/`)) await blobs.remove(name)
    await rows.commit([remove(FILES, fileKey(owner, id))])
  }
}

const EMPTY = { field: 'file', problem: 'is empty', remedy: 'Send a file with something in it.' }

const PART_DIGITS = 6

const partName = (id: string, part: number): BlobName => `files/${id}/${String(part).padStart(PART_DIGITS, '0')}`
