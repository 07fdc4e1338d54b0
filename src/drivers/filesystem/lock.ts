import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fault, reasonOf } from '../../base/errors.ts'

export interface Hold {
  release(): void
}

/** Who holds the folder, for people. The lock itself is on another file, because a process that
 *  opens and closes a file it has locked loses the lock (POSIX fcntl). */
const PID_FILE = 'lock.pid'
const LOCK_FILE = 'lock.db'
const SQLITE_BUSY = 5

/** Takes a data folder for the life of this process, making it, readable by its owner alone, when
 *  it is missing. The lock is SQLite's exclusive one on an empty database: the kernel holds it and
 *  lets go when the process ends, however it ends. Throws a `Fault`: `data_in_use` with the path
 *  and the holder's pid, `data_unusable`, `disk_full`. */
export function holdFolder(path: string): Hold {
  let db: DatabaseSync | undefined
  try {
    makeFolder(path)
    if (!statSync(path).isDirectory()) throw new Error('it is no folder')
    db = new DatabaseSync(join(path, LOCK_FILE), { timeout: 0 })
    db.exec('BEGIN EXCLUSIVE')
    writeFileSync(join(path, PID_FILE), `${process.pid}\n`, { mode: 0o600 })
  } catch (thrown) {
    db?.close()
    throw faultOf(thrown, path)
  }
  return held(db)
}

/** The connection is the lock, and one that nothing refers to is closed when garbage is collected:
 *  the process refers to it until its end, whether the caller keeps what it got or not. */
function held(db: DatabaseSync): Hold {
  const release = (): void => {
    process.off('exit', release)
    if (db.isOpen) db.close()
  }
  process.on('exit', release)
  return { release }
}

/** The process that holds the folder; undefined when nobody does. Not to be asked by the holder
 *  itself, which would lose its lock by it. */
export function folderHolder(path: string): number | undefined {
  if (!existsSync(join(path, LOCK_FILE))) return undefined
  const db = new DatabaseSync(join(path, LOCK_FILE), { timeout: 0 })
  try {
    db.exec('BEGIN EXCLUSIVE')
    return undefined
  } catch (thrown) {
    if (!isBusy(thrown)) throw faultOf(thrown, path)
    const pid = holderOf(path)
    return typeof pid === 'number' ? pid : undefined
  } finally {
    db.close()
  }
}

const isBusy = (thrown: unknown): boolean =>
  thrown instanceof Error && 'errcode' in thrown && thrown.errcode === SQLITE_BUSY

/** Makes a folder and those above it. Node's own recursion never returns where a file system, such
 *  as /proc, answers that the parent is missing although it is there. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(path) === path) throw thrown
    makeFolder(dirname(path))
    mkdirSync(path, { mode: 0o700 })
  }
}

function faultOf(thrown: unknown, path: string): Error {
  if (isBusy(thrown)) {
    return fault('data_in_use', { path, pid: holderOf(path) }, thrown)
  }
  if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOSPC')
    return fault('disk_full', { path }, thrown)
  return fault('data_unusable', { path, reason: reasonOf(thrown) }, thrown)
}

function holderOf(path: string): number | string {
  try {
    const pid = Number.parseInt(readFileSync(join(path, PID_FILE), 'utf8'), 10)
    return Number.isInteger(pid) ? pid : 'unknown'
  } catch {
    return 'unknown' // It is only just being written.
  }
}
