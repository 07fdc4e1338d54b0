import { Fault, refuse, Refusal } from '../base/errors.ts'
import type { LoadedConfig } from '../config/load.ts'
import { problemsText } from '../config/problem.ts'
import { type Declared, declaredIn } from '../meter/declared.ts'

/** The budgets that a configuration declares, or all that is wrong with them. */
export function budgetsOf({ config, file }: LoadedConfig): Declared | Refusal {
  const declared = declaredIn(config)
  if (!Array.isArray(declared)) return declared
  return refuse('config_invalid', { file, problems: problemsText(file, declared), list: declared })
}

/** Those of a configuration that was checked before. */
export function checkedBudgetsOf(loaded: LoadedConfig): Declared {
  const declared = budgetsOf(loaded)
  if (declared instanceof Refusal) throw new Fault(declared.code, declared.details)
  return declared
}
