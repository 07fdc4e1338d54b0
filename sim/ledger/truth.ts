import { isPosted } from '../../src/meter/ledger/amounts.ts'
import type { Account } from '../../src/meter/ledger/account.ts'
import type { Hold } from '../../src/meter/ledger/ledger.ts'
import type { Orphan } from '../../src/meter/ledger/recover.ts'
import type { Window } from '../../src/meter/ledger/window.ts'

/** What engines did, and what of it is told to the ledger: what the books are held against. */

export interface Use {
  readonly account: string
  readonly amount: number
  /** Infinity while it lasts. */
  endMs: number
}

/** A hold's part in one account. */
export interface Entry {
  readonly bound: number
  /** With a log: on its way there. */
  logged: boolean
  /** The engine may be called: with a log, its hold is durable. */
  opened: boolean
  /** What the ledger was told, durable or not. */
  settled: number | undefined
  /** With a log: its end is durable. */
  closed: boolean
}

interface Kept {
  readonly window: Window
  readonly soft: boolean
  /** Running requests: what ended counts no more. */
  readonly running: boolean
  uses: Use[]
  /** Of all time. */
  total: number
  /** Taken from the books by resets. */
  readonly resets: { readonly amount: number; readonly atMs: number }[]
  readonly terms: Map<string, { readonly entries: Entry[]; recovered: 'proved' | 'nothing' | undefined }>
}

export const nameOf = ({ name }: Account): string => name

/** Rolling windows are counted in buckets: a reset is remembered for longer than the window. */
const FORGIVEN = 1.2

export class Truth {
  readonly accounts = new Map<string, Kept>()
  /** Where a whole lease was posted, used or not. */
  readonly #wasted = new Set<string>()

  opened(hold: Hold, node: string, epoch: number): Entry[] {
    return hold.accounts.map((account, at) => {
      const kept = this.#keep(account)
      const term = this.#term(kept, node, epoch, account.term)
      const entry: Entry = {
        bound: hold.amounts[at] ?? 0,
        logged: false,
        opened: false,
        settled: undefined,
        closed: false,
      }
      term.entries.push(entry)
      return entry
    })
  }

  #keep(account: Account): Kept {
    const name = nameOf(account)
    let kept = this.accounts.get(name)
    if (kept === undefined) {
      const { window, unit } = account.budget
      kept = { window, soft: account.soft, running: !isPosted(unit), uses: [], total: 0, resets: [], terms: new Map() }
      this.accounts.set(name, kept)
    }
    return kept
  }

  #term(
    kept: Kept,
    node: string,
    epoch: number,
    term: number,
  ): { entries: Entry[]; recovered: 'proved' | 'nothing' | undefined } {
    const name = `${node}\0${epoch}\0${term}`
    let known = kept.terms.get(name)
    if (known === undefined) kept.terms.set(name, (known = { entries: [], recovered: undefined }))
    return known
  }

  use(account: Account, amount: number): Use {
    const kept = this.#keep(account)
    const use: Use = { account: nameOf(account), amount: kept.running ? 1 : amount, endMs: Infinity }
    kept.uses.push(use)
    kept.total += use.amount
    return use
  }

  /** What the engines used of an account that still counts, since it was reset. */
  used(account: string, nowMs: number): number {
    const kept = this.accounts.get(account)
    if (kept === undefined) return 0
    const { window, running, uses, total, resets } = kept
    const forgotten = (sinceMs: number): number =>
      resets.reduce((sum, { amount, atMs }) => sum + (atMs > sinceMs ? amount : 0), 0)
    if (running) {
      kept.uses = uses.filter(({ endMs }) => endMs > nowMs)
      return kept.uses.length
    }
    if (window.kind !== 'rolling') return total - forgotten(-Infinity)
    const sinceMs = nowMs - window.durationMs
    kept.uses = uses.filter(({ endMs }) => endMs > sinceMs)
    return kept.uses.reduce((sum, { amount }) => sum + amount, 0) - forgotten(nowMs - FORGIVEN * window.durationMs)
  }

  recovered({ node, epoch, term, account }: Orphan, by: 'proved' | 'nothing'): void {
    const name = account.join('\0')
    if (by === 'nothing') this.#wasted.add(name)
    const kept = this.accounts.get(name)
    const known = kept && this.#term(kept, node, epoch, term)
    // Where two recover the same lease, the last to ask need not be the one who did.
    if (known !== undefined && known.recovered !== 'nothing') known.recovered = by
  }

  reset(account: string, amount: number, atMs: number): void {
    this.accounts.get(account)?.resets.push({ amount, atMs })
  }

  /** What must have been posted to an account when all is over, from and to; undefined: at least
   *  what was used. Holds that were open at a crash count at their bound; where the log lost an end,
   *  once as what it was and once as the bound. */
  expected(account: string): { readonly least: number; readonly most: number } | undefined {
    const kept = this.accounts.get(account)
    if (kept === undefined || this.#wasted.has(account)) return undefined
    let least = 0
    let most = 0
    for (const { entries, recovered } of kept.terms.values()) {
      for (const { logged, opened, settled, closed, bound } of entries) {
        // It got to the log, and its node died before the engine was called.
        if (logged && !opened && recovered === 'proved') most += bound
        if (!opened) continue
        least += settled ?? bound
        most += settled === undefined ? bound : recovered === undefined || closed ? settled : settled + bound
      }
    }
    return { least, most }
  }

  /** Leases of dead nodes, by what was known of them. */
  recoveries(kind: 'proved' | 'nothing'): number {
    let count = 0
    for (const { terms } of this.accounts.values())
      for (const { recovered } of terms.values()) if (recovered === kind) count++
    return count
  }

  /** Holds whose bound a log could not tell from use. */
  get wasted(): number {
    let count = 0
    for (const { terms } of this.accounts.values())
      for (const { entries, recovered } of terms.values())
        if (recovered === 'proved')
          for (const { opened, settled } of entries) if (opened && settled === undefined) count++
    return count
  }
}
