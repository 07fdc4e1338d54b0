import assert from 'node:assert/strict'
import { test } from 'node:test'
import { detailsText } from './words.ts'

test('what was recorded of an act: the reason first, nothing empty, nothing lost', () => {
  assert.equal(
    detailsText({
      subject: 'ann',
      limit: 5,
      tags: ['a', 'b'],
      none: [],
      team: null,
      mayName: { user: 'ignore' },
      reason: 'a demo',
    }),
    '“a demo” · subject ann · limit 5 · tags a, b · mayName user: ignore',
  )
  assert.equal(detailsText({}), '')
})
