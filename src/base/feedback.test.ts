import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { expandQuestion } from './feedback.ts'

const NONE: ReadonlySet<string> = new Set()
const long = new Map(Array.from({ length: 8 }, (_, at) => [`q${at}`, 1]))
const total = (weights: ReadonlyMap<string, number>): number =>
  [...weights.values()].reduce((sum, weight) => sum + weight, 0)

test('a long question gives up to 0.4 of its weight to words of the best texts', () => {
  const expanded = expandQuestion(long, [{ terms: ['lent', 'lent', 'other'], score: 1 }], NONE)
  assert.ok(Math.abs((expanded.get('q0') ?? 0) - 0.6 / 8) < 1e-12)
  assert.ok(Math.abs((expanded.get('lent') ?? 0) - (0.4 * 2) / 3) < 1e-12)
})

test('a short question keeps nearly all of it', () => {
  const expanded = expandQuestion(
    new Map([
      ['a', 1],
      ['b', 1],
    ]),
    [{ terms: ['lent'], score: 1 }],
    NONE,
  )
  assert.ok(Math.abs((expanded.get('lent') ?? 0) - 0.1) < 1e-12)
})

test('stop terms, numbers and letters are not lent; texts far below the best do not lend', () => {
  const texts = [
    { terms: ['the', '42', 'x', 'word'], score: 10 },
    { terms: ['far'], score: 6.9 },
  ]
  assert.deepEqual([...expandQuestion(long, texts, new Set(['the'])).keys()].slice(8), ['word'])
})

test('without texts, or with empty ones, the question stays as it is', () => {
  for (const texts of [[], [{ terms: [], score: 1 }], [{ terms: ['the'], score: 1 }]]) {
    assert.deepEqual(expandQuestion(long, texts, new Set(['the'])), long)
  }
})

test('weights are positive, sum to one and keep every word of the question', () => {
  const term = fc.constantFrom('alpha', 'beta', 'gamma', 'delta', 'epsilon')
  const question = fc.dictionary(term, fc.integer({ min: 1, max: 3 }), { minKeys: 1 })
  const texts = fc.array(
    fc.record({
      terms: fc.array(term, { minLength: 1, maxLength: 9 }),
      score: fc.double({ min: 0.01, max: 9, noNaN: true }),
    }),
    { minLength: 1 },
  )
  fc.assert(
    fc.property(question, texts, (asked, given) => {
      const ranked = given.toSorted((a, b) => b.score - a.score)
      const expanded = expandQuestion(new Map(Object.entries(asked)), ranked, NONE)
      assert.ok(Math.abs(total(expanded) - 1) < 1e-9)
      for (const name of Object.keys(asked)) assert.ok((expanded.get(name) ?? 0) > 0)
    }),
  )
})
