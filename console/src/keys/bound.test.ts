import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boundWords, listIn } from './bound.ts'

const NOTHING = {
  user: undefined,
  team: undefined,
  tenant: undefined,
  tags: [],
  models: undefined,
  workflows: undefined,
  mayName: { user: 'ignore', tags: 'ignore' },
}

test('a key that is bound to nothing says nothing; each binding is a part', () => {
  assert.deepEqual(boundWords(NOTHING), [])
  const bound = boundWords({
    ...NOTHING,
    user: 'ann',
    models: ['chat', 'docs*'],
    mayName: { user: 'refuse', prompt: 'accept' },
  })
  assert.deepEqual(
    bound.map(({ name, text }) => `${name} ${text}`),
    ['user ann', 'models chat, docs*', 'may name prompt', 'must not name user'],
  )
})

test('a list is what stands between commas, without blanks and doubles', () => {
  assert.deepEqual(listIn(' eu, web ,,eu, '), ['eu', 'web'])
  assert.deepEqual(listIn(' '), [])
})
