import { type Amounts, amountsOf } from '../../src/meter/ledger/amounts.ts'
import type { Budget } from '../../src/meter/ledger/budget.ts'
import type { Override } from '../../src/meter/ledger/overrides.ts'
import type { RequestScopes } from '../../src/meter/ledger/table.ts'
import type { Window } from '../../src/meter/ledger/window.ts'
import { Dice } from '../dice.ts'
import type { Weather } from './store.ts'

/** What happens in a run, as data. One scenario under one seed is one interleaving: the seed makes
 *  what happens, when it arrives, and in which order what falls together is delivered. */
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
  readonly changes: readonly ConfigChange[]
  /** An administrator resets an account, or the house clears old ones away. */
  readonly chores: readonly { readonly kind: 'reset' | 'sweep'; readonly atMs: number }[]
  readonly weather: Weather
  /** What the wall clock is ahead of the simulation's origin: near a change of the clocks, say. */
  readonly wallShiftMs: number
  readonly endMs: number
  /** After the last request: calls end, partitions heal, nodes come back. */
  readonly restMs: number
}

/** From `atMs` on, as each node learns it a little later. */
export interface ConfigChange {
  readonly atMs: number
  readonly limits: { readonly [budget: string]: number }
  readonly overrides: readonly Override[]
}

