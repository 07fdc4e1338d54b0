import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatUsd, parseUsd } from '../base/units.ts'
import { estimateInputTokens, estimateOutputTokens, textOf } from './estimate.ts'
import { costOf, FREE, type Price } from './prices.ts'
import { addUsage, NO_USAGE, totalTokens, type Usage } from './usage.ts'

const count = fc.nat(10_000_000)
const usage: fc.Arbitrary<Usage> = fc.record(
  {
    inputTokens: count,
    cachedInputTokens: count,
    cacheWrite5mTokens: count,
    cacheWrite1hTokens: count,
    audioInputTokens: count,
    imageInputTokens: count,
    outputTokens: count,
    reasoningTokens: count,
    audioOutputTokens: count,
    estimated: fc.boolean(),
  },
  { requiredKeys: ['inputTokens', 'cachedInputTokens', 'outputTokens', 'reasoningTokens', 'estimated'] },
)
const money = fc.bigInt(0n, 10n ** 15n)
const price: fc.Arbitrary<Price> = fc.record(
  {
    inputNanoUsd: money,
    cachedInputNanoUsd: money,
    cacheWrite5mNanoUsd: money,
    cacheWrite1hNanoUsd: money,
    audioInputNanoUsd: money,
    imageInputNanoUsd: money,
    outputNanoUsd: money,
    audioOutputNanoUsd: money,
  },
  { requiredKeys: ['inputNanoUsd', 'cachedInputNanoUsd', 'outputNanoUsd'] },
)

test('a cost is the exact product rounded up once', () => {
  const cheap: Price = { inputNanoUsd: 37_500_000n, cachedInputNanoUsd: 1n, outputNanoUsd: 600_000_000n }
  assert.equal(costOf({ ...NO_USAGE, inputTokens: 2 }, cheap), 75n)
  assert.equal(costOf({ ...NO_USAGE, inputTokens: 1 }, cheap), 38n)
  assert.equal(costOf({ ...NO_USAGE, cachedInputTokens: 1 }, cheap), 1n)
  assert.equal(costOf({ ...NO_USAGE, outputTokens: 1, reasoningTokens: 1 }, cheap), 1200n)
  assert.equal(costOf({ ...NO_USAGE, outputTokens: 1e9 }, FREE), 0n)
})

test('a bucket is charged at its own rate, else at that of what it is a part of', () => {
  const plain: Price = { inputNanoUsd: 1_000_000n, cachedInputNanoUsd: 0n, outputNanoUsd: 100_000_000n }
  const own: Price = {
    ...plain,
    cacheWrite5mNanoUsd: 2_000_000n,
    cacheWrite1hNanoUsd: 3_000_000n,
    audioInputNanoUsd: 4_000_000n,
    imageInputNanoUsd: 5_000_000n,
    audioOutputNanoUsd: 600_000_000n,
  }
  for (const [bucket, without, withOwn] of [
    ['cacheWrite5mTokens', 1n, 2n],
    ['cacheWrite1hTokens', 1n, 3n],
    ['audioInputTokens', 1n, 4n],
    ['imageInputTokens', 1n, 5n],
    ['audioOutputTokens', 100n, 600n],
  ] as const) {
    assert.equal(costOf({ ...NO_USAGE, [bucket]: 1 }, plain), without, bucket)
    assert.equal(costOf({ ...NO_USAGE, [bucket]: 1 }, own), withOwn, bucket)
  }
  const { cacheWrite1hNanoUsd: _, ...fiveMinutesOnly } = own
  assert.equal(costOf({ ...NO_USAGE, cacheWrite1hTokens: 1 }, fiveMinutesOnly), 2n)
  const long: Price = { ...plain, long: { overInputTokens: 9, rates: own } }
  assert.equal(costOf({ ...NO_USAGE, audioInputTokens: 10 }, long), 40n, 'every kind of input makes a request long')
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
  const called = { id: 'call_of_a_long_id', index: 0, function: { name: 'look', arguments: '{"for": 1}12' } }
  assert.equal(
    estimateOutputTokens({ choices: [{ delta: { tool_calls: [called, null] } }] }),
    4,
    'a name and arguments, not the envelope that they come in',
  )
  assert.equal(estimateOutputTokens({ choices: 'none' }), 0)
})
