import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { differencesOf, isSure } from './differences.ts'

interface Item {
  readonly model: string
  readonly user: string
}

const KINDS = [
  { what: 'model', of: ({ model }: Item) => model },
  { what: 'user', of: ({ user }: Item) => user },
]
const many = (n: number, model: string, user: string): Item[] => Array.from({ length: n }, () => ({ model, user }))

test('what is surely more among them comes first; what is the same does not come', () => {
  const inside = [...many(45, 'slow', 'ann'), ...many(5, 'fast', 'ann')]
  const outside = [...many(20, 'slow', 'ann'), ...many(180, 'fast', 'ann')]
  const [first, second, ...rest] = differencesOf(inside, outside, KINDS)
  assert.deepEqual(new Set([first?.value, second?.value]), new Set(['fast', 'slow']))
  assert.deepEqual(rest, [])
  const slow = first?.value === 'slow' ? first : second
  assert.ok(slow !== undefined && isSure(slow))
  assert.deepEqual(
    [slow.inside, slow.outside],
    [
      { count: 45, n: 50 },
      { count: 20, n: 200 },
    ],
  )
  assert.ok(Math.abs(slow.mean - 0.8) < 1e-9)
})

test('the interval is that of Newcombe: 56 of 70 against 48 of 80', () => {
  const items = (yes: number, n: number) => [...many(yes, 'a', ''), ...many(n - yes, 'b', '')]
  const [a] = differencesOf(items(56, 70), items(48, 80), KINDS).filter(({ value }) => value === 'a')
  assert.deepEqual([a?.mean.toFixed(4), a?.low.toFixed(4), a?.high.toFixed(4)], ['0.2000', '0.0524', '0.3339'])
})

test('of few nothing is sure, and without others nothing is compared', () => {
  assert.equal(differencesOf(many(1, 'a', ''), many(2, 'b', ''), KINDS).some(isSure), false)
  assert.deepEqual(differencesOf(many(3, 'a', ''), [], KINDS), [])
})

test('an interval holds its difference, and stays between -1 and 1', () => {
  const some = fc.array(fc.record({ model: fc.constantFrom('a', 'b', 'c'), user: fc.constantFrom('x', 'y') }), {
    minLength: 1,
  })
  fc.assert(
    fc.property(some, some, (inside, outside) => {
      for (const { low, mean, high } of differencesOf(inside, outside, KINDS))
        assert.ok(low <= mean && mean <= high && low >= -1 - 1e-9 && high <= 1 + 1e-9)
    }),
  )
})
