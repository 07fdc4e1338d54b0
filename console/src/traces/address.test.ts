import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressOf, filterOf, shownAt } from './address.ts'

const at = (search: string) => shownAt(new URLSearchParams(search))

test('what is shown goes through the address and back; what is usual is left out', () => {
  const shown = {
    trace: 'req_1',
    hours: 168,
    status: 'error',
    text: 'timed out',
    minMs: 2000,
    names: { user: 'ann & co', model: 'chat' },
    brush: { fromMs: 1, toMs: 2, lowMs: 0, highMs: 0.5 },
  } as const
  assert.deepEqual(at(addressOf(shown).split('?')[1] ?? ''), shown)
  assert.equal(addressOf(at('')), '/traces')
  assert.deepEqual(filterOf(shown, Date.UTC(2026, 10, 8)), {
    from: '2026-11-01T00:00:00.000Z',
    status: 'error',
    text: 'timed out',
    minMs: '2000',
    user: 'ann & co',
    model: 'chat',
  })
})

test('an address that makes no sense shows what is usual', () => {
  for (const search of [
    'hours=5',
    'status=odd',
    'minMs=-1',
    'minMs=1e9',
    'minMs=0',
    'brush=1_2_3',
    'brush=2_1_0_9',
    'user=',
  ])
    assert.equal(addressOf(at(search)), '/traces', search)
  assert.equal(at(`text=${'x'.repeat(900)}`).text.length, 500)
})
