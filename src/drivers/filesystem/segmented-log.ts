import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { FULL, isCode } from '../../base/durable.ts'
import { fault } from '../../base/errors.ts'

/** A write-ahead log in segments: a record is its length and CRC-32 (four bytes each, little endian)
 *  and its bytes. What a crash tore off at the end was never acknowledged and is cut away. */

export interface Position {
  readonly segment: number
  /** Of the byte after the record. */
  readonly offset: number
}

export interface LogRecord {
  readonly position: Position
  readonly bytes: Buffer
}

const HEADER_BYTES = 8
/** A segment that has this many bytes is the last one no longer. */
const SEGMENT_BYTES = 32 * 1024 * 1024
const NAME = /^(\d{12})\.log$/
const nameOf = (segment: number): string => `${String(segment).padStart(12, '0')}.log`

export class SegmentedLog {
  readonly #folder: string
  #segment: number
  #file: number
  #offset: number

  private constructor(folder: string, segment: number, offset: number) {
    this.#folder = folder
    this.#segment = segment
    this.#offset = offset
    this.#file = openSync(join(folder, nameOf(segment)), offset === 0 ? 'w' : 'r+', 0o600)
    ftruncateSync(this.#file, offset)
  }

  /** Opens the log, or begins one after `least`, where everything before is known to be done with. */
  static open(folder: string, least: Position): SegmentedLog {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const last = segmentsIn(folder).at(-1)
    const segment = Math.max(last ?? 0, least.segment)
    const end = last === segment ? endOf(join(folder, nameOf(segment))) : 0
    // Of a log that lost what its reader has seen, nothing may come again under the same position.
    const behind = segment === least.segment && end < least.offset
    return new SegmentedLog(folder, behind || segment === 0 ? segment + 1 : segment, behind || segment === 0 ? 0 : end)
  }

  get position(): Position {
    return { segment: this.#segment, offset: this.#offset }
  }

  /** Returns the position after each record, once all of them are on the disk. Throws a `Fault`
   *  (`disk_full`, `store_unavailable`); none of them is then in the log. */
  append(records: readonly Uint8Array[]): Position[] {
    if (this.#offset >= SEGMENT_BYTES) this.#roll()
    const positions: Position[] = []
    let end = this.#offset
    const pieces: Uint8Array[] = []
    for (const bytes of records) {
      const header = Buffer.allocUnsafe(HEADER_BYTES)
      header.writeUInt32LE(bytes.length, 0)
      header.writeUInt32LE(crc32(bytes), 4)
      pieces.push(header, bytes)
      end += HEADER_BYTES + bytes.length
      positions.push({ segment: this.#segment, offset: end })
    }
    const all = Buffer.concat(pieces)
    try {
      for (let written = 0; written < all.length;)
        written += writeSync(this.#file, all, written, all.length - written, this.#offset + written)
      fdatasyncSync(this.#file)
    } catch (thrown) {
      this.#cut()
      if (isCode(thrown, ...FULL)) throw fault('disk_full', { path: this.#folder }, thrown)
      throw fault('store_unavailable', { reason: 'the log of the telemetry cannot be written' }, thrown)
    }
    this.#offset = end
    return positions
  }

  /** The records after `from`, in order, read anew from the disk. */
  *after(from: Position): Generator<LogRecord> {
    for (const segment of segmentsIn(this.#folder)) {
      if (segment < from.segment) continue
      yield* recordsIn(join(this.#folder, nameOf(segment)), segment, segment === from.segment ? from.offset : 0)
    }
  }

  /** Removes the segments that lie wholly before. */
  drop(before: Position): void {
    for (const segment of segmentsIn(this.#folder))
      if (segment < before.segment && segment !== this.#segment) unlinkSync(join(this.#folder, nameOf(segment)))
  }

  close(): void {
    closeSync(this.#file)
  }

  #roll(): void {
    const file = openSync(join(this.#folder, nameOf(this.#segment + 1)), 'w', 0o600)
    closeSync(this.#file)
    this.#file = file
    this.#segment++
    this.#offset = 0
    syncFolderOf(this.#folder)
  }

  /** What was half written must not stand before what comes next. */
  #cut(): void {
    try {
      ftruncateSync(this.#file, this.#offset)
    } catch {
      // The next records are written over it, and its CRC tells it apart.
    }
  }
}

function syncFolderOf(folder: string): void {
  if (process.platform === 'win32') return
  const handle = openSync(folder, 'r')
  fsyncSync(handle)
  closeSync(handle)
}

const segmentsIn = (folder: string): number[] =>
  readdirSync(folder)
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)

function endOf(path: string): number {
  let end = 0
  for (const { position } of recordsIn(path, 0, 0)) end = position.offset
  return end
}

function* recordsIn(path: string, segment: number, from: number): Generator<LogRecord> {
  const bytes = readFileSync(path)
  for (let at = from; at + HEADER_BYTES <= bytes.length;) {
    const length = bytes.readUInt32LE(at)
    const end = at + HEADER_BYTES + length
    if (end > bytes.length) return
    const record = bytes.subarray(at + HEADER_BYTES, end)
    if (crc32(record) !== bytes.readUInt32LE(at + 4)) return
    yield { position: { segment, offset: end }, bytes: record }
    at = end
  }
}
