import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Refusal } from '../base/errors.ts'
import type { Headers } from '../base/http.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { mayCall, type Naming, readBindings } from './bindings.ts'
import { identify, type Scopes } from './identify.ts'
import { LOCAL, type Principal } from './principal.ts'

function principal(terms: JsonObject, role: 'admin' | 'user' = 'user'): Principal {
  const bindings = readBindings(terms, role)
  if (bindings instanceof Refusal) return assert.fail(JSON.stringify(bindings))
  return { id: 'key_1', name: 'app', role, bindings }
}

function scopes(terms: JsonObject, body: Json, headers: Headers = {}): Scopes {
  const found = identify(principal(terms), body, headers)
  return found instanceof Refusal ? assert.fail(JSON.stringify(found)) : found
}

function refusal(terms: JsonObject, body: Json, headers: Headers = {}): [code: string, field: unknown] {
  const found = identify(principal(terms), body, headers)
  return found instanceof Refusal ? [found.code, found.details['field']] : assert.fail(JSON.stringify(found))
}

const ALL_ACCEPTED = { mayName: { user: 'accept', workflow: 'accept', prompt: 'accept', tags: 'accept' } }

test('what a key is bound to counts, whatever the request says', () => {
  const bound = { user: 'ann', team: 'web', tenant: 'acme', tags: ['eu', 'eu', 'shop'] }
  const expected = { key: 'key_1', user: 'ann', team: 'web', tenant: 'acme', tags: ['eu', 'shop'] }
  const body = { user: 'eve', metadata: { user: 'eve', team: 'eve', tenant: 'eve', workflow: 'eve', tags: 'eve' } }
  assert.deepEqual(scopes(bound, body, { 'x-headworks-user': 'eve', 'x-headworks-tags': 'eve' }), expected)
  assert.deepEqual(scopes(bound, {}), expected)
})

test('a key that says nothing ignores names, right ones and wrong ones', () => {
  for (const user of ['eve', 5, {}, '\0', 'x'.repeat(10_000)]) {
    assert.deepEqual(scopes({}, { user, metadata: { workflow: user, prompt: user, tags: user } }), {
      key: 'key_1',
      tags: [],
    })
  }
})

test('accepted names are taken from the most deliberate place', () => {
  const body: JsonObject = { user: 'u', safety_identifier: 's', metadata: { user: 'm', workflow: 'w', tags: 'b, c' } }
  const headers = { 'x-headworks-user': 'h', 'x-headworks-workflow': 'hw', 'x-headworks-tags': 'd' }
  const users = (one: JsonObject, also: Headers = {}) => scopes(ALL_ACCEPTED, one, also).user
  assert.equal(users(body, headers), 'h')
  assert.equal(users(body), 'm')
  assert.equal(users({ ...body, metadata: null }), 's')
  assert.equal(users({ user: 'u' }), 'u')
  assert.equal(users({ user: '', safety_identifier: null, metadata: 5 }, { 'x-headworks-user': '  ' }), undefined)
  const terms = { ...ALL_ACCEPTED, tags: ['a', 'b'] }
  assert.deepEqual(scopes(terms, body), { key: 'key_1', user: 'm', workflow: 'w', tags: ['a', 'b', 'c'] })
  assert.deepEqual(scopes(terms, body, headers).tags, ['a', 'b', 'd'])
  assert.equal(scopes(terms, body, headers).workflow, 'hw')
  assert.equal(scopes(terms, { metadata: { prompt: 'p' } }).prompt, 'p')
  assert.equal(scopes(terms, { metadata: { prompt: 'p' } }, { 'x-headworks-prompt': 'hp' }).prompt, 'hp')
  for (const none of [null, 'text', [], 5]) assert.deepEqual(scopes(ALL_ACCEPTED, none), { key: 'key_1', tags: [] })
})

