import { type Change, put, remove, type Stored } from '../../store/rows.ts'
import type { Account, Drawn, Waiting } from './account.ts'
import {
  ACCOUNTS,
  type AccountRow,
  carryOut,
  differs,
  FIRM_TOLD_MS,
  type Draw,
  LEASED,
  type Order,
  type Standing,
  standingOf,
  sumOf,
  type Terms,
} from './account-row.ts'
import { CLOCK_AGREEMENT_MS } from './window.ts'

/** One step of a lease: from what the node wants and what the store has, to what is committed;
 *  and from what was committed back to what the node may hold. */

export interface Moment {
  readonly node: string
  readonly epoch: number
  readonly monotonicMs: number
  readonly rollingMs: number
  /** The next number of the epoch, for terms and orders. */
  readonly number: () => number
}

export interface Step {
  readonly account: Account
  readonly before: AccountRow | undefined
  readonly after: AccountRow
  readonly terms: Terms
  readonly changes: Change[]
}

/** A spent budget is not asked for again before; running requests end at any time. */
const SPENT_MS = 250
const BUSY_MS = 50
/** After so many ticks without a request an account's lease ends. */
export const IDLE_TICKS_MAX = 8
/** A slice doubles when it lasts for less than this, and halves when it lasts four times as long. */
const SLICE_MS = 1_000
/** The first slice, in requests like the first. */
const SLICE_REQUESTS = 4
const EMPTY: AccountRow = { posted: [], leases: {} }

export function stepOf(account: Account, stored: Stored<AccountRow> | undefined, moment: Moment): Step {
  const { budget, key, soft } = account
  const { node, epoch } = moment
  const terms: Terms = { node, epoch, limit: budget.limit, soft, window: budget.window, atMs: moment.rollingMs }
  const before = stored?.row
  const lease = before?.leases[node]
  const { order } = account
  const unchanged: Step = { account, before, after: before ?? EMPTY, terms, changes: [] }
  // The answer to it was lost, not the order.
  if (order !== undefined && (order.leave ? lease === undefined : lease?.sequence === order.sequence)) return unchanged
  const standing = before && standingOf(before, terms)
  if (standing !== undefined && isRecalled(account, standing)) account.recalled = true
  const asked = standing?.othersWant === true && standing.firmMs < FIRM_TOLD_MS
  const due = order ?? orderOf(account, asked && lease !== undefined, moment)
  if (due === undefined) return unchanged
  const after = carryOut(before, terms, due, drawOf(account))
  const futile =
    standing?.recallable === 0 &&
    standing.promised === 0 &&
    !account.wants &&
    after.leases[node]?.amount === (lease?.amount ?? 0)
  // A request that waits asks often, and most answers are what they were. Nor is it any use to say
  // that one waits where nobody has any to spare.
  if (order === undefined && isIdle(due) && (!differs(before, after, node) || (futile && !asked))) return unchanged
  account.order = due
  if (due.leave && lease === undefined) return unchanged
  const changes: Change[] = [put(ACCOUNTS, key, after, stored?.version ?? 0)]
  if ((lease === undefined || account.relabelled) && !due.leave)
    changes.push(put(LEASED, [node, ...key], { window: budget.window, soft, unrecorded: account.unrecordedMax }))
  if (lease !== undefined && due.leave) changes.push(remove(LEASED, [node, ...key]))
  return { ...unchanged, after, changes }
}

/** What is to be done, if anything. From here on it stays as it is until it is known to be
 *  carried out. */
function orderOf(account: Account, asked: boolean, moment: Moment): Order | undefined {
  const { soft, waiting, holds, unposted, term } = account
  const idle = account.idleTicks >= IDLE_TICKS_MAX
  const { returning } = account
  const spare = soft ? 0 : Math.max(0, account.available)
  // With requests of its own waiting too, all that several nodes have too little of goes together,
  // and whoever comes first may draw it.
  const toAll = account.recalled || moment.monotonicMs < account.firmUntilMs || (idle && waiting.length === 0)
  // A soft account needs no lease, and may have one from when it was not.
  const giveBack = soft ? account.lease : returning + (toAll ? spare : 0)
  const leave = idle && holds === 0 && unposted === 0 && waiting.length === 0
  const draws = account.ahead || waiting.some(({ amount }) => amount > account.available)
  const quiet = unposted === 0 && giveBack === 0 && !draws && !asked && !(account.wants && waiting.length === 0)
  if (quiet && !leave) return undefined
  account.recalled = false
  account.returning = 0
  if (!soft) account.available -= giveBack - returning
  if (leave) account.term = moment.number()
  return { sequence: moment.number(), term, post: unposted, giveBack, leave }
}

