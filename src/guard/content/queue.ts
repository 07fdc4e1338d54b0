import { reasonOf } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import type { CapturedContent } from './capture.ts'

/** What waits to be written, apart from the requests it comes from: a store that is slow, full or broken
 *  costs texts, which are counted, and never an answer. */

/** All that waits and is being written, in UTF-16 units. */
const WAITING_UNITS_MAX = 64 * 1024 * 1024
/** One text: encoded and encrypted it must fit into one row of the store. */
const TEXT_UNITS_MAX = 3 * 1024 * 1024
/** What is written at once. */
const BATCH_MAX = 64
const BATCH_UNITS_MAX = 8 * 1024 * 1024

export interface ContentCounts {
  readonly written: number
  /** There was no room, or one was too long. */
  readonly dropped: number
  /** The store did not take them. */
  readonly failed: number
  readonly waiting: number
}

export interface ContentQueueDependencies {
  readonly write: (contents: readonly CapturedContent[]) => Promise<void>
  readonly log: Log
}

export class ContentQueue {
  readonly #dependencies: ContentQueueDependencies
  #waiting: CapturedContent[] = []
  #units = 0
  #pending = 0
  #written = 0
  #dropped = 0
  #failed = 0
  #running: Promise<void> | undefined

  constructor(dependencies: ContentQueueDependencies) {
    this.#dependencies = dependencies
  }

  get counts(): ContentCounts {
    return { written: this.#written, dropped: this.#dropped, failed: this.#failed, waiting: this.#pending }
  }

  offer(content: CapturedContent): void {
    const units = content.text.length
    if (units > TEXT_UNITS_MAX || this.#units + units > WAITING_UNITS_MAX) return this.#drop(units)
    this.#units += units
    this.#pending++
    this.#waiting.push(content)
    this.#running ??= this.#run()
  }

  /** Resolves once everything that was offered is written or given up. */
  async drain(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    // After the request that offered it is done with what it was doing.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#next()
      const units = batch.reduce((sum, { text }) => sum + text.length, 0)
      try {
        await this.#dependencies.write(batch)
        this.#written += batch.length
      } catch (thrown) {
        this.#failed += batch.length
        const reason = reasonOf(thrown)
        this.#dependencies.log.write('error', 'inputs and outputs could not be kept', { texts: batch.length, reason })
      }
      this.#units -= units
      this.#pending -= batch.length
    }
    this.#running = undefined
  }

  #next(): CapturedContent[] {
    let units = 0
    const end = this.#waiting.findIndex(({ text }, at) => at >= BATCH_MAX || (units += text.length) > BATCH_UNITS_MAX)
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : Math.max(1, end))
  }

  #drop(units: number): void {
    this.#dropped++
    // Once, and then for every further power of two: a flood shall not fill the log as well.
    if ((this.#dropped & (this.#dropped - 1)) === 0)
      this.#dependencies.log.write('warn', 'inputs and outputs are left out: too much waits, or one is too long', {
        dropped: this.#dropped,
        units,
      })
  }
}
