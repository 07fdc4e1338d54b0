import { type Amounts, amountsOf } from '../../src/meter/ledger/amounts.ts'
import type { Budget } from '../../src/meter/ledger/budget.ts'
import type { RequestScopes } from '../../src/meter/ledger/table.ts'
import type { Window } from '../../src/meter/ledger/window.ts'
import { Dice } from '../dice.ts'
import type { Weather } from './store.ts'

/** What happens in a run, as data. */
export interface Scenario {
  readonly seed: number
  /** Nothing goes wrong: then this share of a budget must be used before anybody is refused.
   *  Requests of these runs are up to 3 % of a budget, wait in queues on several nodes at its
   *  end, and leave it in pieces. */
  readonly usedMin: number | undefined
  /** Holds are logged before the engine is called, and the log proves what a dead node used. */
  readonly logged: boolean
  readonly nodes: readonly NodePlan[]
  readonly budgets: readonly Budget[]
  readonly requests: readonly RequestPlan[]
  /** Somebody takes a node for dead, rightly or wrongly. */
  readonly fences: readonly { readonly node: number; readonly atMs: number }[]
  readonly weather: Weather
  readonly endMs: number
}

export interface NodePlan {
  readonly skewMs: number
  /** The lives of the node end before their so-manieth message to the store. */
  readonly crashAtEffects: readonly number[]
  readonly crashAtMs: readonly number[]
}

export interface RequestPlan {
  readonly id: string
  readonly node: number
  readonly atMs: number
  readonly scopes: RequestScopes
  readonly bound: Amounts
  readonly actual: Amounts
  readonly callMs: number
  /** Voided before the engine is called. */
  readonly voided: boolean
}

const KEYS = ['k1', 'k2', 'k3'] as const
const TEAMS = ['red', 'blue'] as const
const WINDOWS: readonly Window[] = [
  { kind: 'lifetime' },
  { kind: 'calendar', unit: 'day', zone: 'Europe/Berlin' },
  { kind: 'calendar', unit: 'minute', zone: 'America/New_York' },
  { kind: 'rolling', durationMs: 3_000 },
]
const END_MS = 6_000

export function makeScenario(seed: number): Scenario {
  const dice = new Dice(seed).fork('scenario')
  const calm = dice.chance(0.25)
  const nodes = dice.int(1, 4)
  const boundMax = calm ? 40 : dice.pick([10, 100, 2_000])
  const count = calm ? 300 : dice.int(10, 70)
  const burst = !calm && dice.chance(0.3)
  const parted = !calm && dice.chance(0.4)
  const fromMs = dice.int(0, END_MS / 2)
  const partition = { node: dice.int(0, nodes - 1), fromMs, untilMs: fromMs + dice.int(100, 4_000) }
  return {
    seed,
    usedMin: calm ? 0.9 : undefined,
    logged: dice.chance(0.5),
    nodes: Array.from({ length: nodes }, () => makeNode(dice, calm)),
    budgets: makeBudgets(dice, calm ? 3_000 : boundMax * dice.pick([2, 5, 20]), calm),
    requests: Array.from({ length: count }, (_, at) => {
      const atMs = burst ? 100 + dice.int(0, 20) : Math.floor((at * END_MS) / count)
      return makeRequest(dice, `r${at}`, { atMs, nodes, boundMax, calm })
    }),
    fences: !calm && dice.chance(0.3) ? [{ node: dice.int(0, nodes - 1), atMs: dice.int(0, END_MS) }] : [],
    weather: {
      slow: !calm,
      lossPercent: calm ? 0 : dice.pick([0, 0, 2, 15]),
      repeatPercent: calm ? 0 : dice.pick([0, 10, 50]),
      partitions: parted ? [partition] : [],
    },
    endMs: END_MS,
  }
}

/** A budget large beside its requests, as budgets are, and a steady load on several nodes. */
export function makeSteady(seed: number): Scenario {
  const dice = new Dice(seed).fork('steady')
  const nodes = dice.int(2, 4)
  const count = 2_000
  const hard = { unit: 'totalTokens', action: { kind: 'refuse' }, warnAt: [], window: { kind: 'lifetime' } } as const
  return {
    seed,
    usedMin: 0.99,
    logged: false,
    nodes: Array.from({ length: nodes }, () => makeNode(dice, true)),
    budgets: [
      { ...hard, id: 'all', scope: 'global', limit: 40_000 },
      { ...hard, id: 'each-key', scope: 'key', match: '*', limit: 20_000 },
    ],
    requests: Array.from({ length: count }, (_, at) =>
      makeRequest(dice, `r${at}`, { atMs: Math.floor((at * END_MS) / count), nodes, boundMax: 50, calm: true }),
    ),
    fences: [],
    weather: { slow: false, lossPercent: 0, repeatPercent: 0, partitions: [] },
    endMs: END_MS,
  }
}

function makeNode(dice: Dice, calm: boolean): NodePlan {
  const crashes = calm || dice.chance(0.4) ? 0 : dice.int(1, 3)
  const byEffect = dice.chance(0.5)
  return {
    skewMs: calm || dice.chance(0.5) ? 0 : dice.pick([-90_000, 400, 40_000, 3_600_000]),
    crashAtEffects: byEffect ? Array.from({ length: crashes }, () => dice.int(1, 60)) : [],
    crashAtMs: byEffect ? [] : Array.from({ length: crashes }, () => dice.int(50, END_MS)),
  }
}

function makeBudgets(dice: Dice, limit: number, calm: boolean): Budget[] {
  const window = (): Window => (calm ? { kind: 'lifetime' } : dice.pick(WINDOWS))
  const hard = { unit: 'totalTokens', action: { kind: 'refuse' }, warnAt: [0.5] } as const
  const all: Budget[] = [
    { ...hard, id: 'all', scope: 'global', limit: limit * 2, window: window() },
    { ...hard, id: 'each-key', scope: 'key', match: '*', limit, window: window() },
    { ...hard, id: 'red', scope: 'team', match: 'red', limit, window: window(), unit: 'outputTokens' },
    { ...hard, id: 'tags', scope: 'tag', match: '*', limit: Math.ceil(limit / 2), window: window(), unit: 'nanoUsd' },
    { ...hard, id: 'soft', scope: 'team', match: 'blue', limit: 10, window: window(), action: { kind: 'warn' } },
  ]
  return all.filter(({ id }) => id === 'all' || dice.chance(0.6))
}

interface Within {
  readonly atMs: number
  readonly nodes: number
  readonly boundMax: number
  readonly calm: boolean
}

function makeRequest(dice: Dice, id: string, { atMs, nodes, boundMax, calm }: Within): RequestPlan {
  const input = dice.int(1, boundMax)
  const output = dice.int(0, boundMax)
  const used = dice.chance(0.3) ? output : dice.int(0, output)
  const usedInput = dice.int(0, input)
  return {
    id,
    node: dice.int(0, nodes - 1),
    atMs,
    scopes: {
      key: dice.pick(KEYS),
      team: dice.pick(TEAMS),
      ...(dice.chance(0.5) ? { tags: calm ? ['x'] : ['x', dice.pick(['x', 'y'])] } : {}),
    },
    bound: amountsOf(input, output, BigInt(Math.ceil((input + output) / 2))),
    actual: amountsOf(usedInput, used, BigInt(Math.floor((usedInput + used) / 2))),
    callMs: dice.pick([0, 3, 40, 400, 1_500]),
    voided: dice.chance(0.1),
  }
}
