import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boundWords, budgetsIn, listIn } from './bound.ts'

const NOTHING = {
  user: undefined,
  team: undefined,
  tenant: undefined,
  tags: [],
  models: undefined,
  workflows: undefined,
  budgets: [],
  mayName: { user: 'ignore', tags: 'ignore' },
}

test('a key that is bound to nothing says nothing; each binding is a part', () => {
  assert.deepEqual(boundWords(NOTHING), [])
  const bound = boundWords({
    ...NOTHING,
    user: 'ann',
    models: ['chat', 'docs*'],
    mayName: { user: 'refuse', prompt: 'accept' },
    budgets: [{ unit: 'nanoUsd', limit: 10e9, window: { kind: 'calendar', unit: 'month', zone: 'UTC' } }],
  })
  assert.deepEqual(
    bound.map(({ name, text }) => `${name} ${text}`),
    ['user ann', 'models chat, docs*', 'budgets $10.00 a month', 'may name prompt', 'must not name user'],
  )
})

test('a list is what stands between commas, without blanks and doubles', () => {
  assert.deepEqual(listIn(' eu, web ,,eu, '), ['eu', 'web'])
  assert.deepEqual(listIn(' '), [])
})

test('budgets of a key as on the command line', () => {
  assert.deepEqual(budgetsIn('usd=2.50/month, requests=100/24h'), [
    { limit: { usd: '2.50' }, window: 'month' },
    { limit: { requests: 100 }, window: '24h' },
  ])
  assert.deepEqual(budgetsIn(' '), [])
  for (const wrong of ['usd=/month', 'euro=5/day', 'usd=5', 'usd=5/month, x'])
    assert.equal(budgetsIn(wrong), undefined, wrong)
})
