import type { Json } from '../base/json.ts'

/** Jobs that survive a crash: at-least-once, leased to one worker at a time, fenced. */
export interface Job {
  readonly id: string
  readonly queue: string
  readonly payload: Json
  /** 1 for the first try. */
  readonly attempt: number
  /** Fencing token: settles the job only while this lease is the newest. */
  readonly token: number
}

export interface JobStatus {
  readonly id: string
  readonly queue: string
  readonly state: 'waiting' | 'leased' | 'done' | 'dead'
  readonly payload: Json
  readonly attempt: number
  /** Why the last attempt failed. */
  readonly reason?: string
}

export interface Queue {
  /** Durable when resolved. The same `id` again is one job: false, and nothing changes, unless
   *  the earlier one is done or dead, which it then replaces. */
  enqueue(queue: string, id: string, payload: Json, options?: { readonly delayMs?: number }): Promise<boolean>
  /** The job that has been ready longest (waiting past its delay, or its lease run out), leased
   *  for `leaseMs`. */
  lease(queue: string, leaseMs: number): Promise<Job | undefined>
  /** False when the lease was lost: stop working on it. A lease that ran out is lost only once
   *  another was granted. */
  extend(job: Job, leaseMs: number): Promise<boolean>
  /** Each returns false when the lease was lost; then another worker owns the job. */
  complete(job: Job): Promise<boolean>
  retry(job: Job, delayMs: number, reason: string): Promise<boolean>
  bury(job: Job, reason: string): Promise<boolean>
  /** Newest first. Of the jobs that are done the last 1,000 of a queue are remembered. */
  list(queue: string, limit: number): Promise<JobStatus[]>
}