const isIdle = ({ post, giveBack, leave }: Order): boolean => post === 0 && giveBack === 0 && !leave

function drawOf(account: Account): Draw {
  const { waiting, available, soft } = account
  if (soft) return { all: 0, least: 0, slice: 0 }
  let all = 0
  let least = Infinity
  for (const { amount } of waiting) {
    all += amount
    least = Math.min(least, amount)
  }
  const slice = all > 0 || account.ahead ? Math.max(account.slice, all * SLICE_REQUESTS) : 0
  return {
    all: Math.max(0, all - available),
    least: waiting.length === 0 ? 0 : Math.max(0, least - available),
    slice,
  }
}

/** Takes over what the store has now. True where more is to be done at once. */
export function adopt({ account, after, terms, changes }: Step, moment: Moment): boolean {
  const { order } = account
  const lease = after.leases[terms.node]
  const standing = standingOf(after, terms)
  const amount = lease?.amount ?? 0
  account.ahead = false
  if (order !== undefined) {
    account.order = undefined
    account.carried = order.sequence
    account.unposted -= order.post
    if (changes.length > 0 && terms.soft === account.soft) account.relabelled = false
    if (!account.soft) {
      const granted = amount - (account.lease - order.post - order.giveBack)
      account.available += granted
      if (granted > 0) adaptSlice(account, granted, moment.monotonicMs)
    }
    account.lease = amount
  }
  account.wants = (lease?.wants ?? 0) > 0
  account.firmUntilMs = moment.monotonicMs + standing.firmMs + CLOCK_AGREEMENT_MS
  account.posted = standing.posted
  account.headroom = standing.headroom
  account.freedAtMs = standing.freedAtMs ?? account.endMs
  account.recalled = isRecalled(account, standing)
  if (order?.leave === true && account.holds === 0 && account.unposted === 0 && account.waiting.length === 0)
    account.retired = true
  return answer(account, standing, moment.monotonicMs) || (account.recalled && !account.soft)
}

/** Whether others should have what the node does not use: they wait for it, or the limit was
 *  lowered below what is leased. */
const isRecalled = (account: Account, standing: Standing): boolean =>
  account.available > 0 && (standing.othersWant || standing.headroom < 0)

function adaptSlice(account: Account, granted: number, nowMs: number): void {
  const lastedMs = nowMs - account.drawnAtMs
  account.drawnAtMs = nowMs
  // Less than a slice was all there was, or all that was to be had with others waiting.
  const whole = granted >= account.slice
  if (lastedMs < SLICE_MS && whole) account.slice = Math.min(account.budget.limit, Math.max(account.slice * 2, granted))
  else if (lastedMs > 4 * SLICE_MS) account.slice = granted > account.slice ? granted : Math.ceil(account.slice / 2)
  // Near the limit slices are small, and drawing them ahead would be all that the node does.
  account.lowWater = granted >= account.slice / 2 ? granted / 2 : -1
}

/** Lets go on who can, first come, first served. True where somebody asked meanwhile for what
 *  there is. */
function answer(account: Account, { headroom, promised, recallable }: Standing, nowMs: number): boolean {
  let free = account.available
  const kept: Waiting[] = []
  let again = false
  for (const waiting of account.waiting) {
    const { amount, deadlineMs, resolve } = waiting
    if (amount <= free) {
      free -= amount
      resolve('granted')
    } else if (amount <= free + headroom - promised) {
      kept.push(waiting)
      again = true
    } else if ((recallable > 0 || promised > 0) && deadlineMs > nowMs) kept.push(waiting)
    else {
      account.spentUntilMs = nowMs + (account.posts ? SPENT_MS : BUSY_MS)
      resolve('spent')
    }
  }
  account.waiting = kept
  return again
}

export function answerAll(account: Account, drawn: Drawn): void {
  const { waiting } = account
  account.waiting = []
  for (const { resolve } of waiting) resolve(drawn)
}

/** An answer of the store ends a wait that is over; without one, it ends so much later. */
const ANSWER_MS = 500

/** Nobody waits for a store that never answers. */
export function expire(account: Account, nowMs: number): void {
  const late = account.waiting.filter(({ deadlineMs }) => deadlineMs + ANSWER_MS <= nowMs)
  account.waiting = account.waiting.filter(({ deadlineMs }) => deadlineMs + ANSWER_MS > nowMs)
  for (const { resolve } of late) resolve('store_unavailable')
}

/** The shares of the limit to be told of that this step's posting passed. */
export function sharesPassed({ account: { budget }, before, after, changes }: Step): number[] {
  if (changes.length === 0) return []
  const had = sumOf(before?.posted ?? [])
  const has = sumOf(after.posted)
  return budget.warnAt.filter((share) => had < share * budget.limit && has >= share * budget.limit)
}
