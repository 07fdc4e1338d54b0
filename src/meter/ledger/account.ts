import type { Key } from '../../store/rows.ts'
import { isPosted, type Unit } from './amounts.ts'
import { type Budget, isSoft } from './budget.ts'
import type { Order } from './account-row.ts'
import type { Period } from './window.ts'

/** The key of a budget's durable account for a subject and a period. */
export const accountKey = ({ id, unit }: Budget, subject: string, period: Period): Key => [
  id,
  subject,
  unit,
  period.key,
]

/** Shared, for most accounts have nobody waiting. */
const NOBODY = Object.freeze<Waiting[]>([]) as Waiting[]

/** A budget's use by one subject in one period, as one node sees it. The node's lease is a slice
 *  of the budget's headroom, split in three:
 *
 *      lease = available + pending + unposted + returning (+ what is on its way back)
 *
 *  Reserve moves from available to pending, settle from pending to unposted and back to
 *  available; only the escrow changes their sum. */
export class Account {
  /** The newest version, where the configuration changed, and whose it is. */
  budget: Budget
  generation: number
  /** Its key as one text: of a million accounts the arrays would take 80 MB. */
  readonly name: string
  readonly startMs: number
  readonly endMs: number
  /** Counts, and never holds anybody up. */
  soft: boolean
  /** The durable sign of the lease still tells what it was before. */
  relabelled = false
  /** What was used stays used; see `isPosted`. */
  readonly posts: boolean
  /** Names the time from the first grant to the last return; what a log says of holds is told
   *  by it. Unique in an epoch of the node. */
  term: number

  available = 0
  pending = 0
  /** Settled, and not yet posted to the durable account. */
  unposted = 0
  /** Came free while others wait, or is beyond a lowered limit; goes back. */
  returning = 0
  /** Open holds. */
  holds = 0
  /** Held or used, and not on the node's record of holds yet: never more than `unrecordedMax`, unless
   *  whoever holds it waits for the record. */
  unrecorded = 0
  unrecordedMax = 0
  /** Left behind: the next request of the same period makes a new one. */
  retired = false

  /** The lease as the store has it. */
  lease = 0
  /** The order on its way to the store, until it is known how it went. */
  order: Order | undefined
  /** The number of the last order that was carried out. */
  carried = 0
  waiting: Waiting[] = NOBODY
  queued = false
  /** What the durable account told last: everything posted, by all nodes. */
  posted = 0
  /** Headroom nobody had leased. */
  headroom = 0
  /** When somebody frees some at the latest; Infinity: not by time. */
  freedAtMs: number
  /** A further draw is pointless until this instant (monotonic). */
  spentUntilMs = -Infinity
  /** Another node waits for headroom, or the limit was lowered. */
  recalled = false
  /** We told others that we wait. */
  wants = false
  /** We told others that nothing is to spare here; until then (monotonic) what comes free goes back
   *  at once, and is no more ours to use than theirs. */
  firmUntilMs = 0
  /** What to lease at once: about a second's demand. */
  slice = 0
  drawnAtMs = -Infinity
  /** Below it the next slice is drawn before anybody waits; -1: not worth it. */
  lowWater = -1
  /** The next slice is due. */
  ahead = false
  idleTicks = 0
  constructor({ budget, generation }: Binding, name: string, period: Period, term: number) {
    this.budget = budget
    this.generation = generation
    this.name = name
    this.startMs = period.startMs
    this.endMs = period.endMs
    this.freedAtMs = period.endMs
    this.soft = isSoft(budget.action)
    this.posts = isPosted(budget.unit)
    this.term = term
  }

  /** Budget, subject, unit, period: the key of the durable account. */
  get key(): Key {
    return this.name.split('\0')
  }

  wait(waiting: Waiting): void {
    if (this.waiting.length === 0) this.waiting = [waiting]
    else this.waiting.push(waiting)
  }

  /** Of what is at hand, what goes back and is nobody's until then. */
  setAside(amount: number): void {
    if (amount <= 0) return
    this.available -= amount
    this.returning += amount
  }

  /** From a limit to a warning, or back. What a soft account holds and has not posted was never
   *  leased: a hard one owes it, as after an overrun, and holds nothing new until the store has
   *  made up for it. */
  change(budget: Budget): void {
    this.budget = budget
    this.spentUntilMs = -Infinity
    this.lowWater = -1
    const soft = isSoft(budget.action)
    if (soft === this.soft) return
    this.soft = soft
    this.relabelled = true
    this.returning = 0
    this.available = soft ? 0 : this.lease - this.pending - this.unposted - (this.order?.giveBack ?? 0)
  }
}

export interface Waiting {
  readonly amount: number
  /** Monotonic. */
  readonly deadlineMs: number
  readonly resolve: (drawn: Drawn) => void
}

/** How a draw from the durable account went. */
export type Drawn = 'granted' | 'spent' | 'store_unavailable' | 'fenced'

/** A budget that binds a request, and the account it uses now. */
export class Binding {
  readonly budget: Budget
  readonly subject: string
  readonly unit: Unit
  /** A limit for each request alone needs no account. */
  readonly perRequest: boolean
  current: Account | undefined
  /** Of the table it is in. */
  readonly generation: number

  constructor(budget: Budget, subject: string, generation = 0) {
    this.generation = generation
    this.budget = budget
    this.subject = subject
    this.unit = budget.unit
    this.perRequest = budget.window.kind === 'request'
  }
}
