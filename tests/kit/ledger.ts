import { fault } from '../../src/base/errors.ts'
import { MemoryLeases } from '../../src/drivers/memory/leases.ts'
import { MemoryRows } from '../../src/drivers/memory/rows.ts'
import { ACCOUNTS, type AccountRow, sumOf } from '../../src/meter/ledger/account-row.ts'
import type { Budget } from '../../src/meter/ledger/budget.ts'
import { Escrow } from '../../src/meter/ledger/escrow.ts'
import { Ledger, type Overrun } from '../../src/meter/ledger/ledger.ts'
import { type Evidence, NO_EVIDENCE } from '../../src/meter/ledger/recover.ts'
import { BudgetTable } from '../../src/meter/ledger/table.ts'
import type { Change, Rows } from '../../src/store/rows.ts'
import { ManualClock, settled } from './clock.ts'

/** A node of a ledger whose time the test tells, alone or beside others on one store. */

/** Rows that can be cut off. */
export class CutRows extends MemoryRows {
  cut = false
  override async getMany(...args: Parameters<Rows['getMany']>): Promise<never> {
    if (this.cut) throw fault('store_unavailable', { reason: 'cut off' })
    return super.getMany(...args) as Promise<never>
  }
  override async commit(changes: readonly Change[]): Promise<boolean> {
    if (this.cut) throw fault('store_unavailable', { reason: 'cut off' })
    return super.commit(changes)
  }
}

export interface NodeOptions<Kept extends Rows> {
  readonly budgets: readonly Budget[]
  readonly rows: Kept
  readonly node?: string
  readonly clock?: ManualClock
  readonly evidence?: Evidence
  readonly unrecordedShare?: number
}

export async function openNode<Kept extends Rows>({
  budgets,
  rows,
  node = 'a',
  clock = new ManualClock(),
  evidence = NO_EVIDENCE,
  unrecordedShare = 0,
}: NodeOptions<Kept>) {
  const told: string[] = []
  const overruns: Overrun[] = []
  const escrow = await Escrow.open({
    rows,
    leases: new MemoryLeases(clock),
    clock,
    node,
    evidence,
    unrecordedShare,
    reports: {
      warned: (account, share) => told.push(`warned ${account.budget.id} ${share}`),
      failed: ({ code }) => told.push(`failed ${code}`),
      fenced: () => told.push('fenced'),
    },
  })
  const ledger = new Ledger(clock, escrow, {
    overrun: (overrun) => overruns.push(overrun),
    exceeded: ({ budget }, request) => told.push(`exceeded ${budget.id} ${request}`),
  })
  const table = new BudgetTable(budgets)
  return { rows, clock, escrow, ledger, table, told, overruns, wait: (ms: number) => wait(clock, ms) }
}

/** Lets time pass in small steps, and all that follows from it happen. */
export async function wait(clock: ManualClock, ms: number): Promise<void> {
  for (let at = 0; at < ms; at += STEP_MS) {
    clock.advance(STEP_MS)
    for (let i = 0; i < 5; i++) await settled()
  }
}

const STEP_MS = 50

/** The answer, and how long it took on the clock. */
export async function timed<Value>(clock: ManualClock, asked: Promise<Value>): Promise<[value: Value, tookMs: number]> {
  const startedMs = clock.monotonicMs()
  let over = false
  void asked.finally(() => (over = true))
  for (let i = 0; i < 5; i++) await settled()
  while (!over) await wait(clock, STEP_MS)
  return [await asked, clock.monotonicMs() - startedMs]
}

export async function postedIn(rows: Rows): Promise<number> {
  const stored = await rows.scan<AccountRow>(ACCOUNTS, { limit: 1_000 })
  return stored.reduce((sum, { row }) => sum + sumOf(row.posted), 0)
}