test('accepted names must be names', () => {
  for (const user of [5, true, {}, ['ann'], ' ann', 'ann ', 'a\nb', 'a\u202eb', '\ud800', 'x'.repeat(257)]) {
    assert.deepEqual(refusal(ALL_ACCEPTED, { user }), ['field_invalid', 'user'], JSON.stringify(user))
    assert.deepEqual(refusal(ALL_ACCEPTED, { metadata: { workflow: user } }), ['field_invalid', 'metadata.workflow'])
    assert.deepEqual(refusal(ALL_ACCEPTED, { metadata: { prompt: user } }), ['field_invalid', 'metadata.prompt'])
  }
  const many = Array.from({ length: 17 }, (_, at) => `t${at}`).join(',')
  for (const tags of [5, ['a'], {}, 'a b', 'a,,b', ',', 'a\u0000', 'x'.repeat(65), many]) {
    assert.deepEqual(refusal(ALL_ACCEPTED, { metadata: { tags } }), ['field_invalid', 'metadata.tags'])
  }
  const full = { ...ALL_ACCEPTED, tags: Array.from({ length: 16 }, (_, at) => `own${at}`) }
  assert.deepEqual(refusal(full, {}, { 'x-headworks-tags': 'one-more' }), ['field_invalid', 'x-headworks-tags'])
  assert.equal(scopes(full, {}, { 'x-headworks-tags': 'own3' }).tags.length, 16)
})

test('a key that refuses names refuses any but the one it is bound to', () => {
  const refusing = { user: 'ann', mayName: { user: 'refuse', workflow: 'refuse', prompt: 'refuse', tags: 'refuse' } }
  assert.equal(scopes(refusing, { user: 'ann', safety_identifier: 'ann' }).user, 'ann')
  assert.equal(scopes(refusing, { user: '', metadata: {} }).user, 'ann')
  for (const [body, field] of [
    [{ user: 'eve' }, 'user'],
    [{ user: 5 }, 'user'],
    [{ user: 'ann', safety_identifier: 'eve' }, 'safety_identifier'],
    [{ metadata: { user: 'eve' } }, 'metadata.user'],
    [{ metadata: { workflow: 'w' } }, 'metadata.workflow'],
    [{ metadata: { prompt: 'p' } }, 'metadata.prompt'],
    [{ metadata: { tags: 'a' } }, 'metadata.tags'],
  ] as const) {
    assert.deepEqual(refusal(refusing, body), ['name_not_allowed', field])
  }
  assert.deepEqual(refusal(refusing, { user: 'ann' }, { 'x-headworks-user': 'eve' }), [
    'name_not_allowed',
    'x-headworks-user',
  ])
})

test('a key made before prompts were named does not look at them', () => {
  const { bindings, ...rest } = principal(ALL_ACCEPTED)
  const { prompt: _, ...mayName } = bindings.mayName
  const found = identify({ ...rest, bindings: { ...bindings, mayName } }, { metadata: { prompt: 5 } }, {})
  assert.deepEqual(found, { key: 'key_1', tags: [] })
})

test('a workflow is named only among those the key may call', () => {
  const terms = { ...ALL_ACCEPTED, workflows: ['qa-*'] }
  assert.equal(scopes(terms, { metadata: { workflow: 'qa-docs' } }).workflow, 'qa-docs')
  assert.deepEqual(refusal(terms, { metadata: { workflow: 'billing' } }), ['model_not_allowed', 'metadata.workflow'])
})

test('the owner of the data folder names anything', () => {
  const found = identify(LOCAL, { user: 'ann', metadata: { workflow: 'w', tags: 't' } }, {})
  assert.deepEqual(found, { key: 'local', user: 'ann', workflow: 'w', tags: ['t'] })
})

