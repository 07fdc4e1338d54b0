import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressOf, shownAt } from './address.ts'

const at = (search: string) => shownAt(new URLSearchParams(search))

test('what is shown goes through the address and back; what is usual is left out', () => {
  const shown = { prompt: 'support', from: 1, to: 3, view: 'unified', days: 7 } as const
  assert.deepEqual(at(addressOf(shown).split('?')[1] ?? ''), shown)
  assert.equal(addressOf(at('')), '/prompts')
  assert.equal(addressOf(at('prompt=a&view=split&days=30')), '/prompts?prompt=a')
})

test('an address that makes no sense shows what is usual', () => {
  for (const search of ['from=0', 'to=1e3', 'from=-1', 'view=film', 'days=8', 'prompt='])
    assert.equal(addressOf(at(search)), '/prompts', search)
})
