import { type Key, put, remove, type Rows, scanAll, table } from '../../store/rows.ts'
import { AMOUNT_MAX, isAmount } from './amounts.ts'
import type { Budget, BudgetProblem } from './budget.ts'

/** A limit that stands in for a budget's own for a while, granted by somebody for a reason. What
 *  was used before counts against it, and what was used under it counts when it has ended. */
export interface Override {
  /** Unique; what it is removed by. */
  readonly id: string
  /** The budget's id. */
  readonly budget: string
  /** Whose limit it is: the key, user, team ...; the empty text where the budget is for all;
   *  `EVERY_SUBJECT` for each subject that has none of its own. */
  readonly subject: string
  /** In the budget's unit; 0: nothing may be used. */
  readonly limit: number
  /** In force at [fromMs, untilMs), wall time. */
  readonly fromMs: number
  readonly untilMs: number
  readonly reason: string
  /** Who granted it. */
  readonly by: string
}

const EVERY_SUBJECT = '*'

/** By budget, subject, id. */
const OVERRIDES = table<Override>('ledger.overrides')

/** What lasts longer is no exception: the budget itself should say it. */
const OVERRIDE_MS_MAX = 366 * 24 * 3_600_000
const TEXT_UNITS_MAX = 500
const NAME_UNITS_MAX = 256

/** Everything wrong with an override, against the budgets as configured. */
export function checkOverride(override: Override, budgets: Iterable<Budget>, nowMs: number): BudgetProblem[] {
  const problems: BudgetProblem[] = []
  const wrong = (part: keyof Override, wrong: string, remedy: string): void =>
    void problems.push({ path: [part], wrong, remedy })
  const { id, limit, fromMs, untilMs, reason, by } = override
  if (!isText(id, NAME_UNITS_MAX)) wrong('id', `is no name of 1 to ${NAME_UNITS_MAX} characters`, 'Leave it out.')
  checkSubject(override, budgets, wrong)
  if (!isAmount(limit)) wrong('limit', `is no whole number from 0 to ${AMOUNT_MAX}`, 'Money counts in nano-USD.')
  if (!Number.isSafeInteger(fromMs)) wrong('fromMs', 'is no time', 'Say it in milliseconds since 1970.')
  if (!Number.isSafeInteger(untilMs)) wrong('untilMs', 'is no time', 'Say it in milliseconds since 1970.')
  else if (untilMs <= nowMs) wrong('untilMs', 'is in the past', 'Say when it is to end.')
  else if (untilMs <= fromMs) wrong('untilMs', 'is not after its beginning', 'Let it end later.')
  else if (untilMs - Math.max(fromMs, nowMs) > OVERRIDE_MS_MAX)
    wrong('untilMs', 'is more than a year away', 'Change the limit of the budget itself.')
  if (!isText(reason, TEXT_UNITS_MAX))
    wrong('reason', `is no text of 1 to ${TEXT_UNITS_MAX} characters`, 'Say briefly why.')
  if (!isText(by, NAME_UNITS_MAX)) wrong('by', `is no name of 1 to ${NAME_UNITS_MAX} characters`, 'Say who grants it.')
  return problems
}

type Wrong = (part: keyof Override, wrong: string, remedy: string) => void

function checkSubject({ budget: id, subject }: Override, budgets: Iterable<Budget>, wrong: Wrong): void {
  const budget = [...budgets].find((one) => one.id === id)
  if (budget === undefined) return wrong('budget', 'is the id of no budget', 'Name one of the configured budgets.')
  if (subject === EVERY_SUBJECT) return
  const { scope, match } = budget
  if (match === '*') {
    if (!isText(subject, NAME_UNITS_MAX))
      wrong('subject', `is no name of 1 to ${NAME_UNITS_MAX} characters`, `Name one ${scope}, or write "*" for each.`)
  } else if (subject !== (match ?? ''))
    wrong(
      'subject',
      match === undefined ? 'has no meaning: the budget is for all' : `is not "${match}", whom the budget is for`,
      'Leave it out.',
    )
}

const isText = (text: string, unitsMax: number): boolean =>
  text.length > 0 && text.length <= unitsMax && !text.includes('\0') && text.isWellFormed()

const keyOf = ({ budget, subject, id }: Pick<Override, 'budget' | 'subject' | 'id'>): Key => [budget, subject, id]

/** Keeps an override that has passed `checkOverride`; false where the id is taken. */
export const putOverride = (rows: Rows, override: Override): Promise<boolean> =>
  rows.commit([put(OVERRIDES, keyOf(override), override, 0)])

/** The override that was there; undefined: none was. */
export async function removeOverride(
  rows: Rows,
  which: Pick<Override, 'budget' | 'subject' | 'id'>,
): Promise<Override | undefined> {
  for (;;) {
    const stored = await rows.get(OVERRIDES, keyOf(which))
    if (stored === undefined) return undefined
    if (await rows.commit([remove(OVERRIDES, stored.key, stored.version)])) return stored.row
  }
}

/** By budget and subject; all of one budget where it is named. Those that have ended too. */
export async function listOverrides(rows: Rows, budget?: string): Promise<Override[]> {
  const found: Override[] = []
  for await (const { row } of scanAll(rows, OVERRIDES, budget === undefined ? [] : [budget])) found.push(row)
  return found
}

export const isInForce = ({ fromMs, untilMs }: Override, nowMs: number): boolean => fromMs <= nowMs && nowMs < untilMs

/** When the next one begins or ends, and a table of the budgets is to be made anew; Infinity:
 *  none does. */
export function overridesChangeMs(overrides: Iterable<Override>, nowMs: number): number {
  let nextMs = Infinity
  for (const { fromMs, untilMs } of overrides)
    for (const atMs of [fromMs, untilMs]) if (atMs > nowMs && atMs < nextMs) nextMs = atMs
  return nextMs
}

/** The limits that overrides in force put in place of the budgets' own. A subject's own goes
 *  before one for every subject; of several the one that began last, then the one that ends last. */
export class OverriddenLimits {
  readonly #byBudget = new Map<string, Map<string, Override>>()

  constructor(inForce: Iterable<Override>) {
    for (const override of inForce) {
      let bySubject = this.#byBudget.get(override.budget)
      if (bySubject === undefined) this.#byBudget.set(override.budget, (bySubject = new Map()))
      const other = bySubject.get(override.subject)
      if (other === undefined || isBefore(other, override)) bySubject.set(override.subject, override)
    }
  }

  /** The budget as it is for a subject. */
  of(budget: Budget, subject: string): Budget {
    const bySubject = this.#byBudget.get(budget.id)
    const override = bySubject?.get(subject) ?? bySubject?.get(EVERY_SUBJECT)
    return override === undefined ? budget : { ...budget, limit: override.limit }
  }
}

function isBefore(a: Override, b: Override): boolean {
  if (a.fromMs !== b.fromMs) return a.fromMs < b.fromMs
  return a.untilMs !== b.untilMs ? a.untilMs < b.untilMs : a.id < b.id
}
