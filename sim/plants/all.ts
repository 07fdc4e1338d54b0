import { ANSWER_PLANTS } from './answer.ts'
import { BILL_PLANTS } from './bill.ts'
import { BUDGET_PLANTS } from './budgets.ts'
import { JOURNAL_PLANTS } from './journal.ts'
import { LEFTOVERS_PLANTS } from './leftovers.ts'
import type { Plants } from './ports.ts'

/** Faults put at the ports on purpose: for every invariant at least one that breaks it, so that a
 *  simulation that sees nothing is known to have eyes. */
export const PLANTS: Plants = {
  ...JOURNAL_PLANTS,
  ...BILL_PLANTS,
  ...BUDGET_PLANTS,
  ...ANSWER_PLANTS,
  ...LEFTOVERS_PLANTS,
}