export interface NodePlan {
  readonly skewMs: number
  /** The wall clock is set, forward or back. */
  readonly jump: { readonly atMs: number; readonly byMs: number } | undefined
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
const HOUR_MS = 3_600_000

/** Two sizes of runs. A long one has room for rolling windows, idle leases and a steady load; most
 *  are brief, for a crash, a partition and a race need no more. */
interface Size {
  readonly endMs: number
  readonly restMs: number
  readonly requestsMax: number
  readonly callsMs: readonly number[]
  readonly windows: readonly Window[]
}

const CALENDAR: readonly Window[] = [
  { kind: 'lifetime' },
  { kind: 'calendar', unit: 'day', zone: 'Europe/Berlin' },
  { kind: 'calendar', unit: 'minute', zone: 'America/New_York' },
  { kind: 'calendar', unit: 'hour', zone: 'Australia/Lord_Howe' },
]
const LONG: Size = {
  endMs: 6_000,
  restMs: 5_000,
  requestsMax: 70,
  callsMs: [0, 3, 40, 400, 1_500],
  windows: [...CALENDAR, { kind: 'rolling', durationMs: 3_000 }],
}
const BRIEF: Size = {
  endMs: 1_000,
  restMs: 2_100,
  requestsMax: 16,
  callsMs: [0, 3, 40, 200],
  windows: [...CALENDAR, { kind: 'rolling', durationMs: 1_000 }],
}
const LONG_SHARE = 0.1
/** By then most nodes have opened. */
const OPENED_MS = 100

/** The simulation's origin, and instants just before which the clocks change or a month ends. */
const ORIGIN_MS = 1_780_000_000_000
const EDGES_MS = [
  Date.UTC(2026, 9, 25, 1),
  Date.UTC(2026, 10, 1, 6),
  Date.UTC(2027, 2, 28, 1),
  Date.UTC(2027, 2, 14, 7),
  Date.UTC(2026, 9, 3, 15, 30),
  Date.UTC(2026, 6, 31, 22),
]

export function makeScenario(seed: number): Scenario {
  const dice = new Dice(seed).fork('scenario')
  const long = dice.chance(LONG_SHARE)
  const calm = long && dice.chance(0.25)
  const size = long ? LONG : BRIEF
  const nodes = dice.int(long ? 1 : 2, long ? 4 : 3)
  const boundMax = calm ? 40 : dice.pick([10, 100, 2_000])
  const count = calm ? 300 : dice.int(6, size.requestsMax)
  const burst = !calm && dice.chance(0.3)
  const limit = calm ? 3_000 : boundMax * dice.pick([2, 5, 20])
  const budgets = makeBudgets(dice, limit, calm, size)
  const { endMs } = size
  return {
    seed,
    usedMin: calm ? 0.9 : undefined,
    logged: dice.chance(0.5),
    nodes: Array.from({ length: nodes }, () => makeNode(dice, calm, endMs)),
    budgets,
    requests: Array.from({ length: count }, (_, at) => {
      const atMs = OPENED_MS + (burst ? dice.int(0, 20) : Math.floor((at * (endMs - OPENED_MS)) / count))
      return makeRequest(dice, `r${at}`, { atMs, nodes, boundMax, calm, callsMs: size.callsMs })
    }),
    fences: !calm && dice.chance(0.3) ? [{ node: dice.int(0, nodes - 1), atMs: dice.int(0, endMs) }] : [],
    changes: calm || dice.chance(0.6) ? [] : makeChanges(dice, budgets, endMs),
    chores: calm || dice.chance(0.6) ? [] : makeChores(dice, endMs),
    weather: makeWeather(dice, calm, nodes, endMs),
    wallShiftMs: calm || dice.chance(0.5) ? 0 : dice.pick(EDGES_MS) - ORIGIN_MS - dice.int(0, endMs),
    endMs,
    restMs: size.restMs,
  }
}

/** A budget large beside its requests, as budgets are, and a steady load on several nodes. */
export function makeSteady(seed: number): Scenario {
  const dice = new Dice(seed).fork('steady')
  const nodes = dice.int(2, 4)
  const count = 2_000
  const { endMs, restMs, callsMs } = LONG
  const hard = { unit: 'totalTokens', action: { kind: 'refuse' }, warnAt: [], window: { kind: 'lifetime' } } as const
  return {
    seed,
    usedMin: 0.99,
    logged: false,
    nodes: Array.from({ length: nodes }, () => makeNode(dice, true, endMs)),
    budgets: [
      { ...hard, id: 'all', scope: 'global', limit: 40_000 },
      { ...hard, id: 'each-key', scope: 'key', match: '*', limit: 20_000 },
    ],
    requests: Array.from({ length: count }, (_, at) =>
      makeRequest(dice, `r${at}`, { atMs: Math.floor((at * endMs) / count), nodes, boundMax: 50, calm: true, callsMs }),
    ),
    fences: [],
    changes: [],
    chores: [],
    weather: { slow: false, lossPercent: 0, repeatPercent: 0, partitions: [] },
    wallShiftMs: 0,
    endMs,
    restMs,
  }
}

function makeNode(dice: Dice, calm: boolean, endMs: number): NodePlan {
  const crashes = calm || dice.chance(0.4) ? 0 : dice.int(1, 3)
  const byEffect = dice.chance(0.5)
  const jumps = !calm && dice.chance(0.15)
  return {
    skewMs: calm || dice.chance(0.5) ? 0 : dice.pick([-90_000, 400, 40_000, HOUR_MS]),
    jump: jumps
      ? { atMs: dice.int(0, endMs), byMs: dice.pick([-26 * HOUR_MS, -HOUR_MS, -500, 500, HOUR_MS, 26 * HOUR_MS]) }
      : undefined,
    crashAtEffects: byEffect ? Array.from({ length: crashes }, () => dice.int(1, endMs / 100)) : [],
    crashAtMs: byEffect ? [] : Array.from({ length: crashes }, () => dice.int(50, endMs)),
  }
}

function makeWeather(dice: Dice, calm: boolean, nodes: number, endMs: number): Weather {
  const parted = !calm && dice.chance(0.4)
  const fromMs = dice.int(0, endMs / 2)
  const untilMs = fromMs + dice.int(100, (endMs * 2) / 3)
  return {
    slow: !calm,
    lossPercent: calm ? 0 : dice.pick([0, 0, 2, 15]),
    repeatPercent: calm ? 0 : dice.pick([0, 10, 50]),
    // Without a node: the store is down for all.
    partitions: parted ? [{ node: dice.chance(0.3) ? undefined : dice.int(0, nodes - 1), fromMs, untilMs }] : [],
  }
}

function makeBudgets(dice: Dice, limit: number, calm: boolean, { windows }: Size): Budget[] {
  const window = (): Window => (calm ? { kind: 'lifetime' } : dice.pick(windows))
  const hard = { unit: 'totalTokens', action: { kind: 'refuse' }, warnAt: [0.5] } as const
  const running = { ...hard, unit: 'concurrent', warnAt: [], window: { kind: 'lifetime' } } as const
  const all: Budget[] = [
    { ...hard, id: 'all', scope: 'global', limit: limit * 2, window: window() },
    { ...hard, id: 'each-key', scope: 'key', match: '*', limit, window: window() },
    { ...hard, id: 'red', scope: 'team', match: 'red', limit, window: window(), unit: 'outputTokens' },
    { ...hard, id: 'tags', scope: 'tag', match: '*', limit: Math.ceil(limit / 2), window: window(), unit: 'nanoUsd' },
    { ...hard, id: 'soft', scope: 'team', match: 'blue', limit: 10, window: window(), action: { kind: 'warn' } },
    ...(calm ? [] : [{ ...running, id: 'running', scope: 'key', match: '*', limit: dice.int(1, 4) } as const]),
    ...(calm
      ? []
      : ([
          { ...hard, id: 'rate', scope: 'team', match: '*', limit: dice.int(2, 8), window: window(), unit: 'requests' },
        ] as const)),
  ]
  return all.filter(({ id }) => id === 'all' || dice.chance(0.5))
}

/** Limits raised and lowered by new configurations and by overrides that begin and end. */
function makeChanges(dice: Dice, budgets: readonly Budget[], endMs: number): ConfigChange[] {
  const subjects = { key: KEYS, team: TEAMS, tag: ['x'] } as const
  let overrides: readonly Override[] = []
  let limits: { readonly [budget: string]: number } = {}
  return Array.from({ length: dice.int(1, 3) }, (_, at) => {
    const { id, scope, limit } = dice.pick(budgets)
    const to = Math.ceil(limit * dice.pick([0.1, 0.5, 0.9, 1.5, 4]))
    const kind = dice.pick(['reload', 'reload', 'override', overrides.length > 0 ? 'end' : 'override'] as const)
    if (kind === 'reload') limits = { ...limits, [id]: to }
    else if (kind === 'end') overrides = []
    else {
      const named = scope === 'key' || scope === 'team' || scope === 'tag' ? dice.pick(subjects[scope]) : ''
      const subject = id === 'red' || id === 'soft' || dice.chance(0.5) ? '*' : named
      const texts = { reason: 'simulated', by: 'operator' }
      overrides = [
        ...overrides,
        { id: `o${at}`, budget: id, subject, limit: to, fromMs: at, untilMs: Infinity, ...texts },
      ]
    }
    return { atMs: dice.int((at * endMs) / 3, ((at + 1) * endMs) / 3), limits, overrides }
  })
}

const makeChores = (dice: Dice, endMs: number): Scenario['chores'] =>
  Array.from({ length: dice.int(1, 3) }, () => ({
    kind: dice.pick(['reset', 'sweep'] as const),
    atMs: dice.int(100, endMs),
  }))

interface Within {
  readonly atMs: number
  readonly nodes: number
  readonly boundMax: number
  readonly calm: boolean
  readonly callsMs: readonly number[]
}

function makeRequest(dice: Dice, id: string, { atMs, nodes, boundMax, calm, callsMs }: Within): RequestPlan {
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
    callMs: dice.pick(callsMs),
    voided: dice.chance(0.1),
  }
}
