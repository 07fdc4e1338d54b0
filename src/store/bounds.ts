import { fault, reasonOf } from '../base/errors.ts'
import { isBlobName } from './blobs.ts'
import type { Entry } from './events.ts'
import { SCAN_MAX } from './rows.ts'

/** What every driver of a store refuses, in one place so that all refuse the same. Each check
 *  throws a `Fault` (`internal`): the rooms above bound what comes from outside, so a value that
 *  gets here is our mistake. */

/** A row, a payload or an entry's body as JSON, in UTF-16 units. */
export const VALUE_UNITS_MAX = 16 * 1024 * 1024
/** Changes of one commit, and their values together. */
export const COMMIT_CHANGES_MAX = 100_000
export const COMMIT_UNITS_MAX = 128 * 1024 * 1024
/** Entries of one append. */
export const APPEND_ENTRIES_MAX = 10_000
/** Ids, kinds, and the names of queues, leases and holders, in UTF-16 units. */
export const NAME_UNITS_MAX = 512
/** The longest lease or delay, in milliseconds: one year. */
export const DURATION_MS_MAX = 366 * 24 * 3_600_000
/** Why an attempt failed; more is cut. */
export const REASON_UNITS_MAX = 2_000
/** Jobs of a queue that are done and still listed: the newest. */
export const DONE_KEPT_MAX = 1_000
/** What one read of a file returns at most. */
export const BLOB_BYTES_MAX = 2 ** 31 - 1

/** 1 to `SCAN_MAX`. */
export function checkLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > SCAN_MAX)
    refuse(`a limit of ${limit} is not between 1 and ${SCAN_MAX}`)
}

/** Text that any store can keep and compare: not empty, not long, without U+0000 and half
 *  surrogate pairs. */
export function checkName(what: string, name: string): void {
  if (typeof name !== 'string' || name === '') refuse(`${what} is empty`)
  if (name.length > NAME_UNITS_MAX) refuse(`${what} has ${name.length} units, more than ${NAME_UNITS_MAX}`)
  if (name.includes('\0') || !name.isWellFormed()) refuse(`${what} has U+0000 or half a surrogate pair`)
}

export function checkDuration(what: string, durationMs: number, leastMs: number): void {
  if (!(durationMs >= leastMs && durationMs <= DURATION_MS_MAX))
    refuse(`${what} of ${durationMs} ms is not between ${leastMs} and ${DURATION_MS_MAX}`)
}

export function checkCount(what: string, count: number, most: number): void {
  if (count > most) refuse(`${count} ${what} at once are more than ${most}`)
}

/** Of a compare-and-set: 0 for absent, else one that was read. */
export function checkVersion(version: number): void {
  if (!Number.isSafeInteger(version) || version < 0) refuse(`${version} is no version`)
}

function checkTime(atMs: number): void {
  if (!Number.isFinite(atMs)) refuse(`${atMs} is no time`)
}

/** A place in the journal: 0 is before everything. */
export function checkPosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0) refuse(`${position} is no position`)
}

/** The value as JSON text, which is well-formed Unicode whatever its strings hold. */
export function jsonText(what: string, value: unknown): string {
  const text = stringify(what, value)
  if (text === undefined) refuse(`${what} is ${typeof value}, which JSON cannot say`)
  if (text.length > VALUE_UNITS_MAX) refuse(`${what} has ${text.length} units of JSON, more than ${VALUE_UNITS_MAX}`)
  return text
}

/** The body of an entry as JSON, once the whole entry is fit to be kept. */
export function entryJson({ id, kind, atMs, body }: Entry): string {
  checkName('the id of an entry', id)
  checkName('the kind of an entry', kind)
  checkTime(atMs)
  return jsonText('the body of an entry', body)
}

function stringify(what: string, value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch (thrown) {
    return refuse(`${what} is no JSON: ${reasonOf(thrown)}`)
  }
}

/** The position a page ended at. The only check here of what a caller sent, since a cursor means
 *  something to the driver alone: throws a `Fault` (`field_invalid`). */
export function cursorPosition(cursor: string): number {
  if (/^[1-9]\d{0,14}$/.test(cursor)) return Number(cursor)
  throw fault('field_invalid', {
    field: 'before',
    problem: 'is no cursor of this list',
    remedy: 'Pass `next` of the page before, unchanged.',
  })
}

/** What is kept of the reason an attempt failed for. */
export const keptReason = (reason: string): string =>
  reason.slice(0, REASON_UNITS_MAX).toWellFormed().replaceAll('\0', '\ufffd')

export function checkBlobName(name: string): void {
  if (!isBlobName(name)) refuse(`"${name.slice(0, 80)}" is no name of a blob`)
}

/** The beginning of a name: whole segments, perhaps a slash, perhaps a piece of the next. */
export function checkBlobPrefix(prefix: string): void {
  if (prefix !== '' && !isBlobName(prefix.replace(/\/$/, '')))
    refuse(`"${prefix.slice(0, 80)}" begins no name of a blob`)
}

export function checkBlobSize(bytes: Uint8Array): void {
  if (bytes.length > BLOB_BYTES_MAX) refuse(`a blob of ${bytes.length} bytes is larger than ${BLOB_BYTES_MAX}`)
}

function refuse(reason: string): never {
  throw fault('internal', { reason })
}
