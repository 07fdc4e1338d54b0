import { type AccountRow, ACCOUNTS, LEASED, leasedBy, sumOf } from '../../src/meter/ledger/account-row.ts'
import type { Account } from '../../src/meter/ledger/account.ts'
import type { Shortfall } from '../../src/meter/ledger/shortfall.ts'
import type { Rows } from '../../src/store/rows.ts'
import type { Kernel } from '../kernel.ts'
import type { LedgerInvariant } from './invariants.ts'
import type { SimNode } from './node.ts'
import type { RequestPlan, Scenario } from './scenario.ts'
import { nameOf, type Truth } from './truth.ts'

/** Holds the books against the truth: whenever a row changes, after every step, at the first
 *  refusal, and when all is over. */
export class Judge {
  readonly #kernel: Kernel<LedgerInvariant>
  readonly #scenario: Scenario
  readonly #truth: Truth
  readonly #durable = new Map<string, AccountRow>()
  /** Posted and leased, by account. */
  readonly #covered = new Map<string, number>()
  readonly #refused = new Set<string>()
  /** The worst share of a limit that could not be used, of calm runs. */
  unusable = 0
  refusals = 0

  constructor(kernel: Kernel<LedgerInvariant>, scenario: Scenario, truth: Truth) {
    this.#kernel = kernel
    this.#scenario = scenario
    this.#truth = truth
  }

  durable(name: string, row: AccountRow): void {
    this.#durable.set(name, row)
    const posted = sumOf(row.posted)
    const leased = leasedBy(Object.values(row.leases))
    this.#covered.set(name, posted + leased)
    const known = this.#truth.limits.get(name) ?? this.#limitOf(name)
    if (known === undefined || known.soft) return
    if (posted + leased > known.limit)
      this.#broken('posted and leased stay within the limit', name, `${posted} + ${leased} > ${known.limit}`)
  }

  #limitOf(name: string): { limit: number; soft: boolean } | undefined {
    const budget = this.#scenario.budgets.find(({ id }) => name.startsWith(`${id}\0`))
    return budget && { limit: budget.limit, soft: budget.action.kind === 'warn' }
  }

  step(nodes: readonly SimNode[]): void {
    for (const node of nodes) {
      if (node.escrow === undefined || node.escrow.fenced || node.ledger === undefined) continue
      const held = new Map<Account, number>()
      for (const hold of node.ledger.openHolds)
        hold.accounts.forEach((account, at) => held.set(account, (held.get(account) ?? 0) + (hold.amounts[at] ?? 0)))
      for (const account of node.escrow.accounts) this.#balance(account, held.get(account) ?? 0)
    }
    for (const [name, { limit, soft }] of this.#truth.limits) if (!soft) this.#cover(name, limit)
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

  #cover(name: string, limit: number): void {
    const used = this.#truth.used(name, this.#kernel.nowMs)
    if (used > limit) this.#broken('no engine uses more than the limit', name, `${used} of ${limit}`)
    const covered = this.#covered.get(name) ?? 0
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
      const known = this.#truth.limits.get(name)
      if (known === undefined || known.window.kind === 'rolling') continue
      // A soft budget leases nothing: what a node had not posted when it died is in the log only.
      if (known.soft && nodes.some(({ lives }) => lives > 1)) continue
      const expected = this.#truth.expected(name)
      const posted = sumOf(row.posted)
      const used = this.#truth.used(name, Infinity)
      const { least, most } = expected ?? { least: used, most: Infinity }
      if (posted < least || posted > most)
        this.#broken(
          'usage is the sum of its parts',
          name,
          `${posted} posted, ${least} to ${most} expected, ${used} used`,
        )
    }
    for (const { id, node } of this.#scenario.requests)
      if (nodes[node]?.answers.get(id) === undefined) this.#broken('every request is answered', id, 'still waits')
  }

  #broken(invariant: LedgerInvariant, name: string, detail: string): void {
    this.#kernel.violate(invariant, `${name.replaceAll('\0', ' ')}: ${detail}`)
  }
}
