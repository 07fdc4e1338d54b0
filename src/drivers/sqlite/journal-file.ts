import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, write } from 'node:fs'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { type Fault, fault, reasonOf } from '../../base/errors.ts'

/** An append-only log in two files that take turns, written in groups: what arrives while one group
 *  is on its way to the disk makes the next. A file is written from its beginning again once its
 *  reader is through with it, because overwriting costs a disk half of what growing does.
 *
 *  A group is `magic, length, checksum, sequence` and its text. Sequences grow by one, so that what
 *  a file held before its last turn cannot be taken for what follows, and a group that was half
 *  written ends the log: nobody was told of it. */

/** A file that is longer gives way to the other, once that one was read. */
const TURN_BYTES = 8 * 1024 * 1024
/** Where its reader does not get on, it grows to this, and takes no more. */
const FILE_BYTES_MAX = 64 * 1024 * 1024
const GROUP_UNITS_MAX = 8 * 1024 * 1024

const MAGIC = 0x4a_4c_44_48
const HEADER_BYTES = 20
const NAMES = ['.0', '.1'] as const

/** Synchronous: a write is through when the disk has it. Absent on Windows, which then keeps what
 *  was written through the end of a process, but not of the machine. */
const FLAGS = constants.O_RDWR | constants.O_CREAT | (constants.O_DSYNC ?? 0)

export interface JournalFileOptions<Item> {
  /** Of both files, without `.0` and `.1`; its folder must exist. */
  readonly path: string
  /** Units between the texts of one group; no text has it. */
  readonly separator: string
  /** What was appended beside the texts, in their order, before `append` resolves; `sequence` is to be
   *  given back to `JournalFile.free` once it is safe elsewhere. */
  readonly onDurable: (items: readonly Item[], sequence: number) => void
}

interface Waiting<Item> {
  readonly text: string
  readonly item: Item
  readonly resolve: () => void
  readonly reject: (cause: Fault) => void
}

interface Half {
  readonly fd: number
  bytes: number
  /** Of the last group in it; 0: it is empty. */
  last: number
}

export class JournalFile<Item> {
  readonly #options: JournalFileOptions<Item>
  readonly #halves: readonly [Half, Half]
  #active: Half
  #sequence: number
  #waiting: Waiting<Item>[] = []
  /** Reused, since one group at a time is on its way. */
  #scratch: Buffer = Buffer.allocUnsafe(64 * 1024)
  #isWriting = false
  #isClosed = false
  #idle: (() => void) | undefined

  private constructor(options: JournalFileOptions<Item>, halves: readonly [Half, Half]) {
    this.#options = options
    this.#halves = halves
    this.#active = halves[0]
    this.#sequence = 0
  }

  /** Begins an empty log; `readJournal` is to be asked before for what an earlier one left. Throws a
   *  `Fault` (`data_unusable`, `disk_full`). */
  static open<Item>(options: JournalFileOptions<Item>): JournalFile<Item> {
    const open = (suffix: string): Half => {
      const fd = openSync(options.path + suffix, FLAGS, 0o600)
      ftruncateSync(fd)
      return { fd, bytes: 0, last: 0 }
    }
    try {
      return new JournalFile(options, [open(NAMES[0]), open(NAMES[1])])
    } catch (thrown) {
      throw fileFault(thrown, options.path)
    }
  }

