import type { Clock } from '../../src/base/clock.ts'
import { Spending } from '../../src/meter/spending.ts'
import { ManualClock } from './clock.ts'

/** A house without budgets. */
export const unlimited = (clock: Clock) => ({
  spending: (requestId: string, scopes: ConstructorParameters<typeof Spending>[3]) =>
    new Spending(clock, undefined, requestId, scopes),
})

/** Of a single call that nothing limits. */
export const someSpending = (): Spending => unlimited(new ManualClock()).spending('req_1', {})
