import type { Clock, Timer } from '../../base/clock.ts'
import { type Change, type Key, put, remove, type Rows, scanAll, table } from '../../store/rows.ts'
import type { Account } from './account.ts'
import type { Escrow } from './escrow.ts'
import {
  beginEntry,
  endEntry,
  holdEntry,
  type HoldLogEntry,
  type ReadHoldLog,
  type Used,
  usedEntry,
} from './evidence.ts'
import type { Hold } from './ledger.ts'

/** A node's log of holds in the rows. A hold is durable before its engine is called, or is one of
 *  few that are not; what was used is written soon after its end, and goes when it is posted. So
 *  after a crash a node is posted what it used, open calls at their bound, and those few, rather
 *  than all that it had leased.
 *
 *  As long as those few are few, none of them is written while it is open, and their ends are summed
 *  up by account: a busy node writes its accounts, not its requests. */

/** By node, epoch, number, and `hold`, `end` or `used` with the account. */
const HOLDS = table<HoldLogEntry>('ledger.holds')

/** What nobody waits for is written together, sooner where much is not on record. Of a call that is
 *  over by then only its end is, and nothing at all of one that is posted. */
const WRITE_MS = 100
const WRITE_MUCH_MS = 25
/** Of what may be missing on record; beyond it open holds are written. */
const MUCH_SHARE = 0.5
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

