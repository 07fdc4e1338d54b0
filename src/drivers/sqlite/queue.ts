import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../base/clock.ts'
import type { Json } from '../../base/json.ts'
import { checkDuration, checkLimit, checkName, DONE_KEPT_MAX, jsonText, keptReason } from '../../store/bounds.ts'
import type { Job, JobStatus, Queue } from '../../store/queue.ts'
import type { Counter } from './counter.ts'
import { records, type CallsOf, type Cell, type StoreCaller } from './protocol.ts'

/** Jobs, from the thread that asks. */
export class SqliteQueue implements Queue {
  readonly #store: StoreCaller
  readonly #clock: Clock

  constructor(store: StoreCaller, clock: Clock) {
    this.#store = store
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
    return this.#store.call(
      'queue.enqueue',
      queue,
      id,
      jsonText('a payload', payload),
      this.#clock.wallMs() + (options.delayMs ?? 0),
    )
  }

  async lease(queue: string, leaseMs: number): Promise<Job | undefined> {
    checkName('the name of a queue', queue)
    checkDuration('a lease', leaseMs, 1)
    const nowMs = this.#clock.wallMs()
    const [id, json, attempt, token] = await this.#store.call('queue.lease', queue, nowMs, nowMs + leaseMs)
    if (id === undefined) return undefined
    return {
      id: id as string,
      queue,
      payload: JSON.parse(json as string) as Json,
      attempt: attempt as number,
      token: token as number,
    }
  }

  async extend(job: Job, leaseMs: number): Promise<boolean> {
    checkDuration('a lease', leaseMs, 1)
    return this.#settle(job, 'leased', leaseMs, null)
  }

  async complete(job: Job): Promise<boolean> {
    return this.#settle(job, 'done', 0, null)
  }

  async retry(job: Job, delayMs: number, reason: string): Promise<boolean> {
    checkDuration('a delay', delayMs, 0)
    return this.#settle(job, 'waiting', delayMs, reason)
  }

  async bury(job: Job, reason: string): Promise<boolean> {
    return this.#settle(job, 'dead', 0, reason)
  }

  async list(queue: string, limit: number): Promise<JobStatus[]> {
    checkName('the name of a queue', queue)
    checkLimit(limit)
    const found: JobStatus[] = []
    for (const [id, state, json, attempt, reason] of records(await this.#store.call('queue.list', queue, limit), 5)) {
      const status = {
        id: id as string,
        queue,
        state: state as JobStatus['state'],
        payload: JSON.parse(json as string) as Json,
        attempt: attempt as number,
      }
      found.push(typeof reason === 'string' ? { ...status, reason } : status)
    }
    return found
  }

  #settle(
    { queue, id, token }: Job,
    state: JobStatus['state'],
    delayMs: number,
    reason: string | null,
  ): Promise<boolean> {
    return this.#store.call(
      'queue.settle',
      queue,
      id,
      token,
      state,
      this.#clock.wallMs() + delayMs,
      reason && keptReason(reason),
    )
  }
}

/** Jobs, inside the store's thread. `ready_at_ms` is the end of a job's delay, or of its lease. */
export function queueCalls(db: DatabaseSync, counter: Counter): CallsOf<'queue'> {
  const enqueue = db.prepare(`
    INSERT INTO jobs (queue, id, json, ready_at_ms, place, state, attempt, token) VALUES (?, ?, ?, ?, ?, 'waiting', 0, 0)
    ON CONFLICT (queue, id) DO UPDATE SET json = excluded.json, ready_at_ms = excluded.ready_at_ms, place = excluded.place,
      state = 'waiting', attempt = 0, token = 0, reason = NULL
    WHERE state IN ('done', 'dead')`)
  const ready = db.prepare(`
    SELECT id, json, attempt FROM jobs WHERE queue = ? AND state IN ('waiting', 'leased') AND ready_at_ms <= ?
    ORDER BY ready_at_ms, place LIMIT 1`)
  const lease = db.prepare(
    "UPDATE jobs SET state = 'leased', attempt = attempt + 1, ready_at_ms = ?, token = ? WHERE queue = ? AND id = ?",
  )
  // Extending keeps the reason of the attempt before; completing forgets it.
  const settle = db.prepare(`
    UPDATE jobs SET state = ?1, ready_at_ms = ?2, reason = CASE ?1 WHEN 'leased' THEN reason ELSE ?3 END
    WHERE queue = ?4 AND id = ?5 AND state = 'leased' AND token = ?6`)
  const forget = db.prepare(`
    DELETE FROM jobs WHERE queue = ?1 AND state = 'done' AND place <=
      (SELECT place FROM jobs WHERE queue = ?1 AND state = 'done' ORDER BY place DESC LIMIT 1 OFFSET ${DONE_KEPT_MAX})`)
  const list = db.prepare(
    'SELECT id, state, json, attempt, reason FROM jobs WHERE queue = ? ORDER BY place DESC LIMIT ?',
  )

  return {
    'queue.enqueue': (queue, id, json, readyAtMs) =>
      enqueue.run(queue, id, json, readyAtMs, counter.next()).changes === 1,
    'queue.lease'(queue, nowMs, readyAtMs) {
      const job = ready.get(queue, nowMs)
      if (job === undefined) return []
      const token = counter.next()
      lease.run(readyAtMs, token, queue, job['id'] as string)
      return [job['id'] as string, job['json'] as string, Number(job['attempt']) + 1, token]
    },
    'queue.settle'(queue, id, token, state, readyAtMs, reason) {
      const held = settle.run(state, readyAtMs, reason, queue, id, token).changes === 1
      if (held && state === 'done') forget.run(queue)
      return held
    },
    'queue.list': (queue, limit) =>
      list
        .all(queue, limit)
        .flatMap((row) => [row['id'], row['state'], row['json'], row['attempt'], row['reason']] as Cell[]),
  }
}
