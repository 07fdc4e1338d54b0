import { isSoft, type Budget } from '../../src/meter/ledger/budget.ts'
import { OverriddenLimits } from '../../src/meter/ledger/overrides.ts'
import { BudgetTable } from '../../src/meter/ledger/table.ts'
import type { Scenario } from './scenario.ts'

/** How soon after a change every node has learnt of it. */
export const NOTICE_MS_MAX = 200
/** An order of before may be on its way. */
const LATE_MS = NOTICE_MS_MAX + 400

interface Configuration {
  readonly fromMs: number
  readonly budgets: ReadonlyMap<string, Budget>
  readonly limits: OverriddenLimits
  readonly table: () => BudgetTable
}

/** What is configured, by its number, from the beginning to the end of a run. */
export class Configurations {
  readonly #all: readonly Configuration[]

  constructor({ budgets, changes }: Scenario) {
    const sorted = changes.toSorted((a, b) => a.atMs - b.atMs)
    this.#all = [{ atMs: -Infinity, limits: {}, overrides: [] }, ...sorted].map((change, generation) => {
      const { atMs, limits, overrides } = change
      const changed = budgets.map((budget) => ({ ...budget, limit: limits[budget.id] ?? budget.limit }))
      return {
        fromMs: atMs,
        budgets: new Map(changed.map((budget) => [budget.id, budget])),
        limits: new OverriddenLimits(overrides),
        table: () => new BudgetTable(changed, overrides, generation),
      }
    })
  }

  /** Each node has a table of its own. */
  tableOf(generation: number): BudgetTable {
    const configuration = this.#all[generation]
    if (configuration === undefined) throw new RangeError(`there is no configuration ${generation}`)
    return configuration.table()
  }

  /** When each begins, but for the first. */
  get changesMs(): number[] {
    return this.#all.slice(1).map(({ fromMs }) => fromMs)
  }

  isSoft(name: string): boolean {
    const [id = ''] = name.split('\0', 1)
    const budget = this.#all[0]?.budgets.get(id)
    return budget === undefined || isSoft(budget.action)
  }

  /** The greatest limit that any node may go by now. */
  limitOf(name: string, nowMs: number): number {
    let greatest = 0
    this.#all.forEach((configuration, at) => {
      const untilMs = this.#all[at + 1]?.fromMs ?? Infinity
      if (configuration.fromMs <= nowMs && untilMs + LATE_MS > nowMs)
        greatest = Math.max(greatest, limitIn(configuration, name))
    })
    return greatest
  }

  greatestLimitOf(name: string): number {
    return this.#all.reduce((greatest, one) => Math.max(greatest, limitIn(one, name)), 0)
  }
}

function limitIn({ budgets, limits }: Configuration, name: string): number {
  const [id = '', subject = ''] = name.split('\0', 2)
  const budget = budgets.get(id)
  return budget === undefined ? 0 : limits.of(budget, subject).limit
}
