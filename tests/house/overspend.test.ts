import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drill } from './overspend.ts'

test('no budget is overspent by many streams over two gateways that are killed', async () => {
  const { budgets, concurrentMax, concurrentLimit, kills, answered, refused } = await drill({
    streams: 60,
    kills: 4,
    seed: 7,
  })
  assert.equal(kills, 4)
  assert.ok(answered > 50 && refused > 50, `${answered} answered, ${refused} refused`)
  for (const { name, limit, used, posted } of budgets) {
    assert.ok(used <= limit, `${name}: ${used} used of ${limit}`)
    assert.ok(used <= posted && posted <= limit, `${name}: ${used} used, ${posted} in the books, ${limit} allowed`)
  }
  assert.ok(concurrentMax <= concurrentLimit, `${concurrentMax} at the same time, ${concurrentLimit} allowed`)
})
