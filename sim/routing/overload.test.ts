import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runOverload } from './overload.ts'

const SEEDS = [1, 2, 3]

test('at three times its load a pool gives 95 % of its best, and interactive requests 99.9 %', async () => {
  for (const seed of SEEDS) {
    const outcome = await runOverload(seed, { times: 3, interactiveShare: 0.1, hasGate: true })
    assert.ok(outcome.goodput >= 0.95, `seed ${seed}: ${outcome.goodput} of its best`)
    assert.ok(outcome.interactive >= 0.999, `seed ${seed}: ${outcome.interactive} of interactive requests`)
    assert.ok(Math.floor(outcome.refusedAfterMs) <= 1_000, `seed ${seed}: refused after ${outcome.refusedAfterMs} ms`)
  }
})

test('without the gate it gives almost nothing', async () => {
  const { goodput } = await runOverload(1, { times: 3, interactiveShare: 0.1, hasGate: false })
  assert.ok(goodput < 0.2, String(goodput))
})

test('at half its load nobody is turned away', async () => {
  const outcome = await runOverload(1, { times: 0.5, interactiveShare: 0.1, hasGate: true })
  assert.ok(Math.abs(outcome.goodput - 0.5) < 0.02, String(outcome.goodput))
  assert.deepEqual([outcome.interactive, outcome.refusedAfterMs], [1, 0])
})

test('tenants get equal shares, however much one of them asks for', async () => {
  // Of the first, which asks for seven tenths of everything, interactive requests count as well.
  const { byTenant } = await runOverload(1, { times: 3, interactiveShare: 0.1, hasGate: true })
  const [greedy = 0, ...others] = byTenant
  assert.ok(Math.min(...others) > 0.95 * Math.max(...others), byTenant.join(' '))
  assert.ok(greedy < Math.min(...others), byTenant.join(' '))
})
