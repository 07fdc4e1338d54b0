import assert from 'node:assert/strict'
import { test } from 'node:test'
import { costText } from './words.ts'

test('what has no price is unknown, and never nothing', () => {
  const costs = [
    { costNanoUsd: 1_500_000_000, unpriced: 0, answered: 9 },
    { costNanoUsd: 1_500_000_000, unpriced: 2, answered: 9 },
    { costNanoUsd: 0, unpriced: 9, answered: 9 },
    { costNanoUsd: 0, unpriced: 2, answered: 9 },
    { costNanoUsd: 0, unpriced: 0, answered: 9 },
    { costNanoUsd: 0, unpriced: 0, answered: 0 },
  ]
  assert.deepEqual(costs.map(costText), ['$1.50', '$1.50 + unknown', 'unknown', '$0 + unknown', '$0', '–'])
})
