/** A lock between processes on one folder, held through a file that its holder keeps touching. It
 *  needs nothing but a file system, and outlives nobody: a holder that died is noticed. */
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'

const TOUCH_EVERY_MS = 1000
/** A holder that has not touched its file for this long is gone (another host's or container's
 *  process cannot be asked). */
const SILENCE_MS_MAX = 15_000
const POLL_MS = 100

export async function withLock(path, onWait, task) {
  let said = false
  while (!take(path)) {
    if (isAbandoned(path)) {
      breakLock(path)
      continue
    }
    if (!said) onWait()
    said = true
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  const release = () => rmSync(path, { force: true })
  const toucher = setInterval(() => touch(path), TOUCH_EVERY_MS)
  process.once('exit', release)
  try {
    return await task()
  } finally {
    clearInterval(toucher)
    process.removeListener('exit', release)
    release()
  }
}

function take(path) {
  try {
    const file = openSync(path, 'wx')
    writeSync(file, `${process.pid} ${hostname()}`)
    closeSync(file)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

function isAbandoned(path) {
  try {
    if (Date.now() - statSync(path).mtimeMs > SILENCE_MS_MAX) return true
    const [pid, host] = readFileSync(path, 'utf8').split(' ')
    return host === hostname() && !isAlive(Number(pid))
  } catch {
    return false // It went away meanwhile.
  }
}

/** Moves the file away before it is removed, so that two waiters cannot both believe they broke it:
 *  one of the renames fails. A fresh lock moved by mistake is put back unless retaken. */
function breakLock(path) {
  const aside = `${path}.${process.pid}`
  try {
    renameSync(path, aside)
    if (!isAbandoned(aside)) renameSync(aside, path)
    rmSync(aside, { force: true })
  } catch {
    // Another waiter was first.
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function touch(path) {
  try {
    const now = new Date()
    utimesSync(path, now, now)
  } catch {
    // Removed by hand: the set-up goes on.
  }
}
