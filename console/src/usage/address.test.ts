import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressOf, daysOf, shownAt, spanOf, withLevel } from './address.ts'

const at = (search: string) => shownAt(new URLSearchParams(search))

test('what is shown goes through the address and back; what is usual is left out', () => {
  const shown = { days: 7, measure: 'tokens', levels: ['tenant', 'key', 'model', 'tag'], into: ['a/b', ''] } as const
  assert.deepEqual(at(addressOf(shown).split('?')[1] ?? ''), shown)
  assert.equal(addressOf(at('')), '/usage')
})

test('an address that makes no sense shows what is usual', () => {
  for (const search of ['days=5', 'measure=smiles', 'by=team,team,user,model', 'by=team,user', 'by=weather,a,b,c'])
    assert.equal(addressOf(at(search)), '/usage', search)
  assert.equal(at('in=a&in=b&in=c&in=d&in=e').into.length, 3, 'the last level holds nothing to go into')
  const others = at('in=%00rest&in=%00rest&in=a&in=b&in=c&in=d').into
  assert.deepEqual(others.slice(2), ['a', 'b', 'c'], 'what stands for several is no level')
})

test('levels change places rather than come twice', () => {
  assert.deepEqual(withLevel(['team', 'user', 'prompt', 'model'], 0, 'model'), ['model', 'user', 'prompt', 'team'])
  assert.deepEqual(withLevel(['team', 'user', 'prompt', 'model'], 1, 'key'), ['team', 'key', 'prompt', 'model'])
})

test('a span is whole days in UTC, today included', () => {
  const nowMs = Date.UTC(2026, 2, 1, 23, 59)
  assert.deepEqual(spanOf(2, nowMs), { from: '2026-02-28', to: '2026-03-01' })
  assert.deepEqual(daysOf(spanOf(3, nowMs)), ['2026-02-27', '2026-02-28', '2026-03-01'])
})
