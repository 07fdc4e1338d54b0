import type { Window } from '../../src/meter/ledger/window.ts'
import type { Account } from '../../src/meter/ledger/account.ts'
import type { Hold } from '../../src/meter/ledger/ledger.ts'
import type { Orphan } from '../../src/meter/ledger/recover.ts'

/** What engines did, and what the nodes' logs say: what the ledger is held against. */

export interface Use {
  readonly account: string
  readonly amount: number
  /** Infinity while it lasts. */
  endMs: number
}

/** A hold's part in one account, as the log has it. */
export interface Entry {
  readonly term: string
  readonly bound: number
  /** Durable: the engine may be called. */
  opened: boolean
  /** Undefined until the closing is durable. */
  closed: number | undefined
  /** What the ledger was told, durable or not. */
  settled: number | undefined
}

export const nameOf = (account: Account): string => account.key.join('\0')
const termOf = (node: string, epoch: number, term: number, account: string): string =>
  `${account}\0${node}\0${epoch}\0${term}`

export class Truth {
  readonly limits = new Map<string, { readonly limit: number; readonly window: Window; readonly soft: boolean }>()
  readonly uses = new Map<string, Use[]>()
  /** Of all time. */
  readonly #totals = new Map<string, number>()
  readonly terms = new Map<string, { account: string; entries: Entry[]; proved: number | 'nothing' | undefined }>()

  opened(hold: Hold, node: string, epoch: number): Entry[] {
    return hold.accounts.map((account, at) => {
      const name = nameOf(account)
      const { limit, window } = account.budget
      this.limits.set(name, { limit, window, soft: account.soft })
      const term = termOf(node, epoch, account.term, name)
      const entry: Entry = {
        term,
        bound: hold.amounts[at] ?? 0,
        opened: false,
        closed: undefined,
        settled: undefined,
      }
      let kept = this.terms.get(term)
      if (kept === undefined) this.terms.set(term, (kept = { account: name, entries: [], proved: undefined }))
      kept.entries.push(entry)
      return entry
    })
  }

  use(account: string, amount: number): Use {
    const use: Use = { account, amount, endMs: Infinity }
    let uses = this.uses.get(account)
    if (uses === undefined) this.uses.set(account, (uses = []))
    uses.push(use)
    this.#totals.set(account, (this.#totals.get(account) ?? 0) + amount)
    return use
  }

  /** What the engines used of an account that still counts. */
  used(account: string, nowMs: number): number {
    const window = this.limits.get(account)?.window
    if (window?.kind !== 'rolling') return this.#totals.get(account) ?? 0
    const sinceMs = nowMs - window.durationMs
    let sum = 0
    for (const { amount, endMs } of this.uses.get(account) ?? []) if (endMs > sinceMs) sum += amount
    return sum
  }

  /** What the log proves of a dead node's lease. */
  prove({ node, epoch, term, account }: Orphan, logged: boolean): number | undefined {
    const name = termOf(node, epoch, term, account.join('\0'))
    let kept = this.terms.get(name)
    if (kept === undefined)
      this.terms.set(name, (kept = { account: account.join('\0'), entries: [], proved: undefined }))
    if (!logged) {
      kept.proved = 'nothing'
      return undefined
    }
    const proof = kept.entries.reduce((sum, entry) => sum + (entry.opened ? (entry.closed ?? entry.bound) : 0), 0)
    // Where two recover the same lease, the last to ask need not be the one who did.
    if (kept.proved !== 'nothing') kept.proved = proof
    return proof
  }

  /** What must stand in an account's books when all is over, from and to; undefined: at least what
   *  was used. Where a log lost closings it may be more than was used, up to the bounds. */
  expected(account: string): { readonly least: number; readonly most: number } | undefined {
    let least = 0
    let most = 0
    for (const { account: name, entries, proved } of this.terms.values()) {
      if (name !== account) continue
      if (proved === 'nothing') return undefined
      const counted = entries.reduce((sum, { opened, settled, bound }) => sum + (opened ? (settled ?? bound) : 0), 0)
      least += counted
      most += proved ?? counted
    }
    return { least, most }
  }

  /** Leases of dead nodes, by what was known of them. */
  recoveries(kind: 'proved' | 'nothing'): number {
    let count = 0
    for (const { proved } of this.terms.values())
      if (proved !== undefined && (proved === 'nothing') === (kind === 'nothing')) count++
    return count
  }
}
