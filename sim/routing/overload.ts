import type { Clock } from '../../src/base/clock.ts'
import { Refusal } from '../../src/base/errors.ts'
import { Gate, type Pass, type Priority } from '../../src/gateway/admission/gate.ts'
import { Dice } from '../dice.ts'
import { Kernel } from '../kernel.ts'

/** The real gate before an engine that works on so many answers at once, slows down beyond that, and
 *  loses more than it gains when it is crowded: how much of its best it still does under overload. */

export interface Load {
  /** Of what the engine can do at its best. */
  readonly times: number
  /** Of all requests. */
  readonly interactiveShare: number
  readonly hasGate: boolean
}

export interface Outcome {
  /** Answers in time over those that the engine can give at its best. */
  readonly goodput: number
  /** Of interactive requests, those that were answered in time. */
  readonly interactive: number
  /** Answers in time, by tenant of the batch class; the first one asks for most. */
  readonly byTenant: readonly number[]
  /** The longest that one who was turned away waited for that. */
  readonly refusedAfterMs: number
  readonly limit: number
}

const SLOTS = 40
const WORK_MS = { least: 100, most: 500 } as const
const PEAK_PER_MS = SLOTS / ((WORK_MS.least + WORK_MS.most) / 2)
const SPAN_MS = 60_000
/** The limit is being found until then. */
const WARM_MS = 15_000
const IN_TIME_MS = 2_500
const QUEUE_MS = 1_000
const TENANTS = 4
/** How much of the batch load the first tenant is. */
const GREEDY_SHARE = 0.7
const TICK_MS = 5
const STEPS_MAX = 2_000_000

interface Job {
  leftMs: number
  readonly arrivedMs: number
  readonly priority: Priority
  readonly tenant: number
  readonly pass: Pass | undefined
}

export async function runOverload(seed: number, { times, interactiveShare, hasGate }: Load): Promise<Outcome> {
  const kernel = new Kernel<never>(seed)
  const dice = new Dice(seed).fork('overload')
  const clock: Clock = {
    monotonicMs: () => kernel.nowMs,
    wallMs: () => kernel.nowMs,
    after: (delayMs, task) => kernel.after(delayMs, 'a timer', task),
  }
  const gate = new Gate(clock, 'chat', { queueMax: 200, queueMs: QUEUE_MS, inFlightMax: 10_000, batchShare: 0.9 })
  const jobs = new Set<Job>()
  const count = { inTime: 0, interactive: 0, interactiveInTime: 0, refusedAfterMs: 0 }
  const byTenant = Array.from({ length: TENANTS }, () => 0)
  const counts = (arrivedMs: number): boolean => arrivedMs >= WARM_MS && arrivedMs < SPAN_MS - IN_TIME_MS

  const done = (job: Job): void => {
    jobs.delete(job)
    job.pass?.answered()
    job.pass?.leave()
    if (!counts(job.arrivedMs) || kernel.nowMs - job.arrivedMs > IN_TIME_MS) return
    count.inTime++
    if (job.priority === 'interactive') count.interactiveInTime++
    else byTenant[job.tenant] = (byTenant[job.tenant] ?? 0) + 1
  }
  /** Beyond its slots all share them; far beyond, switching between them costs as well. */
  const tick = (): void => {
    const crowd = jobs.size / SLOTS
    const speed = crowd <= 1 ? 1 : (1 / crowd) * Math.min(1, 2 / crowd)
    for (const job of jobs) if ((job.leftMs -= TICK_MS * speed) <= 0) done(job)
    if (kernel.nowMs < SPAN_MS) kernel.after(TICK_MS, 'the engine works', tick)
  }
  const arrive = (): void => {
    if (kernel.nowMs < SPAN_MS) kernel.after(gapMs(dice, times * PEAK_PER_MS), 'a request', arrive)
    const arrivedMs = kernel.nowMs
    const priority: Priority = dice.chance(interactiveShare) ? 'interactive' : 'batch'
    const tenant = dice.chance(GREEDY_SHARE) ? 0 : dice.int(1, TENANTS - 1)
    if (priority === 'interactive' && counts(arrivedMs)) count.interactive++
    const begin = (pass: Pass | Refusal | 'left' | undefined): void => {
      if (pass === 'left') return
      if (pass instanceof Refusal) count.refusedAfterMs = Math.max(count.refusedAfterMs, kernel.nowMs - arrivedMs)
      else jobs.add({ leftMs: dice.int(WORK_MS.least, WORK_MS.most), arrivedMs, priority, tenant, pass })
    }
    if (!hasGate) return begin(undefined)
    const entered = gate.enter({ priority, tenant: String(tenant) }, () => {})
    if (entered instanceof Promise) void entered.then(begin)
    else begin(entered)
  }
  kernel.after(0, 'the engine works', tick)
  kernel.after(0, 'a request', arrive)
  await kernel.run(STEPS_MAX)
  return {
    goodput: count.inTime / (PEAK_PER_MS * (SPAN_MS - IN_TIME_MS - WARM_MS)),
    interactive: count.interactiveInTime / count.interactive,
    byTenant,
    refusedAfterMs: count.refusedAfterMs,
    limit: gate.limit,
  }
}

/** Arrivals are independent of each other: exponential gaps. */
const gapMs = (dice: Dice, perMs: number): number => -Math.log((dice.int(0, 999_999) + 1) / 1_000_000) / perMs
