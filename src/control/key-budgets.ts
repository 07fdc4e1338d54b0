import { refuse, type Refusal } from '../base/errors.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { explain, type Issue } from '../config/explain.ts'
import { type ConfigProblem, pathText } from '../config/problem.ts'
import { OWN_BUDGETS } from '../config/budgets.ts'
import { ownBudgets } from '../meter/declared.ts'

/** The budgets that a key is to carry itself, from outside: written like those of the configuration,
 *  without `scope` and `match`. */
export function readKeyBudgets(given: Json): readonly JsonObject[] | Refusal {
  const parsed = OWN_BUDGETS.safeParse(given)
  if (!parsed.success) {
    const root = { budgets: given }
    const issues = parsed.error.issues.map((issue) => ({ ...issue, path: ['budgets', ...issue.path] }))
    return refused(explain(issues as unknown as readonly Issue[], root, NO_FILE))
  }
  const own = ownBudgets(parsed.data)
  return isProblems(own)
    ? refused(own)
    : own.map((budget) => ({ ...budget, window: { ...budget.window }, action: { ...budget.action } }))
}

const NO_FILE = { value: {}, problems: [], locate: () => undefined }

const isProblems = (list: ReturnType<typeof ownBudgets>): list is ConfigProblem[] => list.some((one) => 'wrong' in one)

const refused = ([first]: readonly ConfigProblem[]): Refusal =>
  refuse('field_invalid', {
    field: first === undefined ? 'budgets' : pathText(first.path),
    problem: first?.wrong ?? 'is no list of budgets',
    remedy: first?.remedy ?? 'See `budgets` in docs/configuration.md.',
  })
