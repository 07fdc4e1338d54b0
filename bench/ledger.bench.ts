import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { systemClock } from '../src/base/clock.ts'
import { MemoryLeases } from '../src/drivers/memory/leases.ts'
import { MemoryRows } from '../src/drivers/memory/rows.ts'
import { Binding } from '../src/meter/ledger/account.ts'
import { type Amounts, amountsOf } from '../src/meter/ledger/amounts.ts'
import type { Budget } from '../src/meter/ledger/budget.ts'
import { Escrow } from '../src/meter/ledger/escrow.ts'
import { Hold, Ledger } from '../src/meter/ledger/ledger.ts'
import { NO_EVIDENCE } from '../src/meter/ledger/recover.ts'
import { BudgetTable } from '../src/meter/ledger/table.ts'
import { type Bench, type BenchOptions, compare, type Result } from './harness.ts'

/** What a request pays for budgets that hold, beside what it would pay for a counter that does
 *  not: five scopes reserved and settled in memory, against five counters in a `Map`, looked at
 *  before and added to after. Then the memory of many budgets, and how fast leases are granted. */

export const name: Bench['name'] = 'ledger'

const OPERATIONS = 100_000
const ROUNDS = 15
const BUDGETS = 1_000_000
const GRANTED_ACCOUNTS = 20_000
const LIMIT = 9_000_000_000_000_000

const hard = { limit: LIMIT, action: { kind: 'refuse' }, warnAt: [] } as const
const FIVE: readonly Budget[] = [
  {
    ...hard,
    id: 'key',
    scope: 'key',
    match: '*',
    unit: 'totalTokens',
    window: { kind: 'rolling', durationMs: 60_000 },
  },
  {
    ...hard,
    id: 'user',
    scope: 'user',
    match: '*',
    unit: 'nanoUsd',
    window: { kind: 'calendar', unit: 'month', zone: 'Europe/Berlin' },
  },
  { ...hard, id: 'team', scope: 'team', match: 'red', unit: 'nanoUsd', window: { kind: 'lifetime' } },
  {
    ...hard,
    id: 'model',
    scope: 'model',
    match: 'chat',
    unit: 'outputTokens',
    window: { kind: 'calendar', unit: 'day', zone: 'UTC' },
  },
  { ...hard, id: 'all', scope: 'global', unit: 'requests', window: { kind: 'calendar', unit: 'hour', zone: 'UTC' } },
]
const SCOPES = { key: 'k1', user: 'ann', team: 'red', model: 'chat' }
const BOUND = amountsOf(1_200, 800, 1_500_000n)
const ACTUAL = amountsOf(1_100, 240, 700_000n)

async function open(rows = new MemoryRows()): Promise<{ escrow: Escrow; ledger: Ledger }> {
  const escrow = await Escrow.open({
    rows,
    leases: new MemoryLeases(systemClock),
    clock: systemClock,
    node: 'bench',
    evidence: NO_EVIDENCE,
    reports: { warned: () => {}, failed: () => {}, fenced: () => {} },
  })
  return { escrow, ledger: new Ledger(systemClock, escrow, { overrun: () => {}, exceeded: () => {} }) }
}

