import { type AccountRow, ACCOUNTS, LEASED, leasedBy, sumOf } from '../../src/meter/ledger/account-row.ts'
import type { Account } from '../../src/meter/ledger/account.ts'
import type { Shortfall } from '../../src/meter/ledger/shortfall.ts'
import type { Rows } from '../../src/store/rows.ts'
import type { Kernel } from '../kernel.ts'
import type { Configurations } from './configurations.ts'
import type { LedgerInvariant } from './invariants.ts'
import type { SimNode } from './node.ts'
import type { RequestPlan, Scenario } from './scenario.ts'
import { RESETTER } from './store.ts'
import { nameOf, type Truth } from './truth.ts'

/** Holds the books against the truth: whenever a row changes or an engine begins, after every step
 *  of a node, at the first refusal, and when all is over. */
export class Judge {
  readonly #kernel: Kernel<LedgerInvariant>
  readonly #scenario: Scenario
  readonly #truth: Truth
  readonly #configurations: Configurations
  readonly #durable = new Map<string, AccountRow>()
  /** Posted and leased, by account. */
  readonly #covered = new Map<string, number>()
  readonly #refused = new Set<string>()
  /** The worst share of a limit that could not be used, of calm runs. */
  unusable = 0
  refusals = 0
  resets = 0
  swept = 0

  constructor(kernel: Kernel<LedgerInvariant>, scenario: Scenario, truth: Truth, configurations: Configurations) {
    this.#kernel = kernel
    this.#scenario = scenario
    this.#truth = truth
    this.#configurations = configurations
  }

  durable(name: string, row: AccountRow | undefined, by: number): void {
    const before = this.#durable.get(name)
    if (by === RESETTER && before !== undefined && row !== undefined) this.#reset(name, sumOf(before.posted))
    if (row === undefined) {
      this.#durable.delete(name)
      this.swept++
    } else this.#durable.set(name, row)
    const posted = sumOf(row?.posted ?? [])
    const leased = leasedBy(Object.values(row?.leases ?? {}))
    const had = this.#covered.get(name) ?? 0
    this.#covered.set(name, posted + leased)
    if (this.#configurations.isSoft(name)) return
    // A limit that was lowered below what is used takes nothing back, but grants nothing more.
    const limit = this.#configurations.limitOf(name, this.#kernel.nowMs)
    if (posted + leased > Math.max(limit, had))
      this.#broken('posted and leased stay within the limit', name, `${posted} + ${leased} > ${limit}`)
    this.cover(name)
  }

  #reset(name: string, posted: number): void {
    this.resets++
    this.#truth.reset(name, posted, this.#kernel.nowMs)
  }

  step(nodes: readonly SimNode[]): void {
    for (const node of nodes) {
      if (!node.touched) continue
      node.touched = false
      if (node.escrow === undefined || node.escrow.fenced || node.ledger === undefined) continue
      const held = new Map<Account, number>()
      for (const hold of node.ledger.openHolds)
        for (let at = 0; at < hold.accounts.length; at++) {
          const account = hold.accounts[at]
          if (account !== undefined) held.set(account, (held.get(account) ?? 0) + (hold.amounts[at] ?? 0))
        }
      for (const account of node.escrow.accounts) this.#balance(account, held.get(account) ?? 0)
    }
  }

  #balance(account: Account, held: number): void {
    const { pending, unposted, available, returning, lease, order, soft } = account
    const parts = available + pending + unposted + returning + (order?.giveBack ?? 0)
    if (pending !== held) this.#broken('the double entry balances', nameOf(account), `${pending} pending, ${held} held`)
    if (soft) return
    if (parts !== lease || available < 0)
      this.#broken(
        'the double entry balances',
        nameOf(account),
        `${available} + ${pending} + ${unposted} is not ${lease}`,
      )
  }

  /** What an account's engines used is in the books. */
  cover(name: string): void {
    if (this.#configurations.isSoft(name)) return
    const used = this.#truth.used(name, this.#kernel.nowMs)
    const covered = this.#covered.get(name) ?? 0
    const limit = this.#configurations.greatestLimitOf(name)
    if (used > limit) this.#broken('no engine uses more than the limit', name, `${used} of ${limit}`)
    if (used > covered) this.#broken('what was used is posted or leased', name, `${used} used, ${covered} covered`)
  }

  refused(request: RequestPlan, shortfall: Shortfall, nodes: readonly SimNode[]): void {
    this.refusals++
    const { usedMin } = this.#scenario
    if (usedMin === undefined || shortfall.reason !== 'spent') return
    for (const { account, budget, needed } of shortfall.short) {
      if (account === undefined || this.#refused.has(nameOf(account))) continue
      const name = nameOf(account)
      this.#refused.add(name)
      let counted = sumOf(this.#durable.get(name)?.posted ?? [])
      for (const { escrow } of nodes)
        for (const one of escrow?.accounts ?? []) if (nameOf(one) === name) counted += one.pending + one.unposted
      const unusable = (budget.limit - counted - needed) / budget.limit
      this.unusable = Math.max(this.unusable, unusable)
      if (unusable > 1 - usedMin)
        this.#broken(
          'a budget is used before it is refused',
          name,
          `${request.id}: ${counted} + ${needed} of ${budget.limit}`,
        )
    }
  }

  /** When all nodes are closed. */
  async final(rows: Rows, nodes: readonly SimNode[]): Promise<void> {
    const leased = await rows.scan(LEASED, { limit: 1 })
    if (leased[0] !== undefined) this.#broken('no hold is orphaned', leased[0].key.join(' '), 'is leased still')
    for (const { key, row } of await rows.scan(ACCOUNTS, { limit: 1_000 })) {
      const name = key.join('\0')
      if (Object.keys(row.leases).length > 0) this.#broken('no hold is orphaned', name, 'has a lease left')
      this.#total(name, sumOf(row.posted), nodes)
    }
    for (const { id, node } of this.#scenario.requests)
      if (nodes[node]?.answers.get(id) === undefined) this.#broken('every request is answered', id, 'still waits')
  }

  #total(name: string, inBooks: number, nodes: readonly SimNode[]): void {
    const known = this.#truth.accounts.get(name)
    if (known === undefined || known.window.kind === 'rolling') return
    if (known.running) {
      if (inBooks !== 0) this.#broken('running requests use nothing up', name, `${inBooks} posted`)
      return
    }
    // A soft budget leases nothing: what a node had not posted when it died is in the log only.
    if (known.soft && nodes.some(({ lives }) => lives > 1)) return
    const posted = inBooks + known.resets.reduce((sum, { amount }) => sum + amount, 0)
    const expected = this.#truth.expected(name)
    const { least, most } = expected ?? { least: known.total, most: Infinity }
    if (posted < least || posted > most)
      this.#broken('usage is the sum of its parts', name, `${posted} posted, ${least} to ${most} expected`)
  }

  #broken(invariant: LedgerInvariant, name: string, detail: string): void {
    this.#kernel.violate(invariant, `${name.replaceAll('\0', ' ')}: ${detail}`)
  }
}
