import { table } from '../../store/rows.ts'
import { addPosted } from './amounts.ts'
import { type Window, bucketAt, bucketsAheadMax, counts, freedAtMs } from './window.ts'

/** The durable account of a budget, subject and period, and the one way to change it. What holds
 *  of every version of a row with a limit: counted + leased <= limit. */
export interface AccountRow {
  /** [bucket, amount]; a window that does not roll has the bucket 0 alone. */
  readonly posted: readonly (readonly [bucket: number, amount: number])[]
  /** By node. */
  readonly leases: { readonly [node: string]: LeaseRow }
}

export interface LeaseRow {
  readonly epoch: number
  readonly term: number
  /** Of the order that made this version of the lease; the sign that it was carried out. */
  readonly sequence: number
  readonly amount: number
  /** Under this term, all told: with a log of holds it tells what a dead node had not posted. */
  readonly posted: number
  /** The node waits for this much. */
  readonly wants: number
}

export interface NodeRow {
  readonly epoch: number
}

/** What recovery needs to know of an account whose budget may be gone by then. */
export interface LeasedRow {
  readonly window: Window
  readonly soft: boolean
}

/** By budget, subject, unit, period. */
export const ACCOUNTS = table<AccountRow>('ledger.accounts')
/** By node, then the account's key: where the node has a lease. */
export const LEASED = table<LeasedRow>('ledger.leased')
export const NODES = table<NodeRow>('ledger.nodes')

/** What a node wants done to an account in one go. Carried out once, however often it is sent. */
export interface Order {
  readonly sequence: number
  readonly term: number
  readonly post: number
  readonly giveBack: number
  /** The lease ends: nothing is held, and nothing is wanted. */
  readonly leave: boolean
}

export interface Draw {
  /** What requests wait for, all together and the least of them; 0: nobody waits. */
  readonly all: number
  readonly least: number
  /** What the node would like to have at hand. */
  readonly slice: number
}

export interface Terms {
  readonly node: string
  readonly epoch: number
  readonly limit: number
  readonly soft: boolean
  readonly window: Window
  /** The node's time for rolling windows. */
  readonly atMs: number
}

/** A single draw takes at most this part of the headroom, by the number of nodes, unless requests
 *  wait for more: so slices shrink near the limit, and a crash puts little in doubt. */
const HEADROOM_PARTS = 8

/** The row after an order and a draw. */
export function carryOut(row: AccountRow | undefined, terms: Terms, order: Order, draw: Draw): AccountRow {
  const { node, epoch } = terms
  const present = row?.leases[node]
  const own = present ?? { epoch, term: order.term, sequence: 0, amount: 0, posted: 0, wants: 0 }
  const posted = postTo(row?.posted ?? [], terms, order.post)
  // More than the lease can be posted only where a call used more than its bound.
  const kept = Math.max(0, own.amount - (terms.soft ? 0 : order.post) - order.giveBack)
  const leases = { ...row?.leases }
  delete leases[node]
  const others = Object.values(leases)
  const headroom = terms.limit - sumOf(posted) - leasedBy(others) - kept
  const granted = terms.soft ? 0 : grantOf(draw, headroom, 1 + others.filter(isSharing).length)
  const wants = draw.least > 0 && granted < draw.least ? draw.least : 0
  if (!order.leave)
    leases[node] = {
      epoch,
      term: own.term,
      sequence: order.sequence,
      amount: kept + granted,
      posted: addPosted(own.posted, order.post),
      wants,
    }
  return { posted, leases }
}

function grantOf(draw: Draw, headroom: number, sharers: number): number {
  if (headroom <= 0 || headroom < draw.least) return 0
  const share = Math.floor(headroom / (HEADROOM_PARTS * sharers))
  return Math.min(headroom, Math.max(draw.all, Math.min(draw.slice, share)))
}

const isSharing = (lease: LeaseRow): boolean => lease.amount > 0 || lease.wants > 0

/** Posts in the newest bucket that any node has posted in, so that a slow clock shortens no
 *  window; drops buckets that count no more. */
function postTo(
  posted: AccountRow['posted'],
  terms: Pick<Terms, 'window' | 'atMs'>,
  amount: number,
): AccountRow['posted'] {
  const { window, atMs } = terms
  if (window.kind !== 'rolling') return [[0, addPosted(posted[0]?.[1] ?? 0, amount)]]
  const own = bucketAt(window.durationMs, atMs)
  const latest = own + bucketsAheadMax(window.durationMs)
  const dated = posted.map(([bucket, had]) => [bucket > latest ? own : bucket, had] as const)
  const now = dated.reduce((newest, [bucket]) => Math.max(newest, bucket), own)
  const sums = new Map<number, number>()
  for (const [bucket, had] of [...dated, [now, amount] as const])
    if (had > 0 && counts(window.durationMs, bucket, now)) sums.set(bucket, addPosted(sums.get(bucket) ?? 0, had))
  return [...sums].sort(([a], [b]) => a - b)
}

export interface Standing {
  readonly posted: number
  readonly leasedByOthers: number
  readonly headroom: number
  readonly othersWant: boolean
  readonly freedAtMs: number | undefined
}

export function standingOf(row: AccountRow, terms: Terms): Standing {
  const posted = postTo(row.posted, terms, 0)
  const others = Object.entries(row.leases).flatMap(([node, lease]) => (node === terms.node ? [] : lease))
  const leasedByOthers = leasedBy(others)
  const sum = sumOf(posted)
  const oldest = posted[0]?.[0]
  return {
    posted: sum,
    leasedByOthers,
    headroom: terms.limit - sum - leasedByOthers - (row.leases[terms.node]?.amount ?? 0),
    othersWant: others.some((lease) => lease.wants > 0),
    freedAtMs:
      terms.window.kind === 'rolling' && oldest !== undefined ? freedAtMs(terms.window.durationMs, oldest) : undefined,
  }
}

export const sumOf = (posted: AccountRow['posted']): number =>
  posted.reduce((sum, [, amount]) => addPosted(sum, amount), 0)

export const leasedBy = (leases: readonly LeaseRow[]): number => leases.reduce((sum, { amount }) => sum + amount, 0)

/** The row after a node's lease was recovered: what it spent and had not posted is posted, and the
 *  lease is gone. `used` is all the term used as its log proves it, open holds at their bound;
 *  undefined: nothing is proved, so the whole lease counts as used. */
export function recovered(
  row: AccountRow,
  node: string,
  used: number | undefined,
  terms: Pick<Terms, 'soft' | 'window' | 'atMs'>,
): AccountRow {
  const { [node]: lease, ...leases } = row.leases
  if (lease === undefined) return row
  // A log that lost a closing tells the bound of a hold that was posted at less, and the rest of it
  // given back: what is left of the lease is all that can have been used and not posted.
  const left = terms.soft ? Number.MAX_SAFE_INTEGER : lease.amount
  const unproved = terms.soft ? 0 : lease.amount
  const proved = used === undefined ? unproved : Math.min(left, Math.max(0, used - lease.posted))
  return { posted: postTo(row.posted, terms, proved), leases }
}
