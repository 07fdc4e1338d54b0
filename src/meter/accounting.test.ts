import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock, settled } from '../../tests/kit/clock.ts'
import { fault, Refusal } from '../base/errors.ts'
import { silentLog } from '../base/log.ts'
import { MemoryLeases } from '../drivers/memory/leases.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import type { Change } from '../store/rows.ts'
import { Accounting } from './accounting.ts'
import type { Budget } from './ledger/budget.ts'

const NONE_LEFT: Budget = {
  id: 'none-left',
  scope: 'global',
  unit: 'totalTokens',
  limit: 1,
  window: { kind: 'lifetime' },
  action: { kind: 'refuse' },
  warnAt: [],
}
const DECLARED = { budgets: [NONE_LEFT], rateLimits: [], spentStatus: 429 } as const

/** Does not take the log of holds while it is cut. */
class LoglessRows extends MemoryRows {
  cut = true
  override async commit(changes: readonly Change[]): Promise<boolean> {
    if (this.cut && changes.some(({ table }) => table === 'ledger.holds'))
      throw fault('store_unavailable', { reason: 'cut off' })
    return super.commit(changes)
  }
}

test('books that could not be opened whole are opened again, and are not gone without', async () => {
  const [rows, clock] = [new LoglessRows(), new ManualClock()]
  const accounting = new Accounting({
    rows,
    leases: new MemoryLeases(clock),
    clock,
    log: silentLog,
    node: 'gateway-0',
    onWarning: () => {},
  })
  await assert.rejects(accounting.load(DECLARED), /cut off/)
  rows.cut = false
  await accounting.load(DECLARED)
  const held = accounting.spending('req_1', { key: 'key_1', user: 'ann', model: 'large', tags: [] }).hold({
    model: 'large',
    deployment: 'local/large',
    price: undefined,
    input: () => ({ tokensMax: 100, unbounded: undefined }),
    outputTokensMax: 50,
    choices: 1,
  })
  for (let waits = 0; waits < 20; waits++) {
    await settled()
    clock.advance(250)
  }
  assert.ok((await held) instanceof Refusal)
  await accounting.close()
})
