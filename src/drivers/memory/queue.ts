import type { Clock } from '../../base/clock.ts'
import type { Json } from '../../base/json.ts'
import { checkDuration, checkLimit, checkName, DONE_KEPT_MAX, jsonText, keptReason } from '../../store/bounds.ts'
import type { Job, JobStatus, Queue } from '../../store/queue.ts'

interface Kept {
  readonly queue: string
  readonly id: string
  readonly json: string
  /** Place in the order of enqueueing. */
  readonly place: number
  state: JobStatus['state']
  attempt: number
  /** When it can be leased: the end of its delay, or of its present lease. */
  readyAtMs: number
  token: number
  reason?: string
}

/** Jobs in a map, searched from end to end. */
export class MemoryQueue implements Queue {
  readonly #clock: Clock
  readonly #jobs = new Map<string, Kept>()
  #counter = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async enqueue(
    queue: string,
    id: string,
    payload: Json,
    options: { readonly delayMs?: number } = {},
  ): Promise<boolean> {
    checkName('the name of a queue', queue)
    checkName('the id of a job', id)
    checkDuration('a delay', options.delayMs ?? 0, 0)
    const json = jsonText('a payload', payload)
    const state = this.#jobs.get(jobKey(queue, id))?.state
    if (state === 'waiting' || state === 'leased') return false
    const readyAtMs = this.#clock.wallMs() + (options.delayMs ?? 0)
    this.#jobs.set(jobKey(queue, id), {
      queue,
      id,
      json,
      place: ++this.#counter,
      state: 'waiting',
      attempt: 0,
      readyAtMs,
      token: 0,
    })
    return true
  }

  async lease(queue: string, leaseMs: number): Promise<Job | undefined> {
    checkName('the name of a queue', queue)
    checkDuration('a lease', leaseMs, 1)
    const nowMs = this.#clock.wallMs()
    const ready = this.#of(queue).filter(
      (job) => (job.state === 'waiting' || job.state === 'leased') && job.readyAtMs <= nowMs,
    )
    const job = ready.sort((a, b) => a.readyAtMs - b.readyAtMs || a.place - b.place)[0]
    if (job === undefined) return undefined
    job.state = 'leased'
    job.attempt++
    job.readyAtMs = nowMs + leaseMs
    job.token = ++this.#counter
    return { id: job.id, queue, payload: JSON.parse(job.json) as Json, attempt: job.attempt, token: job.token }
  }

  async extend(job: Job, leaseMs: number): Promise<boolean> {
    checkDuration('a lease', leaseMs, 1)
    return this.#settle(job, (kept) => {
      kept.readyAtMs = this.#clock.wallMs() + leaseMs
    })
  }

  async complete(job: Job): Promise<boolean> {
    return this.#settle(job, (kept) => {
      kept.state = 'done'
      delete kept.reason
      const done = this.#of(job.queue).filter((one) => one.state === 'done')
      for (const old of done.sort(newestFirst).slice(DONE_KEPT_MAX)) this.#jobs.delete(jobKey(old.queue, old.id))
    })
  }

  async retry(job: Job, delayMs: number, reason: string): Promise<boolean> {
    checkDuration('a delay', delayMs, 0)
    return this.#settle(job, (kept) => {
      kept.state = 'waiting'
      kept.readyAtMs = this.#clock.wallMs() + delayMs
      kept.reason = keptReason(reason)
    })
  }

  async bury(job: Job, reason: string): Promise<boolean> {
    return this.#settle(job, (kept) => {
      kept.state = 'dead'
      kept.reason = keptReason(reason)
    })
  }

  async list(queue: string, limit: number): Promise<JobStatus[]> {
    checkName('the name of a queue', queue)
    checkLimit(limit)
    const newest = this.#of(queue).sort(newestFirst).slice(0, limit)
    return newest.map(({ id, state, json, attempt, reason }) => {
      const status = { id, queue, state, payload: JSON.parse(json) as Json, attempt }
      return reason === undefined ? status : { ...status, reason }
    })
  }

  #of(queue: string): Kept[] {
    return [...this.#jobs.values()].filter((job) => job.queue === queue)
  }

  #settle(job: Job, change: (kept: Kept) => void): boolean {
    const kept = this.#jobs.get(jobKey(job.queue, job.id))
    if (kept?.state !== 'leased' || kept.token !== job.token) return false
    change(kept)
    return true
  }
}

const jobKey = (queue: string, id: string): string => `${queue}\0${id}`
const newestFirst = (a: Kept, b: Kept): number => b.place - a.place