async function reserveAndSettle(rounds: number): Promise<Result> {
  const { escrow, ledger } = await open()
  const table = new BudgetTable(FIVE)
  // Slices double with every draw: afterwards a round fits in what is leased.
  for (let at = 0; at < 64; at++) {
    const holds = await Promise.all(
      Array.from({ length: 64 }, (_, one) => ledger.admit(`warm-${at}-${one}`, 0, table.bind(SCOPES), BOUND)),
    )
    for (const hold of holds) if (hold instanceof Hold) ledger.settle(hold, NOTHING)
  }
  const counters = new Map<string, number>()
  const names = FIVE.map(({ id, match = '' }) => `${id}:${match}`)
  let number = 0
  const subject = async (): Promise<void> => {
    for (let at = 0; at < OPERATIONS; at++) {
      const id = `request-${number++}`
      const bindings = table.bind(SCOPES)
      let hold = ledger.reserve(id, 0, bindings, BOUND)
      if (!(hold instanceof Hold)) hold = await ledger.admit(id, 0, bindings, BOUND)
      if (!(hold instanceof Hold)) throw new Error(`refused: ${hold.reason}`)
      ledger.settle(hold, ACTUAL)
    }
  }
  const reference = (): void => {
    for (let at = 0; at < OPERATIONS; at++) {
      let fits = true
      for (const one of names) if ((counters.get(one) ?? 0) >= LIMIT) fits = false
      if (fits) for (const one of names) counters.set(one, (counters.get(one) ?? 0) + ACTUAL.totalTokens)
    }
  }
  try {
    return await compare({
      name: 'reserve and settle over 5 scopes (aim: at most 2 us of CPU)',
      subject: { name: 'ledger', run: subject },
      reference: { name: 'check-then-add in a Map', run: reference },
      rounds,
      operations: OPERATIONS,
    })
  } finally {
    await escrow.close()
  }
}

const NOTHING: Amounts = amountsOf(0, 0, 0n)

/** Budgets as configured, each in use: its binding and its account are in memory. */
async function memory(): Promise<Result> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const before = process.memoryUsage()
  const { escrow } = await open()
  const table = new BudgetTable(budgets())
  const nowMs = systemClock.wallMs()
  let kept = 0
  for (let at = 0; at < BUDGETS; at++)
    for (const binding of table.bind({ key: `key-${at}` })) {
      binding.current = escrow.account(binding, nowMs)
      kept++
    }
  collect()
  const after = process.memoryUsage()
  const value = (after.heapUsed + after.external - before.heapUsed - before.external) / 2 ** 20
  // Neither is garbage yet.
  if (table.bind({ key: 'key-0' })[0]?.current?.budget.id !== 'b0') throw new Error('a budget was lost')
  await escrow.close()
  return {
    kind: 'figure',
    name: `memory of ${kept} budgets, all in use`,
    unit: 'MiB',
    value,
    n: 1,
    target: 'at most 1 GiB',
  }
}

function* budgets(): Iterable<Budget> {
  for (let at = 0; at < BUDGETS; at++)
    yield { ...hard, id: `b${at}`, scope: 'key', match: `key-${at}`, unit: 'nanoUsd', window: { kind: 'lifetime' } }
}

/** First grants of many accounts at once, as when a fleet wakes up. */
async function grants(rounds: number): Promise<Result> {
  const rates: number[] = []
  for (let round = 0; round < rounds; round++) {
    const { escrow } = await open()
    const [budget] = FIVE
    if (budget === undefined) break
    const startedMs = performance.now()
    const drawn = await Promise.all(
      Array.from({ length: GRANTED_ACCOUNTS }, (_, at) =>
        escrow.draw(escrow.account(new Binding(budget, `key-${at}`), 0), 2_000, startedMs + 60_000),
      ),
    )
    if (drawn.some((one) => one !== 'granted')) throw new Error('a draw was not granted')
    rates.push(GRANTED_ACCOUNTS / ((performance.now() - startedMs) / 1000))
    await escrow.close()
  }
  const sorted = rates.toSorted((a, b) => a - b)
  const value = sorted[sorted.length >> 1] ?? 0
  return {
    kind: 'figure',
    name: 'leases granted, rows in memory',
    unit: 'per second',
    value,
    n: rates.length,
    min: sorted[0] ?? 0,
    max: sorted.at(-1) ?? 0,
  }
}

export async function run({ effort }: BenchOptions): Promise<readonly Result[]> {
  const rounds = Math.max(3, Math.round(ROUNDS * effort))
  return [await reserveAndSettle(rounds), await grants(Math.max(3, Math.round(rounds / 3))), await memory()]
}
