import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, sleep } from '../../base/clock.ts'
import { reasonOf } from '../../base/errors.ts'
import { type FileSum, markDamaged, READ_BYTES, wrongBlock } from './seal.ts'

/** Reads what is open again in the background, block by block, and compares the sums: a disk that forgets is
 *  noticed while there is truth to build from. */

/** All segments of a process together: ten million vectors of 384 dimensions take 22 minutes. */
const SCRUB_BYTES_PER_SECOND = 16 * 2 ** 20
/** From the end of one round to the beginning of the next. */
const ROUND_EVERY_MS = 24 * 3_600_000

export interface ScrubOptions {
  readonly clock: Clock
  /** What was found wrong. The segment is marked by then: it is not opened again. */
  readonly onDamage: (segment: string, reason: string) => void
}

interface Opened {
  readonly segment: string
  readonly folder: string
  readonly files: readonly FileSum[]
}

export class Scrubber {
  readonly #options: ScrubOptions
  readonly #open = new Set<Opened>()
  /** Not looked at in this round. */
  #left: Opened[] = []
  #stop: AbortController | undefined

  constructor(options: ScrubOptions) {
    this.#options = options
  }

  /** Looked at from now on, until the function returned is called. */
  add(segment: string, folder: string, files: readonly FileSum[]): () => void {
    if (files.length === 0) return () => {}
    const opened = { segment, folder, files }
    this.#open.add(opened)
    this.#left.push(opened)
    if (this.#stop === undefined) {
      this.#stop = new AbortController()
      void this.#run(this.#stop.signal)
    }
    return () => {
      this.#open.delete(opened)
      this.#left = this.#left.filter((one) => one !== opened)
      if (this.#open.size > 0) return
      this.#stop?.abort()
      this.#stop = undefined
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const next = this.#left.shift()
      if (next === undefined) {
        await sleep(this.#options.clock, ROUND_EVERY_MS, signal)
        this.#left.push(...this.#open)
        continue
      }
      const reason = await this.#read(next, signal)
      if (reason === undefined || !this.#open.has(next)) continue
      this.#open.delete(next)
      await markDamaged(next.folder, reason).catch(() => {}) // Told all the same.
      this.#options.onDamage(next.segment, reason)
    }
  }

  /** What is wrong. */
  async #read(opened: Opened, signal: AbortSignal): Promise<string | undefined> {
    const buffer = Buffer.alloc(READ_BYTES)
    for (const { path, blocks } of opened.files) {
      try {
        const file = await open(join(opened.folder, path), 'r')
        try {
          for (let from = 0; ; from += READ_BYTES) {
            const { bytesRead } = await file.read(buffer, 0, READ_BYTES, from)
            if (bytesRead === 0) break
            const wrong = wrongBlock(buffer.subarray(0, bytesRead), from, blocks)
            if (wrong !== undefined) return `${path} was changed at byte ${wrong}`
            await sleep(this.#options.clock, (bytesRead * 1000) / SCRUB_BYTES_PER_SECOND, signal)
            if (signal.aborted || !this.#open.has(opened)) return undefined
          }
        } finally {
          await file.close()
        }
      } catch (thrown) {
        return `${path} cannot be read: ${reasonOf(thrown)}`
      }
    }
    return undefined
  }
}
