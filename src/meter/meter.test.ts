import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatUsd, parseUsd } from '../base/units.ts'
import { estimateInputTokens, estimateOutputTokens, textOf } from './estimate.ts'
import { costOf, FREE, type Price } from './prices.ts'
import { addUsage, NO_USAGE, totalTokens, type Usage } from './usage.ts'

const count = fc.nat(10_000_000)
const usage: fc.Arbitrary<Usage> = fc.record({
  inputTokens: count,
  cachedInputTokens: count,
  outputTokens: count,
  reasoningTokens: count,
  estimated: fc.boolean(),
})
const money = fc.bigInt(0n, 10n ** 15n)
const price: fc.Arbitrary<Price> = fc.record({ inputNanoUsd: money, cachedInputNanoUsd: money, outputNanoUsd: money })

test('a cost is the exact product rounded up once', () => {
  const cheap: Price = { inputNanoUsd: 37_500_000n, cachedInputNanoUsd: 1n, outputNanoUsd: 600_000_000n }
  assert.equal(costOf({ ...NO_USAGE, inputTokens: 2 }, cheap), 75n)
  assert.equal(costOf({ ...NO_USAGE, inputTokens: 1 }, cheap), 38n)
  assert.equal(costOf({ ...NO_USAGE, cachedInputTokens: 1 }, cheap), 1n)
  assert.equal(costOf({ ...NO_USAGE, outputTokens: 1, reasoningTokens: 1 }, cheap), 1200n)
  assert.equal(costOf({ ...NO_USAGE, outputTokens: 1e9 }, FREE), 0n)
})

test('the cost of a sum is at most the sum of the costs, and never a nano less than exact', () => {
  fc.assert(
    fc.property(usage, usage, price, (a, b, p) => {
      const together = costOf(addUsage(a, b), p)
      const apart = costOf(a, p) + costOf(b, p)
      assert.ok(together <= apart && apart <= together + 1n)
    }),
  )
})

test('usage adds bucket by bucket, and an estimate stays one', () => {
  fc.assert(
    fc.property(usage, usage, (a, b) => {
      const sum = addUsage(a, b)
      assert.equal(totalTokens(sum), totalTokens(a) + totalTokens(b))
      assert.equal(sum.estimated, a.estimated || b.estimated)
    }),
  )
})

test('dollars are read and shown exactly', () => {
  assert.deepEqual([parseUsd('0.0375'), parseUsd('2'), parseUsd('0.000000001')], [37_500_000n, 2_000_000_000n, 1n])
  for (const wrong of ['', '-1', '1e3', '0.0000000001', '1,5', ' 1', 'NaN'])
    assert.equal(parseUsd(wrong), undefined, wrong)
  fc.assert(fc.property(money, (nano) => assert.equal(parseUsd(formatUsd(nano).slice(1)), nano)))
  assert.equal(formatUsd(-1_500_000_000n), '-$1.50')
})

test('our own count reads strings and parts, and every kind of output', () => {
  const parts = [
    { type: 'text', text: 'four' },
    { type: 'image_url', image_url: { url: 'x' } },
    { type: 'text', text: 'more' },
  ]
  assert.equal(textOf(parts), 'four\nmore')
  assert.equal(
    estimateInputTokens({ messages: [{ role: 'user', content: 'eight by' }, { role: 'user', content: parts }, null] }),
    4 + 2 + 4 + 3 + 4,
  )
  assert.equal(estimateInputTokens({}), 0)
  assert.equal(
    estimateOutputTokens({
      choices: [{ delta: { content: 'four', reasoning_content: 'more' } }, { message: { refusal: 'no!!' } }],
    }),
    3,
  )
  assert.ok(
    estimateOutputTokens({ choices: [{ delta: { tool_calls: [{ function: { name: 'f', arguments: '{}' } }] } }] }) > 5,
  )
  assert.equal(estimateOutputTokens({ choices: 'none' }), 0)
})
