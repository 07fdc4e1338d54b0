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

/** What nobody waits for is written together. Of a call that is over by then only its end is, and
 *  nothing at all of one that is posted. */
const WRITE_MS = 25
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
  /** Counted in their accounts as not on record. */
  readonly #unrecorded = new Set<Hold>()
  /** To be written: holds that are open, and ends. */
  readonly #opened = new Set<Hold>()
  #ended: Hold[] = []
  /** Ended, on record, and maybe not posted yet. */
  #kept: Hold[] = []
  readonly #underWay = new Set<Promise<void>>()
  #writeTimer: Timer | undefined
  #clearTimer: Timer | undefined

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

  /** Puts a hold on record, soon. */
  enlist(hold: Hold): void {
    this.#unrecorded.add(hold)
    this.#opened.add(hold)
    hold.accounts.forEach((account, at) => (account.unrecorded += hold.amounts[at] ?? 0))
    this.#writeSoon()
  }

  /** Whether what these holds are for may be called: undefined where it may; else a promise of when,
   *  which rejects with a `Fault` of the store. */
  ready(holds: readonly Hold[]): Promise<void> | undefined {
    if (!holds.some((hold) => this.#unrecorded.has(hold) && isTooMuch(hold))) return undefined
    void this.#write().catch(() => {})
    // They may be on their way since before.
    return Promise.all(this.#underWay).then(() => {})
  }

  /** A hold was settled or voided. Until that is on record it counts at its bound. */
  end(hold: Hold): void {
    this.#opened.delete(hold)
    this.#ended.push(hold)
    this.#writeSoon()
  }

  /** Writes what is to be written. Nothing is lost where the store refuses: a hold without its end
   *  counts at its bound, and all goes with the epoch. */
  async close(): Promise<void> {
    await this.#write().catch(() => {})
    await this.#takeOut()
    this.#writeTimer?.cancel()
    this.#clearTimer?.cancel()
  }

  #writeSoon(): void {
    this.#writeTimer ??= this.#clock.after(WRITE_MS, () => void this.#write().catch(() => {}))
  }

  #write(): Promise<void> {
    const write = this.#writeAll().finally(() => this.#underWay.delete(write))
    this.#underWay.add(write)
    return write
  }

  /** All that waits, in one commit. What the store refuses waits on, and counts as not on record. */
  async #writeAll(): Promise<void> {
    this.#writeTimer?.cancel()
    this.#writeTimer = undefined
    const opened = [...this.#opened]
    const ended = this.#ended
    this.#opened.clear()
    this.#ended = []
    const unposted = ended.filter((hold) => !isPosted(hold))
    const changes = [
      ...opened.map((hold) => put(HOLDS, keyOf(this.#epoch, hold, 'hold'), holdEntry(this.#epoch, hold))),
      ...unposted.map((hold) => put(HOLDS, keyOf(this.#epoch, hold, 'end'), endEntry(this.#epoch, hold))),
    ]
    try {
      for (let at = 0; at < changes.length; at += BATCH_MAX) await this.#rows.commit(changes.slice(at, at + BATCH_MAX))
    } catch (cause) {
      for (const hold of opened) if (hold.state === 'open') this.#opened.add(hold)
      this.#ended.push(...ended)
      this.#writeSoon()
      throw cause
    }
    for (const hold of [...opened, ...ended]) this.#recorded(hold)
    this.#kept.push(...ended)
    if (this.#kept.length > 0) this.#clearSoon()
  }

  #recorded(hold: Hold): void {
    if (!this.#unrecorded.delete(hold)) return
    hold.accounts.forEach((account, at) => (account.unrecorded -= hold.amounts[at] ?? 0))
  }

  #clearSoon(): void {
    this.#clearTimer ??= this.#clock.after(CLEAR_MS, () => void this.#takeOut())
  }

  async #takeOut(): Promise<void> {
    this.#clearTimer?.cancel()
    this.#clearTimer = undefined
    const posted = this.#kept.filter(isPosted)
    this.#kept = this.#kept.filter((hold) => !isPosted(hold))
    for (let at = 0; at < posted.length; at += BATCH_MAX / 2) {
      const batch = posted.slice(at, at + BATCH_MAX / 2)
      const changes = batch.flatMap((hold) => [
        remove(HOLDS, keyOf(this.#epoch, hold, 'hold')),
        remove(HOLDS, keyOf(this.#epoch, hold, 'end')),
      ])
      await this.#rows.commit(changes).catch(() => this.#kept.push(...batch))
    }
    if (this.#kept.length > 0) this.#clearSoon()
  }
}

/** More is not on record than a crash may be posted. */
const isTooMuch = ({ accounts }: Hold): boolean =>
  accounts.some(({ posts, soft, unrecorded, unrecordedMax }) => posts && !soft && unrecorded > unrecordedMax)

/** An order that was made after the end has posted what was used. */
const isPosted = ({ accounts, endedAfter }: Hold): boolean =>
  accounts.every(({ carried, retired }) => retired || carried > endedAfter)