const usedKey = (epoch: Epoch, { hold, account }: Used): string[] => [
  ...epochKey(epoch),
  String(hold),
  'used',
  ...account.key,
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
  /** Open, counted in their accounts as not on record. */
  readonly #unrecorded = new Set<Hold>()
  /** Those of them that are on their way to no store. */
  readonly #opened = new Set<Hold>()
  /** Ends of holds that are on record, or on their way to it. */
  #ended: Hold[] = []
  /** Ends of all others: by account, and those that an order closed. */
  #using = new Map<Account, Used>()
  #used: Used[] = []
  /** On record, and maybe not posted yet. */
  #kept: Kept[] = []
  readonly #underWay = new Set<Promise<void>>()
  #writeTimer: Timer | undefined
  #writeAtMs = Infinity
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

  /** Counts a hold as not on record, and puts it there if there are too many. */
  enlist(hold: Hold): void {
    this.#unrecorded.add(hold)
    this.#opened.add(hold)
    const { accounts, amounts } = hold
    for (let at = 0; at < accounts.length; at++) {
      const account = accounts[at]
      if (account !== undefined) account.unrecorded += amounts[at] ?? 0
    }
    if (isMuch(hold)) this.#writeSoon(WRITE_MUCH_MS)
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
    if (this.#opened.delete(hold)) {
      this.#unrecorded.delete(hold)
      hold.accounts.forEach((account, at) => this.#sumUp(hold, account, hold.amounts[at] ?? 0))
      this.#writeSoon(isMuch(hold) ? WRITE_MUCH_MS : WRITE_MS)
    } else {
      this.#ended.push(hold)
      this.#writeSoon(WRITE_MUCH_MS)
    }
  }

  #sumUp(hold: Hold, account: Account, bound: number): void {
    const amount = account.posts ? hold.actual[account.budget.unit] : 0
    const order = account.order?.sequence ?? account.carried
    const sum = this.#using.get(account)
    if (sum !== undefined && sum.order === order) {
      sum.hold = Math.max(sum.hold, hold.number)
      sum.after = hold.endedAfter
      sum.amount += amount
      sum.bound += bound
      return
    }
    if (sum !== undefined) this.#used.push(sum)
    this.#using.set(account, { account, order, hold: hold.number, after: hold.endedAfter, amount, bound })
  }

  /** Writes what is to be written. Nothing is lost where the store refuses: a hold without its end
   *  counts at its bound, and all goes with the epoch. */
  async close(): Promise<void> {
    await this.#write().catch(() => {})
    await this.#takeOut()
    this.#writeTimer?.cancel()
    this.#clearTimer?.cancel()
  }

  #writeSoon(delayMs: number): void {
    const atMs = this.#clock.monotonicMs() + delayMs
    if (this.#writeTimer !== undefined && this.#writeAtMs <= atMs) return
    this.#writeTimer?.cancel()
    this.#writeAtMs = atMs
    this.#writeTimer = this.#clock.after(delayMs, () => void this.#write().catch(() => {}))
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
    const opened = [...this.#opened].filter(isMuch)
    for (const hold of opened) this.#opened.delete(hold)
    const ended = this.#ended
    this.#ended = []
    const used = [...this.#used, ...this.#using.values()]
    this.#used = []
    this.#using = new Map()
    const changes = [
      ...opened.map((hold) => put(HOLDS, keyOf(this.#epoch, hold, 'hold'), holdEntry(this.#epoch, hold))),
      ...ended
        .filter((hold) => !isPosted(hold))
        .map((hold) => put(HOLDS, keyOf(this.#epoch, hold, 'end'), endEntry(this.#epoch, hold))),
      ...used
        .filter((one) => !isSumPosted(one))
        .map((one) => put(HOLDS, usedKey(this.#epoch, one), usedEntry(this.#epoch, one))),
    ]
    try {
      for (let at = 0; at < changes.length; at += BATCH_MAX) await this.#rows.commit(changes.slice(at, at + BATCH_MAX))
    } catch (cause) {
      for (const hold of opened) if (hold.state === 'open') this.#opened.add(hold)
      this.#ended.push(...ended)
      this.#used.push(...used)
      this.#writeSoon(WRITE_MUCH_MS)
      throw cause
    }
    for (const hold of [...opened, ...ended]) this.#recorded(hold)
    for (const { account, bound } of used) account.unrecorded -= bound
    this.#kept.push(
      ...ended.map((hold) => keptHold(this.#epoch, hold)),
      ...used.map((one) => keptSum(this.#epoch, one)),
    )
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
    const posted: Kept[] = []
    const unposted: Kept[] = []
    for (const one of this.#kept) (one.isPosted() ? posted : unposted).push(one)
    this.#kept = unposted
    for (let at = 0; at < posted.length; at += BATCH_MAX / 2) {
      const batch = posted.slice(at, at + BATCH_MAX / 2)
      const changes = batch.flatMap(({ keys }) => keys.map((key) => remove(HOLDS, key)))
      await this.#rows.commit(changes).catch(() => this.#kept.push(...batch))
    }
    if (this.#kept.length > 0) this.#clearSoon()
  }
}

/** What is taken out once it is posted. */
interface Kept {
  readonly keys: readonly Key[]
  readonly isPosted: () => boolean
}

const keptHold = (epoch: Epoch, hold: Hold): Kept => ({
  keys: [keyOf(epoch, hold, 'hold'), keyOf(epoch, hold, 'end')],
  isPosted: () => isPosted(hold),
})

const keptSum = (epoch: Epoch, used: Used): Kept => ({
  keys: [usedKey(epoch, used)],
  isPosted: () => isSumPosted(used),
})

/** More is not on record than a crash may be posted. */
const isTooMuch = ({ accounts }: Hold): boolean =>
  accounts.some(({ posts, soft, unrecorded, unrecordedMax }) => posts && !soft && unrecorded > unrecordedMax)

const isMuch = ({ accounts }: Hold): boolean =>
  accounts.some(
    ({ posts, soft, unrecorded, unrecordedMax }) => posts && !soft && unrecorded > MUCH_SHARE * unrecordedMax,
  )

/** An order that was made after the end has posted what was used. */
const isPosted = ({ accounts, endedAfter }: Hold): boolean =>
  accounts.every(({ carried, retired }) => retired || carried > endedAfter)

const isSumPosted = ({ account: { carried, retired }, after }: Used): boolean => retired || carried > after