  /** Resolves when it is durable; rejects with a `Fault`: `disk_full`, `store_unavailable`. */
  append(text: string, item: Item): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(fault('store_unavailable', { reason: 'the journal is closed' }))
      this.#waiting.push({ text, item, resolve, reject })
      if (this.#waiting.length === 1 && !this.#isWriting) this.#begin()
    })
  }

  /** What was appended up to `sequence` is safe elsewhere. */
  free(sequence: number): void {
    for (const half of this.#halves) if (half.last <= sequence) half.last = 0
  }

  /** Writes what was asked for, then closes; `isFree`: the files are emptied, since nothing in them
   *  is of use any more. */
  async close(isFree: boolean): Promise<void> {
    this.#isClosed = true
    if (this.#isWriting) await new Promise<void>((resolve) => (this.#idle = resolve))
    for (const { fd } of this.#halves) {
      if (isFree) ftruncateSync(fd)
      closeSync(fd)
    }
  }

  /** What else arrives in this turn of the event loop comes along. */
  #begin(): void {
    this.#isWriting = true
    setImmediate(() => this.#write())
  }

  #write(): void {
    const group = this.#take()
    if (group.length === 0) {
      this.#isWriting = false
      return this.#idle?.()
    }
    const half = this.#roomy()
    const bytes = this.#encode(group.map(({ text }) => text).join(this.#options.separator))
    if (half.bytes + bytes > FILE_BYTES_MAX) {
      this.#refuse(group, fault('store_unavailable', { reason: 'the journal is full: the store does not take it in' }))
      return this.#write()
    }
    this.#put(half, 0, bytes, (error) => {
      if (error !== null) this.#refuse(group, fileFault(error, this.#options.path))
      else this.#written(half, bytes, group)
      this.#write()
    })
  }

  #take(): Waiting<Item>[] {
    let units = 0
    const waiting = this.#waiting
    let count = 0
    while (count < waiting.length && units < GROUP_UNITS_MAX) units += waiting[count++]?.text.length ?? 0
    this.#waiting = waiting.slice(count)
    return count === waiting.length ? waiting : waiting.slice(0, count)
  }

  /** A whole group, however many times the system takes only a part of it. */
  #put(half: Half, from: number, to: number, done: (error: Error | null) => void): void {
    write(half.fd, this.#scratch, from, to - from, half.bytes + from, (error, count) => {
      if (error !== null || from + count >= to) return done(error)
      this.#put(half, from + count, to, done)
    })
  }

  #written(half: Half, bytes: number, group: readonly Waiting<Item>[]): void {
    half.bytes += bytes
    half.last = ++this.#sequence
    this.#options.onDurable(
      group.map(({ item }) => item),
      this.#sequence,
    )
    for (const { resolve } of group) resolve()
  }

  #refuse(group: readonly Waiting<Item>[], cause: Fault): void {
    for (const { reject } of group) reject(cause)
  }

  #roomy(): Half {
    const other = this.#halves[this.#active === this.#halves[0] ? 1 : 0]
    if (this.#active.bytes < TURN_BYTES || other.last !== 0) return this.#active
    this.#active = other
    other.bytes = 0
    return other
  }

  /** Into the scratch; returns its length. */
  #encode(text: string): number {
    const bytesMax = HEADER_BYTES + 3 * text.length
    if (this.#scratch.length < bytesMax) this.#scratch = Buffer.allocUnsafe(bytesMax)
    const scratch = this.#scratch
    const length = scratch.write(text, HEADER_BYTES)
    scratch.writeUInt32LE(MAGIC, 0)
    scratch.writeUInt32LE(length, 4)
    scratch.writeDoubleLE(this.#sequence + 1, 12)
    scratch.writeUInt32LE(checksum(scratch, 0, length), 8)
    return HEADER_BYTES + length
  }
}

/** Of length and sequence too. */
const checksum = (bytes: Buffer, at: number, length: number): number =>
  crc32(bytes.subarray(at + 12, at + HEADER_BYTES + length), length)

/** The groups that a log left at `path`, in their order; none where there is no log. Throws a `Fault`
 *  (`data_unusable`). */
export function readJournal(path: string): string[] {
  const groups: { readonly sequence: number; readonly text: string }[] = []
  for (const suffix of NAMES) {
    const bytes = readWhole(path, suffix)
    for (let at = 0, before = 0; ;) {
      const group = groupAt(bytes, at)
      if (group === undefined || (at > 0 && group.sequence !== before + 1)) break
      groups.push(group)
      before = group.sequence
      at += HEADER_BYTES + bytes.readUInt32LE(at + 4)
    }
  }
  return groups.sort((a, b) => a.sequence - b.sequence).map(({ text }) => text)
}

function groupAt(bytes: Buffer, at: number): { readonly sequence: number; readonly text: string } | undefined {
  if (at + HEADER_BYTES > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return undefined
  const length = bytes.readUInt32LE(at + 4)
  if (at + HEADER_BYTES + length > bytes.length) return undefined
  if (checksum(bytes, at, length) !== bytes.readUInt32LE(at + 8)) return undefined
  const sequence = bytes.readDoubleLE(at + 12)
  return { sequence, text: bytes.toString('utf8', at + HEADER_BYTES, at + HEADER_BYTES + length) }
}

function readWhole(path: string, suffix: string): Buffer {
  let fd: number | undefined
  try {
    fd = openSync(path + suffix, 'r')
    const bytes = Buffer.allocUnsafe(fstatSync(fd).size)
    let length = 0
    while (length < bytes.length) {
      const count = readSync(fd, bytes, length, bytes.length - length, length)
      if (count === 0) break
      length += count
    }
    return bytes.subarray(0, length)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw fault('data_unusable', { path: dirname(path), reason: reasonOf(thrown) }, thrown)
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

function fileFault(thrown: unknown, path: string): Fault {
  const { code } = thrown as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') return fault('disk_full', { path: dirname(path) }, thrown)
  return code === 'EACCES' || code === 'EPERM' || code === 'ENOENT'
    ? fault('data_unusable', { path: dirname(path), reason: reasonOf(thrown) }, thrown)
    : fault('store_unavailable', { reason: reasonOf(thrown) }, thrown)
}
