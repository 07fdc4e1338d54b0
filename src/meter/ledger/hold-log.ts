import type { Clock, Timer } from '../../base/clock.ts'
import { type Change, put, remove, type Rows, scanAll, table } from '../../store/rows.ts'
import type { Escrow } from './escrow.ts'
import { beginEntry, endEntry, holdEntry, type HoldLogEntry, type ReadHoldLog } from './evidence.ts'
import type { Hold } from './ledger.ts'

/** A node's log of holds in the rows. A hold is durable before its engine is called, or is one of
 *  few that are not yet; its end is written soon after it, and both go when what was used is posted.
 *  So after a crash a node is posted what it used, open calls at their bound, and those few, rather
 *  than all that it had leased. */

/** By node, epoch, number and `hold` or `end`. */
const HOLDS = table<HoldLogEntry>('ledger.holds')

/** Ends are written together. */
const FLUSH_MS = 5
/** How often what is posted is taken out: a tick of the escrow posts it. */
const CLEAR_MS = 500
/** Changes of one commit. */
const BATCH_MAX = 1_000

type Epoch = Pick<Escrow, 'node' | 'epoch'>

const epochKey = ({ node, epoch }: Epoch): string[] => [node, String(epoch)]
const keyOf = (epoch: Epoch, { number }: Hold, part: 'hold' | 'end'): string[] => [
  ...epochKey(epoch),
  String(number),
  part,
]

/** What the log of an epoch has. Only for the successor of a process that is gone. */
export function holdLogIn(rows: Rows): ReadHoldLog {
  return async (node, epoch) => {
    const entries: HoldLogEntry[] = []
    for await (const { row } of scanAll(rows, HOLDS, epochKey({ node, epoch }))) entries.push(row)
    return entries
  }
}

export class HoldLog {
  readonly #rows: Rows
  readonly #clock: Clock
  readonly #epoch: Epoch
  readonly #unrecorded = new Set<Hold>()
  #ended: Hold[] = []
  /** Ended, on record, and maybe not posted yet. */
  #kept: Hold[] = []
  #flush: Timer | undefined
  #clear: Timer | undefined

  private constructor(rows: Rows, clock: Clock, epoch: Epoch) {
    this.#rows = rows
    this.#clock = clock
    this.#epoch = epoch
  }

  /** Begins the log of an epoch, and forgets those of the node before it. */
  static async open(rows: Rows, clock: Clock, epoch: Epoch): Promise<HoldLog> {
    await rows.commit([put(HOLDS, [...epochKey(epoch), '0', 'begin'], beginEntry(epoch))])
    let changes: Change[] = []
    for await (const { key } of scanAll(rows, HOLDS, [epoch.node])) {
      if (key[1] === String(epoch.epoch)) continue
      changes.push(remove(HOLDS, key))
      if (changes.length < BATCH_MAX) continue
      await rows.commit(changes)
      changes = []
    }
    if (changes.length > 0) await rows.commit(changes)
    return new HoldLog(rows, clock, epoch)
  }

  /** Puts a hold on record. Undefined where its engine may be called meanwhile; else resolves when
   *  it may, or rejects with a `Fault` of the store. */
  open(hold: Hold): Promise<void> | undefined {
    let mayGoOn = true
    this.#unrecorded.add(hold)
    hold.accounts.forEach((account, at) => {
      account.unrecorded += hold.amounts[at] ?? 0
      if (account.posts && !account.soft && account.unrecorded > account.unrecordedMax) mayGoOn = false
    })
    const change = put(HOLDS, keyOf(this.#epoch, hold, 'hold'), holdEntry(this.#epoch, hold))
    const recorded = this.#rows.commit([change]).then(() => this.#recorded(hold))
    if (!mayGoOn)
      return recorded.catch((cause: unknown) => {
        this.#recorded(hold) // It will not be used.
        throw cause
      })
    // It stays what it is, unrecorded, until its end is on record.
    recorded.catch(() => {})
    return undefined
  }

  #recorded(hold: Hold): void {
    if (!this.#unrecorded.delete(hold)) return
    hold.accounts.forEach((account, at) => (account.unrecorded -= hold.amounts[at] ?? 0))
  }

  /** A hold was settled or voided. Until that is on record it counts at its bound. */
  end(hold: Hold): void {
    this.#ended.push(hold)
    this.#flush ??= this.#clock.after(FLUSH_MS, () => void this.#write())
  }

  /** Writes what is to be written. Nothing is lost where the store refuses: a hold without its end
   *  counts at its bound, and all goes with the epoch. */
  async close(): Promise<void> {
    this.#flush?.cancel()
    this.#clear?.cancel()
    await this.#write()
    this.#clear?.cancel()
    await this.#takeOut()
    this.#clear?.cancel()
  }

  async #write(): Promise<void> {
    this.#flush = undefined
    while (this.#ended.length > 0) {
      const batch = this.#ended.splice(0, BATCH_MAX)
      const changes = batch.map((hold) => put(HOLDS, keyOf(this.#epoch, hold, 'end'), endEntry(this.#epoch, hold)))
      const isWritten = await this.#rows.commit(changes).catch(() => false)
      for (const hold of batch) {
        if (isWritten) this.#recorded(hold)
        this.#kept.push(hold)
      }
    }
    if (this.#kept.length > 0) this.#clear ??= this.#clock.after(CLEAR_MS, () => void this.#takeOut())
  }

  async #takeOut(): Promise<void> {
    this.#clear = undefined
    const posted = this.#kept.filter(isPosted)
    // Of what is posted a crash need know nothing, on record or not.
    for (const hold of posted) this.#recorded(hold)
    this.#kept = this.#kept.filter((hold) => !isPosted(hold))
    for (let at = 0; at < posted.length; at += BATCH_MAX / 2) {
      const batch = posted.slice(at, at + BATCH_MAX / 2)
      const changes = batch.flatMap((hold) => [
        remove(HOLDS, keyOf(this.#epoch, hold, 'hold')),
        remove(HOLDS, keyOf(this.#epoch, hold, 'end')),
      ])
      await this.#rows.commit(changes).catch(() => this.#kept.push(...batch))
    }
    if (this.#kept.length > 0) this.#clear ??= this.#clock.after(CLEAR_MS, () => void this.#takeOut())
  }
}

/** An order that was made after the end has posted what was used. */
const isPosted = ({ accounts, endedAfter }: Hold): boolean =>
  accounts.every(({ carried, retired }) => retired || carried > endedAfter)
