import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fault, reasonOf } from '../../base/errors.ts'
import type { Random } from '../../base/random.ts'

const PEPPER_FILE = 'pepper'
const CONTENT_KEY_FILE = 'content.key'

/** The pepper of a data folder, made when it is missing: a file that its owner alone can read,
 *  apart from the database, so that a copy of one does not hold the other. Only for the holder of
 *  the folder. Throws a `Fault`: `data_unusable`, `disk_full`. */
export const keepPepper = (folder: string, byteCount: number, random: Random): Uint8Array =>
  keepSecret(folder, PEPPER_FILE, byteCount, random)

/** Likewise the key that the keys of inputs and outputs are wrapped by. */
export const keepContentKey = (folder: string, byteCount: number, random: Random): Uint8Array =>
  keepSecret(folder, CONTENT_KEY_FILE, byteCount, random)

function keepSecret(folder: string, name: string, byteCount: number, random: Random): Uint8Array {
  const path = join(folder, name)
  try {
    const bytes = readIfThere(path) ?? make(folder, path, random.bytes(byteCount))
    if (bytes.length === byteCount) return bytes
    throw new Error(`its file ${name} has ${bytes.length} bytes instead of ${byteCount}`)
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOSPC')
      throw fault('disk_full', { path: folder }, thrown)
    throw fault('data_unusable', { path: folder, reason: reasonOf(thrown) }, thrown)
  }
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path)
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined
    throw thrown
  }
}

/** Whole or not at all, and before any key depends on it: a name is given only to what is on the
 *  disk. */
function make(folder: string, path: string, bytes: Uint8Array): Uint8Array {
  const draft = `${path}.new`
  rmSync(draft, { force: true }) // What a crash left may be anybody's to read.
  withFile(draft, 'wx', (file) => {
    writeSync(file, bytes)
    fsyncSync(file)
  })
  renameSync(draft, path)
  withFile(folder, 'r', fsyncSync)
  return bytes
}

function withFile(path: string, flags: 'r' | 'wx', use: (file: number) => void): void {
  const file = openSync(path, flags, 0o600)
  try {
    use(file)
  } finally {
    closeSync(file)
  }
}
