import { statfsSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { Fault, fault, reasonOf } from '../../base/errors.ts'

/** Result codes of SQLite (sqlite.org/rescode.html), the low byte of the extended ones. */
const READONLY = 8
const IO_ERROR = 10
const CORRUPT = 11
const FULL = 13
const CANNOT_OPEN = 14
const NOT_A_DATABASE = 26

/** Less free space than this explains an I/O error: SQLite's shared memory and journals fail so. */
const FULL_BELOW_BYTES = 256 * 1024

/** What SQLite threw as a fault with a code. */
export function sqliteFault(thrown: unknown, path: string): Fault {
  if (thrown instanceof Fault) return thrown
  const folder = dirname(path)
  const code = resultCode(thrown)
  if (code === undefined) return fault('internal', { reason: reasonOf(thrown) }, thrown)
  if (code === FULL || (code === IO_ERROR && isFull(folder))) return fault('disk_full', { path: folder }, thrown)
  if (code === CORRUPT || code === NOT_A_DATABASE) {
    return fault(
      'data_unusable',
      { path: folder, reason: `${basename(path)} is damaged or no database of ours (${reasonOf(thrown)})` },
      thrown,
    )
  }
  return fault('store_unavailable', { reason: reasonOf(thrown) }, thrown)
}

/** The same while opening, when a file that cannot be opened or written is the folder's trouble. */
export function openingFault(thrown: unknown, path: string): Fault {
  const code = resultCode(thrown)
  const denied = code === CANNOT_OPEN || code === READONLY || isSystemError(thrown)
  const full = isSystemError(thrown) && thrown.code === 'ENOSPC'
  if (denied && !full)
    return fault('data_unusable', { path: dirname(path), reason: `${basename(path)}: ${reasonOf(thrown)}` }, thrown)
  return full ? fault('disk_full', { path: dirname(path) }, thrown) : sqliteFault(thrown, path)
}

function resultCode(thrown: unknown): number | undefined {
  return thrown instanceof Error && 'errcode' in thrown && typeof thrown.errcode === 'number'
    ? thrown.errcode & 0xff
    : undefined
}

function isSystemError(thrown: unknown): thrown is NodeJS.ErrnoException {
  return thrown instanceof Error && 'syscall' in thrown
}

function isFull(folder: string): boolean {
  try {
    const space = statfsSync(folder)
    return space.bavail * space.bsize < FULL_BELOW_BYTES
  } catch {
    return false
  }
}
