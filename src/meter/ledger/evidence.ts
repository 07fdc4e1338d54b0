import type { Key } from '../../store/rows.ts'
import type { Account } from './account.ts'
import type { Escrow } from './escrow.ts'
import type { Hold } from './ledger.ts'
import type { Evidence, Orphan, Proof } from './recover.ts'

/** A log of holds, and what it proves of a node that died.
 *
 *  Without one the whole lease of a dead node is posted: about a second's demand is wasted. With
 *  one only what was open is, at its bound. It proves that much under three conditions, which are
 *  its writer's to keep:
 *
 *  1. The beginning of an epoch is durable before its first hold, and a hold before its engine is
 *     called. So what is not in the log was not used. The end of a hold may come at any time, or
 *     never: then the hold counts at its bound.
 *  2. Nobody who was fenced writes to it any more when it is read. So only who knows that the old
 *     process is gone, such as its successor on the same machine, may offer it; to take a node for
 *     dead from afar, offer `NO_EVIDENCE`.
 *  3. What is read is whole: every hold of the epoch that has no end, and every end that may not
 *     have been posted. Where its beginning is missing, it was cut, and proves nothing. */

export interface BeginEntry {
  readonly kind: 'begin'
  readonly node: string
  readonly epoch: number
}

export interface HoldEntry {
  readonly kind: 'hold'
  readonly node: string
  readonly epoch: number
  /** `Hold.number`: a request may hold, void and hold again. */
  readonly hold: number
  readonly request: string
  readonly attempt: number
  /** What is held at most. */
  readonly parts: readonly Part[]
}

export interface EndEntry {
  readonly kind: 'end'
  readonly node: string
  readonly epoch: number
  /** `Hold.number`: a request may hold, void and hold again. */
  readonly hold: number
  readonly request: string
  readonly attempt: number
  /** The number of the last order of the epoch before the end: a lease that carried out a later
   *  one has it posted. Ends that were logged in their order need be read back only until it falls
   *  below the orders of all leases. */
  readonly after: number
  /** What was used. */
  readonly parts: readonly Part[]
}

export interface Part {
  readonly account: Key
  readonly amount: number
}

/** What holds used of one account that were never logged by themselves, summed up: between all of
 *  them no order was made for it, so one posted all of it or nothing. */
export interface UsedEntry {
  readonly kind: 'used'
  readonly node: string
  readonly epoch: number
  /** The last of them. */
  readonly hold: number
  /** Of the last end; see `EndEntry`. */
  readonly after: number
  readonly part: Part
}

export type HoldLogEntry = BeginEntry | HoldEntry | EndEntry | UsedEntry

export const beginEntry = ({ node, epoch }: Pick<Escrow, 'node' | 'epoch'>): BeginEntry => ({
  kind: 'begin',
  node,
  epoch,
})

/** To be made durable before the engine is called. The hold must be open. */
export const holdEntry = ({ node, epoch }: Pick<Escrow, 'node' | 'epoch'>, hold: Hold): HoldEntry => ({
  kind: 'hold',
  node,
  epoch,
  hold: hold.number,
  request: hold.requestId,
  attempt: hold.attempt,
  parts: partsOf(hold, (_, at) => hold.amounts[at] ?? 0),
})

export const usedEntry = ({ node, epoch }: Pick<Escrow, 'node' | 'epoch'>, used: Used): UsedEntry => ({
  kind: 'used',
  node,
  epoch,
  hold: used.hold,
  after: used.after,
  part: { account: used.account.key, amount: used.amount },
})

/** Sums up ends for `usedEntry`. */
export interface Used {
  readonly account: Account
  /** Of the account, before all of these ends. */
  readonly order: number
  hold: number
  after: number
  amount: number
  /** What was held for them. */
  bound: number
}

/** Of a hold that was settled or voided. */
export const endEntry = ({ node, epoch }: Pick<Escrow, 'node' | 'epoch'>, hold: Hold): EndEntry => ({
  kind: 'end',
  node,
  epoch,
  hold: hold.number,
  request: hold.requestId,
  attempt: hold.attempt,
  after: hold.endedAfter,
  parts: partsOf(hold, ({ posts, budget }) => (posts ? hold.actual[budget.unit] : 0)),
})

const partsOf = ({ accounts }: Hold, amountOf: (account: Account, at: number) => number): Part[] =>
  accounts.map((account, at) => ({ account: account.key, amount: amountOf(account, at) }))

/** Reads what a log has of an epoch, in any order, more than once if it comes so; undefined where
 *  it cannot be read whole. Rejects with a `Fault` where it may be readable later. */
export type ReadHoldLog = (node: string, epoch: number) => Promise<Iterable<HoldLogEntry> | undefined>

/** Evidence from a log; each epoch is read once. */
export function evidenceOf(read: ReadHoldLog): Evidence {
  const epochs = new Map<string, Epoch | undefined>()
  return async (orphan) => {
    const name = `${orphan.epoch} ${orphan.node}`
    if (!epochs.has(name)) epochs.set(name, gather(await read(orphan.node, orphan.epoch), orphan))
    return proofOf(epochs.get(name), orphan)
  }
}

interface Claim {
  readonly hold: number
  readonly amount: number
  /** Infinity: the hold is open. */
  readonly after: number
}

/** By account. */
type Epoch = ReadonlyMap<string, readonly Claim[]>

function gather(entries: Iterable<HoldLogEntry> | undefined, { node, epoch }: Orphan): Epoch | undefined {
  if (entries === undefined) return undefined
  let begun = false
  const holds = new Map<number, HoldEntry | EndEntry>()
  const sums = new Map<string, UsedEntry>()
  for (const entry of entries) {
    if (entry.node !== node || entry.epoch !== epoch) continue
    if (entry.kind === 'begin') begun = true
    else if (entry.kind === 'used') sums.set(`${entry.hold} ${entry.part.account.join('\0')}`, entry)
    else {
      // Of several entries the first stands, as in the journal; an end stands before its hold.
      const known = holds.get(entry.hold)
      if (known === undefined || (known.kind === 'hold' && entry.kind === 'end')) holds.set(entry.hold, entry)
    }
  }
  if (!begun) return undefined
  const claims = new Map<string, Claim[]>()
  const claim = ({ account, amount }: Part, hold: number, after: number): void => {
    const name = account.join('\0')
    const present = claims.get(name)
    if (present === undefined) claims.set(name, [{ hold, amount, after }])
    else present.push({ hold, amount, after })
  }
  for (const entry of holds.values())
    for (const part of entry.parts) claim(part, entry.hold, entry.kind === 'end' ? entry.after : Infinity)
  for (const { part, hold, after } of sums.values()) claim(part, hold, after)
  return claims
}

function proofOf(epoch: Epoch | undefined, { account, term, sequence }: Orphan): Proof | undefined {
  if (epoch === undefined) return undefined
  let settled = 0
  let open = 0
  for (const { hold, amount, after } of epoch.get(account.join('\0')) ?? []) {
    // Of an earlier term, which ended with everything posted.
    if (hold < term) continue
    if (after === Infinity) open += amount
    else if (after >= sequence) settled += amount
  }
  return { settled, open }
}
