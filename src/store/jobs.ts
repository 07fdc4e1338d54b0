import { type Clock, sleep, type Timer } from '../base/clock.ts'
import { fault, reasonOf } from '../base/errors.ts'
import type { Json } from '../base/json.ts'
import type { Log } from '../base/log.ts'
import type { Job, Queue } from './queue.ts'

/** Works off a queue: so many jobs at once, each leased for as long as it is worked on. What a crash or
 *  a stop interrupts is taken up again, here or by another process. */

/** What became of an attempt: `again` after a while, or nothing more to do. */
export type JobEnd = 'done' | { readonly againMs: number; readonly reason: string }

export interface JobsOptions {
  readonly queue: Queue
  readonly clock: Clock
  readonly log: Log
  /** Of the queue. */
  readonly name: string
  readonly atOnce: number
  /** One attempt. `signal` aborts where the lease is lost, and when the process stops: then it is
   *  to come to an end soon. What it throws is logged, and tried again later. Of a job that is done
   *  already it is to find nothing to do. */
  readonly work: (job: Job, signal: AbortSignal) => Promise<JobEnd>
}

/** A job goes on this long after its process was killed. Longer than the event loop is ever held up. */
const LEASE_MS = 3_000
/** Between looks at a job that waits, or that someone else may still hold. */
const POLL_MS = 500
/** After an attempt that threw: so long for each one. */
const RETRY_MS = 2_000
const RETRY_MS_MAX = 60_000

export class Jobs {
  readonly #options: JobsOptions
  readonly #stop = new AbortController()
  /** Known here and not done. */
  readonly #open = new Set<string>()
  /** Jobs of which the queue did not say whether it took their end: asked for again, they end at once. */
  readonly #unsettled = new Set<Job>()
  #live = 0
  #looping: Promise<void> | undefined
  readonly #working = new Set<Promise<void>>()
  #wake: () => void = () => {}

  constructor(options: JobsOptions) {
    this.#options = options
  }

  /** Durable when it resolves. The same `id` again, while it is open, changes nothing. */
  async add(id: string, payload: Json): Promise<void> {
    const { queue, name } = this.#options
    await queue.enqueue(name, id, payload)
    this.#open.add(id)
    this.#wake()
    this.#looping ??= this.#loop().finally(() => (this.#looping = undefined))
  }

  /** Resolves once nothing is worked on. */
  async stop(): Promise<void> {
    this.#stop.abort(fault('stopping', {}))
    await this.#looping
    await Promise.all(this.#working)
  }

  async #loop(): Promise<void> {
    const { queue, name, atOnce, log } = this.#options
    while (!this.#stop.signal.aborted && this.#open.size > 0) {
      try {
        for (const one of this.#unsettled) {
          await queue.enqueue(name, one.id, one.payload)
          this.#unsettled.delete(one)
        }
        const job = this.#live < atOnce ? await queue.lease(name, LEASE_MS) : undefined
        if (job === undefined) await this.#pause()
        else this.#begin(job)
      } catch (thrown) {
        log.write('error', 'a queue does not answer', { queue: name, reason: reasonOf(thrown) })
        await this.#pause()
      }
    }
  }

  #begin(job: Job): void {
    this.#live++
    const working = this.#do(job).finally(() => {
      this.#live--
      this.#working.delete(working)
      this.#wake()
    })
    this.#working.add(working)
  }

  /** Until something has changed, `POLL_MS` at most. */
  async #pause(): Promise<void> {
    const change = new AbortController()
    this.#wake = () => change.abort()
    await sleep(this.#options.clock, POLL_MS, AbortSignal.any([change.signal, this.#stop.signal]))
  }

  async #do(job: Job): Promise<void> {
    const { queue, name, log, work } = this.#options
    const lost = new AbortController()
    const lease = this.#hold(job, lost)
    try {
      const end = await work(job, AbortSignal.any([lost.signal, this.#stop.signal])).catch(
        (thrown: unknown): JobEnd => {
          if (!this.#stop.signal.aborted)
            log.write('error', 'a job failed and is tried again', {
              queue: name,
              job: job.id,
              reason: reasonOf(thrown),
            })
          return { againMs: Math.min(RETRY_MS_MAX, RETRY_MS * job.attempt), reason: reasonOf(thrown) }
        },
      )
      if (end === 'done') {
        await queue.complete(job)
        this.#open.delete(job.id)
      } else await queue.retry(job, this.#stop.signal.aborted ? 0 : end.againMs, end.reason)
    } catch (thrown) {
      this.#unsettled.add(job)
      log.write('error', 'a queue does not answer', { queue: name, reason: reasonOf(thrown) })
    } finally {
      lease.cancel()
    }
  }

  #hold(job: Job, lost: AbortController): Timer {
    const { clock, queue } = this.#options
    let timer: Timer
    let isOver = false
    const extend = async (): Promise<void> => {
      const held = await queue.extend(job, LEASE_MS).catch(() => true)
      if (isOver) return
      if (held) timer = clock.after(LEASE_MS / 3, () => void extend())
      else lost.abort(fault('stopping', {}))
    }
    timer = clock.after(LEASE_MS / 3, () => void extend())
    return {
      cancel() {
        isOver = true
        timer.cancel()
      },
    }
  }
}
