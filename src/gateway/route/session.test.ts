import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sessionIn, sessionOf } from './session.ts'

test('a session is named by a header or in the body, and what is no name names none', () => {
  assert.deepEqual(sessionIn({ 'x-headworks-session': ' s1 ' }), { session: 's1' })
  assert.deepEqual([sessionIn({}), sessionIn({ 'x-headworks-session': ' ' })], [{}, {}])
  assert.deepEqual(sessionOf({ prompt_cache_key: 'p' }), { session: 'p' })
  assert.deepEqual(sessionOf({ prompt_cache_key: 'p', metadata: { session_id: 's' } }), { session: 's' })
  for (const body of [{}, { metadata: 'x' }, { prompt_cache_key: 7 }, { prompt_cache_key: '' }])
    assert.deepEqual(sessionOf(body), {})
})
