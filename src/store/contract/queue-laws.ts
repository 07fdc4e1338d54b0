import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Job, JobStatus, Queue } from '../queue.ts'
import type { StoppedClock } from './opened.ts'

/** Random operations against the plainest queue there is. */

const RUNS = 40
const STEPS_MAX = 30

interface Known {
  readonly id: string
  payload: number
  state: JobStatus['state']
  attempt: number
  readyAtMs: number
  /** Which of the leases granted so far is the newest of this job. */
  lease: number
}

const ms = fc.integer({ min: 0, max: 30 })
const step = fc.oneof(
  fc.record({
    kind: fc.constant('enqueue' as const),
    id: fc.constantFrom('a', 'b', 'c', 'd'),
    payload: fc.nat(9),
    delayMs: ms,
  }),
  fc.record({ kind: fc.constant('lease' as const), leaseMs: fc.integer({ min: 1, max: 30 }) }),
  fc.record({
    kind: fc.constantFrom('extend' as const, 'complete' as const, 'retry' as const, 'bury' as const),
    pick: fc.nat(99),
    delayMs: fc.integer({ min: 1, max: 30 }),
  }),
  fc.record({ kind: fc.constant('wait' as const), delayMs: ms }),
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

/** The queue as a list in the order of enqueueing. */
class PlainQueue {
  readonly jobs: Known[] = []
  leases = 0

  enqueue(id: string, payload: number, readyAtMs: number): boolean {
    const at = this.jobs.findIndex((job) => job.id === id)
    if (at >= 0 && !['done', 'dead'].includes(this.jobs[at]?.state ?? '')) return false
    if (at >= 0) this.jobs.splice(at, 1)
    this.jobs.push({ id, payload, state: 'waiting', attempt: 0, readyAtMs, lease: -1 })
    return true
  }

  lease(nowMs: number, leaseMs: number): Known | undefined {
    let best: Known | undefined
    for (const job of this.jobs) {
      const ready = (job.state === 'waiting' || job.state === 'leased') && job.readyAtMs <= nowMs
      if (ready && (best === undefined || job.readyAtMs < best.readyAtMs)) best = job
    }
    if (best !== undefined)
      Object.assign(best, {
        state: 'leased',
        attempt: best.attempt + 1,
        readyAtMs: nowMs + leaseMs,
        lease: this.leases++,
      })
    return best
  }

  settle(lease: number, state: Known['state'], readyAtMs: number): boolean {
    const job = this.jobs.find((one) => one.lease === lease && one.state === 'leased')
    if (job !== undefined) Object.assign(job, { state, readyAtMs })
    return job !== undefined
  }
}

export function queueLaws(queue: () => Queue, clock: StoppedClock): void {
  test('any sequence of operations answers as a plain list would', async () => {
    let run = 0
    const law = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: STEPS_MAX, size: 'max' }), async (steps) => {
      const name = `law ${run++}`
      const plain = new PlainQueue()
      const granted: Job[] = []
      for (const one of steps) await takeStep(queue(), name, clock, plain, granted, one)
      const listed = (await queue().list(name, 100)).map(({ id, state, payload, attempt }) => ({
        id,
        state,
        payload,
        attempt,
      }))
      assert.deepEqual(
        listed,
        plain.jobs.toReversed().map(({ id, state, payload, attempt }) => ({ id, state, payload, attempt })),
      )
    })
    await fc.assert(law, { numRuns: RUNS })
  })
}

async function takeStep(
  queue: Queue,
  name: string,
  clock: StoppedClock,
  plain: PlainQueue,
  granted: Job[],
  step: Step,
): Promise<void> {
  if (step.kind === 'wait') {
    clock.nowMs += step.delayMs
  } else if (step.kind === 'enqueue') {
    const expected = plain.enqueue(step.id, step.payload, clock.nowMs + step.delayMs)
    assert.equal(await queue.enqueue(name, step.id, step.payload, { delayMs: step.delayMs }), expected)
  } else if (step.kind === 'lease') {
    const expected = plain.lease(clock.nowMs, step.leaseMs)
    const job = await queue.lease(name, step.leaseMs)
    assert.deepEqual(
      job && [job.id, job.payload, job.attempt],
      expected && [expected.id, expected.payload, expected.attempt],
    )
    if (job === undefined) return
    assert.ok(
      granted.every(({ token }) => token < job.token),
      'tokens grow',
    )
    granted.push(job)
  } else if (granted.length > 0) {
    const lease = step.pick % granted.length
    const job = granted[lease] as Job
    const untilMs = clock.nowMs + step.delayMs
    if (step.kind === 'extend')
      assert.equal(await queue.extend(job, step.delayMs), plain.settle(lease, 'leased', untilMs))
    else if (step.kind === 'complete') assert.equal(await queue.complete(job), plain.settle(lease, 'done', untilMs))
    else if (step.kind === 'retry')
      assert.equal(await queue.retry(job, step.delayMs, 'again'), plain.settle(lease, 'waiting', untilMs))
    else assert.equal(await queue.bury(job, 'enough'), plain.settle(lease, 'dead', untilMs))
  }
}
