import assert from 'node:assert/strict'
import { silentLog } from '../../src/base/log.ts'
import { MemoryLeases } from '../../src/drivers/memory/leases.ts'
import { MemoryRows } from '../../src/drivers/memory/rows.ts'
import type { Rows } from '../../src/store/rows.ts'
import { Accounting, type BudgetWarning } from '../../src/meter/accounting.ts'
import { declaredIn } from '../../src/meter/declared.ts'
import type { ManualClock } from './clock.ts'
import { loaded } from './config.ts'

/** The budgets that a piece of headworks.yaml declares, in force over a store in memory. */
export async function accountingOf(clock: ManualClock, yaml: string, rows: Rows = new MemoryRows()) {
  const warnings: BudgetWarning[] = []
  const accounting = new Accounting({
    rows,
    leases: new MemoryLeases(clock),
    clock,
    log: silentLog,
    node: 'gateway-0',
    onWarning: (warning) => void warnings.push(warning),
  })
  async function declare(text: string): Promise<void> {
    const declared = declaredIn((await loaded(text)).config)
    assert.ok(!Array.isArray(declared), JSON.stringify(declared))
    await accounting.load(declared)
  }
  await declare(yaml)
  return { accounting, declare, rows, warnings }
}
