import type { Account, Binding } from './account.ts'
import { type Action, type Budget, isSoft } from './budget.ts'

/** Why a request was not held.
 *
 *  - `spent`: a budget has less left than the bound, and nobody gives any back soon
 *  - `over_limit`: the bound is above a whole limit, and always will be
 *  - `unleased`: this node has leased too little; `admit` draws more and asks again
 *  - `store_unavailable`: the lease is used up and the store cannot be asked
 *  - `contended`: others took what was drawn; later it may succeed
 *  - `fenced`: another took this node for dead; it must begin anew
 *  - `duplicate`: this attempt of this request is held already */
export type ShortReason =
  | 'spent'
  | 'over_limit'
  | 'unleased'
  | 'store_unavailable'
  | 'contended'
  | 'fenced'
  | 'duplicate'

/** One budget that cannot afford the bound. Amounts in its unit. */
export interface Short {
  readonly budget: Budget
  readonly subject: string
  readonly account: Account | undefined
  readonly reason: ShortReason
  readonly needed: number
  /** What it could afford now, as far as this node knows: where to clamp to. */
  readonly available: number
  /** Posted by all nodes, as far as this node knows, with what is held here. */
  readonly spent: number
  /** Wall time in milliseconds at which more is free for sure; Infinity: not by time. */
  readonly resetsAtMs: number
}

/** How strict a budget is: what it wants done goes before what milder ones want. */
const STRICTNESS: { readonly [kind in Action['kind']]: number } = {
  refuse: 4,
  degrade: 3,
  clamp: 2,
  warn: 1,
  dryRun: 0,
}

export class Shortfall {
  readonly reason: ShortReason
  /** The strictest budget first. */
  readonly short: readonly Short[]

  constructor(reason: ShortReason, short: readonly Short[]) {
    this.reason = reason
    this.short = [...short].sort((a, b) => STRICTNESS[b.budget.action.kind] - STRICTNESS[a.budget.action.kind])
  }

  /** What to do about it: the strictest budget's wish. Only a budget can ask for more than a
   *  refusal. */
  get action(): Action {
    const first = this.reason === 'spent' || this.reason === 'over_limit' ? this.short[0] : undefined
    return first === undefined || isSoft(first.budget.action) ? { kind: 'refuse' } : first.budget.action
  }

  withReason(reason: ShortReason): Shortfall {
    return new Shortfall(reason, this.short)
  }
}

/** A limit on each request alone. */
export const overRequest = ({ budget, subject }: Binding, needed: number): Short => ({
  budget,
  subject,
  account: undefined,
  reason: 'over_limit',
  needed,
  available: budget.limit,
  spent: 0,
  resetsAtMs: Infinity,
})

export function shortOf({ subject }: Binding, account: Account, needed: number, nowMs: number): Short {
  // The account's is the newest, whenever the request was bound.
  const { budget } = account
  const available = Math.max(0, account.available + Math.max(0, account.headroom))
  const spent = needed > available && nowMs < account.spentUntilMs
  return {
    budget,
    subject,
    account,
    reason: needed > budget.limit ? 'over_limit' : spent ? 'spent' : 'unleased',
    needed,
    available,
    spent: account.posts
      ? account.posted + account.unposted + account.pending
      : Math.max(account.pending, budget.limit - available),
    resetsAtMs: account.freedAtMs,
  }
}
