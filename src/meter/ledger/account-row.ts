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
  /** The node waits for this much, and since then (the store's time). */
  readonly wants: number
  readonly askedAtMs: number
  /** The store's time at which the node last knew that another waits. For `FIRM_MS` from then all
   *  of the lease is in use, and what comes free goes back at once: nobody need wait for it. */
  readonly firmAtMs: number
}

export interface NodeRow {
  readonly epoch: number
}

/** What recovery needs to know of an account whose budget may be gone by then. */
export interface LeasedRow {
  readonly window: Window
  readonly soft: boolean
  /** What holds may come to at most that its log does not have. */
  readonly unrecorded: number
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

/** Longer than any request waits: a wish that is older is of a node that died or is cut off. */
const WISH_MS = 2_000
/** A wish that lasts is told anew, before it looks like a dead node's. */
const WISH_TOLD_MS = 1_000

const FIRM_MS = 2_000
export const FIRM_TOLD_MS = 1_000

const isFirm = ({ firmAtMs }: LeaseRow, atMs: number): boolean => Math.abs(atMs - firmAtMs) < FIRM_MS

// A time to come is of a store whose clock was wrong.
const isWish = ({ wants, askedAtMs }: LeaseRow, atMs: number): boolean =>
  wants > 0 && Math.abs(atMs - askedAtMs) < WISH_MS

/** The row after an order and a draw. */
export function carryOut(row: AccountRow | undefined, terms: Terms, order: Order, draw: Draw): AccountRow {
  const { node, epoch } = terms
  const present = row?.leases[node]
  const own = present ?? { ...NO_LEASE, epoch, term: order.term }
  const posted = postTo(row?.posted ?? [], terms, order.post)
  // More than the lease can be posted only where a call used more than its bound.
  const kept = Math.max(0, own.amount - (terms.soft ? 0 : order.post) - order.giveBack)
  const leases = { ...row?.leases }
  delete leases[node]
  const others = Object.values(leases)
  const free = terms.limit - sumOf(posted) - leasedBy(others) - kept
  const headroom = free - promised(others, free, own.wants > 0 ? own.askedAtMs : terms.atMs, terms.atMs)
  const sharers = 1 + others.filter(isSharing).length
  const contested = others.some((other) => isWish(other, terms.atMs))
  const granted = terms.soft ? 0 : grantOf(contested ? { ...draw, slice: 0 } : draw, headroom, sharers)
  const wants = draw.least > 0 && granted < draw.least ? draw.least : 0
  const told = own.wants > 0 && terms.atMs - own.askedAtMs < WISH_TOLD_MS
  if (!order.leave)
    leases[node] = {
      epoch,
      term: own.term,
      sequence: order.sequence,
      amount: kept + granted,
      wants,
      askedAtMs: wants > 0 ? (told ? own.askedAtMs : terms.atMs) : 0,
      firmAtMs: contested && terms.atMs - own.firmAtMs >= FIRM_TOLD_MS ? terms.atMs : own.firmAtMs,
    }
  return { posted, leases }
}

const NO_LEASE = { epoch: 0, term: 0, sequence: 0, amount: 0, wants: 0, askedAtMs: 0, firmAtMs: 0 }

/** Whether the second row says anything that the first does not, but for the order's number. */
export function differs(before: AccountRow | undefined, after: AccountRow, node: string): boolean {
  const had = before?.leases[node]
  const has = after.leases[node]
  if (had === undefined || has === undefined) return had !== has
  return (['amount', 'wants', 'askedAtMs', 'firmAtMs'] as const).some((part) => had[part] !== has[part])
}

/** Of the headroom, what is left to those who waited before us, so that a busy node does not take
 *  again and again what it has just given back. What is too little for them keeps nobody else. */
function promised(others: readonly LeaseRow[], headroom: number, askedAtMs: number, atMs: number): number {
  let sum = 0
  for (const other of others)
    if (isWish(other, atMs) && other.askedAtMs < askedAtMs && sum + other.wants <= headroom) sum += other.wants
  return sum
}

function grantOf(draw: Draw, headroom: number, sharers: number): number {
  if (headroom <= 0 || headroom < draw.least) return 0
  return Math.min(headroom, Math.max(draw.all, Math.min(draw.slice, shareOf(headroom, sharers))))
}

const shareOf = (headroom: number, sharers: number): number => Math.floor(headroom / (HEADROOM_PARTS * sharers))

const isSharing = (lease: LeaseRow): boolean => lease.amount > 0 || lease.wants > 0

/** Posts in the newest bucket that any node has posted in, so that a slow clock shortens no
 *  window; drops buckets that count no more. */
function postTo(
  posted: AccountRow['posted'],
  terms: Pick<Terms, 'window' | 'atMs'>,
  amount: number,
): AccountRow['posted'] {
  const { window, atMs } = terms
  if (window.kind !== 'rolling') return amount === 0 ? posted : [[0, addPosted(posted[0]?.[1] ?? 0, amount)]]
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
  /** What other nodes have leased and may not need; not what they have said is in use. */
  readonly recallable: number
  /** What nobody has leased, and of it what is left to those who waited before us. */
  readonly headroom: number
  readonly promised: number
  readonly othersWant: boolean
  /** So long others need not wait for the lease; see `LeaseRow`. */
  readonly firmMs: number
  readonly freedAtMs: number | undefined
}

export function standingOf(row: AccountRow, terms: Terms): Standing {
  const posted = postTo(row.posted, terms, 0)
  const others = Object.entries(row.leases).flatMap(([node, lease]) => (node === terms.node ? [] : lease))
  const own = row.leases[terms.node]
  const sum = sumOf(posted)
  const headroom = terms.limit - sum - leasedBy(others) - (own?.amount ?? 0)
  const oldest = posted[0]?.[0]
  return {
    posted: sum,
    recallable: leasedBy(others.filter((lease) => !isFirm(lease, terms.atMs))),
    headroom,
    promised: promised(others, headroom, own !== undefined && own.wants > 0 ? own.askedAtMs : terms.atMs, terms.atMs),
    othersWant: others.some((lease) => isWish(lease, terms.atMs)),
    firmMs: own === undefined ? 0 : own.firmAtMs + FIRM_MS - terms.atMs,
    freedAtMs:
      terms.window.kind === 'rolling' && oldest !== undefined ? freedAtMs(terms.window.durationMs, oldest) : undefined,
  }
}

export const sumOf = (posted: AccountRow['posted']): number =>
  posted.reduce((sum, [, amount]) => addPosted(sum, amount), 0)

/** Of what was posted, what counts still; `durationMs`: of a rolling window. */
export function countedAt({ posted }: AccountRow, durationMs: number | undefined, atMs: number): number {
  return sumOf(durationMs === undefined ? posted : postTo(posted, { window: { kind: 'rolling', durationMs }, atMs }, 0))
}

export const leasedBy = (leases: readonly LeaseRow[]): number => leases.reduce((sum, { amount }) => sum + amount, 0)

/** The row after a node's lease was recovered: what it spent and had not posted is posted, and the
 *  lease is gone. Without a proof the whole lease counts as used. */
export function recovered(
  row: AccountRow,
  node: string,
  proof: { readonly settled: number; readonly open: number } | undefined,
  terms: Pick<Terms, 'soft' | 'window' | 'atMs'> & { readonly posts: boolean },
): AccountRow {
  const { [node]: lease, ...leases } = row.leases
  if (lease === undefined) return row
  // Its requests ended with the node.
  if (!terms.posts) return { posted: row.posted, leases }
  const amount = terms.soft ? 0 : lease.amount
  if (proof === undefined) return { posted: postTo(row.posted, terms, amount), leases }
  const { settled, open } = proof
  // A log that lost an end tells the bound of a hold that was posted at less, and the rest of it
  // given back: what is left of the lease is all that open holds can use. Unless a call used more
  // than its bound: then the lease is less than what is held.
  const left = terms.soft || settled > amount ? Infinity : amount - settled
  return { posted: postTo(row.posted, terms, addPosted(settled, Math.min(open, left))), leases }
}
