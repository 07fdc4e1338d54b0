import type { Declared } from '../src/meter/declared.ts'
import type { Action, Budget } from '../src/meter/ledger/budget.ts'
import type { Window } from '../src/meter/ledger/window.ts'
import type { Dice } from './dice.ts'

/** The budgets of a run. */

export const NO_BUDGETS: Declared = { budgets: [], rateLimits: [], spentStatus: 429 }

export const budgetsOf = ({ budgets, rateLimits }: Declared): readonly Budget[] => [...budgets, ...rateLimits]

/** `ample`: nobody notices them. `scarce`: requests are refused. `clamped`, `degraded`: less output, or a
 *  cheaper model. `paced`, `crowded`: rate limits. `warned`: counts and lets pass. `each`: of every
 *  request by itself. */
type Kind = 'ample' | 'scarce' | 'clamped' | 'degraded' | 'paced' | 'crowded' | 'warned' | 'each'

/** About what one call is held at, so that limits are a few calls. */
const CALL = { inputTokens: 550, outputTokens: 1_024, totalTokens: 1_574, nanoUsd: 697_000 } as const
type CallUnit = keyof typeof CALL

const LIFETIME: Window = { kind: 'lifetime' }
const EACH_REQUEST: Window = { kind: 'request' }
const MINUTE: Window = { kind: 'rolling', durationMs: 60_000 }
const HOUR: Window = { kind: 'rolling', durationMs: 3_600_000 }
const REFUSE: Action = { kind: 'refuse' }

export function makeBudgets(dice: Dice): Declared {
  if (dice.chance(0.6)) return NO_BUDGETS
  const kinds = new Set<Kind>()
  for (let i = Number(dice.weighted({ 1: 6, 2: 3, 3: 1 })); i > 0; i--)
    kinds.add(
      dice.weighted<Kind>({
        ample: 2,
        scarce: 3,
        clamped: 3,
        degraded: 3,
        paced: 2,
        crowded: 2,
        warned: 1,
        each: 1,
      }),
    )
  const made = [...kinds].flatMap((kind) => MAKE[kind](dice.fork(kind)))
  return {
    budgets: made.filter(({ unit }) => unit !== 'requests' && unit !== 'concurrent'),
    rateLimits: made.filter(({ unit }) => unit === 'requests' || unit === 'concurrent'),
    spentStatus: dice.pick([429, 402] as const),
  }
}

const budget = (id: string, given: Partial<Budget> & Pick<Budget, 'unit' | 'limit'>): Budget => ({
  id,
  scope: 'global',
  window: LIFETIME,
  action: REFUSE,
  warnAt: [],
  ...given,
})

/** A limit of so many calls. */
const calls = (dice: Dice, unit: CallUnit, least: number, most: number): number =>
  dice.int(Math.ceil(CALL[unit] * least), Math.ceil(CALL[unit] * most))

const common = (dice: Dice): Pick<Budget, 'scope'> & Partial<Budget> =>
  dice.chance(0.5) ? { scope: 'global' } : { scope: 'key', match: '*' }

/** Of each kind another window, so that no two contradict each other. */
const MAKE: { readonly [kind in Kind]: (dice: Dice) => Budget[] } = {
  ample: () => [
    budget('ample', { unit: 'totalTokens', limit: 10_000_000, window: { kind: 'calendar', unit: 'day', zone: 'UTC' } }),
    budget('ample money', { scope: 'model', match: 'solo', unit: 'nanoUsd', limit: 1_000_000_000 }),
    budget('ample pace', { scope: 'key', match: '*', unit: 'requests', limit: 1_000, window: HOUR }),
    budget('ample room', { scope: 'model', match: 'solo', unit: 'concurrent', limit: 64 }),
  ],
  scarce: (dice) => {
    const unit = dice.pick<CallUnit>(['totalTokens', 'totalTokens', 'outputTokens', 'inputTokens', 'nanoUsd'])
    const window = dice.pick<Window>([LIFETIME, MINUTE, { kind: 'calendar', unit: 'day', zone: 'Europe/Berlin' }])
    return [budget('scarce', { ...common(dice), unit, limit: calls(dice, unit, 0.2, 4), window })]
  },
  clamped: (dice) => {
    const window: Window = { kind: 'calendar', unit: 'month', zone: 'UTC' }
    if (dice.chance(0.3))
      return [
        budget('clamped', {
          scope: 'request',
          unit: 'outputTokens',
          limit: dice.int(5, 300),
          window: EACH_REQUEST,
          action: { kind: 'clamp', minimum: 1 },
        }),
      ]
    const unit = dice.pick<CallUnit>(['totalTokens', 'outputTokens', 'nanoUsd'])
    const limit = calls(dice, unit, 0.6, 3)
    return [
      budget('clamped', { ...common(dice), unit, limit, window, action: { kind: 'clamp', minimum: dice.int(1, 100) } }),
    ]
  },
  degraded: (dice) => {
    const window: Window = { kind: 'calendar', unit: 'week', zone: 'UTC' }
    const action: Action = { kind: 'degrade', to: 'spare' }
    if (dice.chance(0.3))
      return [budget('degraded', { unit: 'nanoUsd', limit: calls(dice, 'nanoUsd', 0.2, 2), window, action })]
    const unit = dice.pick<CallUnit>(['totalTokens', 'outputTokens'])
    const match = dice.pick(['solo', 'pair', 'chain'])
    return [budget('degraded', { scope: 'model', match, unit, limit: calls(dice, unit, 0.2, 2), window, action })]
  },
  paced: (dice) => {
    const window: Window = dice.chance(0.8) ? MINUTE : { kind: 'rolling', durationMs: 1_000 }
    return [budget('paced', { ...common(dice), unit: 'requests', limit: dice.int(1, 4), window })]
  },
  crowded: (dice) => [budget('crowded', { ...common(dice), unit: 'concurrent', limit: dice.int(1, 2) })],
  warned: (dice) => [
    budget('warned', {
      ...common(dice),
      unit: 'totalTokens',
      limit: calls(dice, 'totalTokens', 0.05, 2),
      action: { kind: dice.chance(0.7) ? 'warn' : 'dryRun' },
      warnAt: [0.5, 0.9],
    }),
  ],
  each: (dice) => {
    const unit = dice.pick<CallUnit>(['totalTokens', 'inputTokens', 'nanoUsd'])
    return [budget('each', { scope: 'request', unit, limit: calls(dice, unit, 0.3, 2), window: EACH_REQUEST })]
  },
}

/** With one budget less. */
export function withoutBudgets(declared: Declared): Declared[] {
  const { budgets, rateLimits } = declared
  return [
    ...budgets.map((_, at) => ({ ...declared, budgets: budgets.toSpliced(at, 1) })),
    ...rateLimits.map((_, at) => ({ ...declared, rateLimits: rateLimits.toSpliced(at, 1) })),
  ]
}