test('bindings that make no sense are refused by field', () => {
  for (const [terms, field] of [
    [{ user: 5 }, 'user'],
    [{ user: '' }, 'user'],
    [{ team: 'a\u0007' }, 'team'],
    [{ tenant: 'x'.repeat(257) }, 'tenant'],
    [{ tags: 'a' }, 'tags'],
    [{ tags: ['a b'] }, 'tags'],
    [{ tags: [5] }, 'tags'],
    [{ tags: Array.from({ length: 17 }, (_, at) => `t${at}`) }, 'tags'],
    [{ models: [] }, 'models'],
    [{ models: 'chat' }, 'models'],
    [{ models: ['a*b'] }, 'models'],
    [{ models: ['**'] }, 'models'],
    [{ models: [''] }, 'models'],
    [{ models: Array.from({ length: 101 }, (_, at) => `m${at}`) }, 'models'],
    [{ workflows: [null] }, 'workflows'],
    [{ mayName: 'all' }, 'mayName'],
    [{ mayName: ['user'] }, 'mayName'],
    [{ mayName: { user: 'yes' } }, 'mayName'],
    [{ mayName: { team: 'accept' } }, 'mayName'],
    [{ mayName: { constructor: 'accept' } }, 'mayName'],
    [{ user: 'ann', mayName: { user: 'accept' } }, 'mayName'],
  ] as const) {
    const found = readBindings(terms, 'user')
    assert(found instanceof Refusal, JSON.stringify(terms))
    assert.deepEqual([found.code, found.details['field']], ['field_invalid', field], JSON.stringify(terms))
  }
  const { bindings } = principal({ user: 'ann' }, 'admin')
  assert.equal(bindings.mayName.user, 'ignore', 'an administrator bound to a user is that user')
  assert.equal(principal({}, 'admin').bindings.mayName.user, 'accept')
  assert(Object.isFrozen(bindings) && Object.isFrozen(bindings.tags) && Object.isFrozen(bindings.mayName))
})

test('what may be called: by name, by beginning, workflows apart', () => {
  const calls = (terms: JsonObject) => {
    const { bindings } = principal(terms)
    return [
      mayCall(bindings, 'chat-small', 'model'),
      mayCall(bindings, 'docs', 'workflow'),
      mayCall(bindings, 'chat-nothing', undefined),
      mayCall(bindings, 'docs-nothing', undefined),
    ]
  }
  assert.deepEqual(calls({}), [true, true, true, true])
  assert.deepEqual(calls({ models: ['chat-*'] }), [true, false, true, false])
  assert.deepEqual(calls({ models: ['*'] }), [true, true, true, true])
  assert.deepEqual(calls({ models: ['chat-small', 'docs'] }), [true, true, false, false])
  assert.deepEqual(calls({ workflows: ['*'] }), [false, true, true, true])
  assert.deepEqual(calls({ workflows: ['docs'] }), [false, true, false, false])
})

test('law: no request speaks for another than its key lets it', () => {
  const naming = fc.constantFrom<Naming>('accept', 'ignore', 'refuse')
  const value = fc.oneof(fc.constantFrom('ann', 'eve', '', null), fc.jsonValue({ maxDepth: 1 }))
  const body = fc.record(
    { user: value, safety_identifier: value, metadata: fc.record({ user: value, tags: value }, { requiredKeys: [] }) },
    { requiredKeys: [] },
  )
  const bound = fc.option(fc.constantFrom('ann', 'bob'), { nil: undefined })
  fc.assert(
    fc.property(naming, naming, bound, body, (user, tags, own, sent) => {
      const terms = { ...(own === undefined ? {} : { user: own }), tags: ['own'], mayName: { user, tags } }
      if (own !== undefined && user === 'accept') return
      const found = identify(principal(terms), sent, {})
      if (found instanceof Refusal) return assert.notEqual(user === 'ignore' && tags === 'ignore', true)
      if (own !== undefined || user !== 'accept') assert.equal(found.user, own)
      if (tags !== 'accept') assert.deepEqual(found.tags, ['own'])
      assert.ok(found.tags.includes('own'))
    }),
  )
})
