import { statSync, watch, type FSWatcher } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { Clock, Timer } from '../../base/clock.ts'
import { reasonOf } from '../../base/errors.ts'

export interface WatchOptions {
  readonly clock: Clock
  /** The file's content may have changed, appeared or gone. Never called twice at once for one
   *  burst of events. */
  readonly onChange: () => void
  /** Watching has become unreliable, or could not begin. */
  readonly onError: (reason: string) => void
  /** Editors write in several steps; a change is reported once this long nothing moved. */
  readonly quietMs?: number
}

export interface FileWatch {
  close(): void
}

const QUIET_MS = 150
/** After trouble, and in case an event was lost (network file systems have none). */
const LOOK_AGAIN_MS = 5_000

/** Watches one file by name. The folder is watched, not the file, so that editors which write a
 *  new file and rename it over, and mounts that swap a symbolic link, are seen; whether the file
 *  itself changed is then told by its identity, size and time. */
export function watchFile(path: string, options: WatchOptions): FileWatch {
  const watching = new Watching(path, options)
  watching.start()
  return watching
}

class Watching implements FileWatch {
  readonly #path: string
  readonly #options: WatchOptions
  #watcher: FSWatcher | undefined
  #quiet: Timer | undefined
  #again: Timer | undefined
  #seen = ''
  #reported = ''
  #closed = false

  constructor(path: string, options: WatchOptions) {
    this.#path = path
    this.#options = options
  }

  start(): void {
    this.#seen = this.#identity()
    this.#attach()
    this.#lookAgainLater()
  }

  close(): void {
    this.#closed = true
    this.#quiet?.cancel()
    this.#again?.cancel()
    this.#watcher?.close()
  }

  #attach(): void {
    try {
      const watcher = watch(dirname(this.#path), { persistent: false }, (_, name) => {
        // `..data` and the like: a link elsewhere in the folder may carry the file.
        if (name === null || name === basename(this.#path) || name.startsWith('..')) this.#stir()
      })
      watcher.on('error', (error) => this.#detach(error))
      this.#watcher = watcher
      this.#reported = ''
    } catch (error) {
      this.#detach(error)
    }
  }

  #detach(error: unknown): void {
    this.#watcher?.close()
    this.#watcher = undefined
    const reason = reasonOf(error)
    if (this.#closed || reason === this.#reported) return
    this.#reported = reason
    this.#options.onError(reason)
  }

  #stir(): void {
    if (this.#closed) return
    this.#quiet?.cancel()
    this.#quiet = this.#options.clock.after(this.#options.quietMs ?? QUIET_MS, () => this.#look())
  }

  #lookAgainLater(): void {
    if (this.#closed) return
    this.#again = this.#options.clock.after(LOOK_AGAIN_MS, () => {
      if (this.#watcher === undefined) this.#attach()
      this.#stir()
      this.#lookAgainLater()
    })
  }

  #look(): void {
    const now = this.#identity()
    if (now === this.#seen) return
    this.#seen = now
    this.#options.onChange()
  }

  #identity(): string {
    try {
      const found = statSync(this.#path, { bigint: true, throwIfNoEntry: false })
      return found === undefined ? 'absent' : `${found.ino} ${found.size} ${found.mtimeNs}`
    } catch (error) {
      return reasonOf(error)
    }
  }
}
