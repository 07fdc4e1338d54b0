import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drill } from './retrieval-drill.ts'

test('nothing acknowledged is lost, nothing deleted comes back while a house that is written to is killed', async (t) => {
  const { acknowledged, checkedSearches, documents, flaws, childKills } = await drill({
    kills: 3,
    documents: 60,
    seed: 11,
  })
  assert.deepEqual(flaws, [])
  const { kept, deleted } = acknowledged
  assert.ok(kept > 20 && documents > 20, `${kept} kept, ${documents} there`)
  t.diagnostic(`${kept} kept, ${deleted} deleted, ${checkedSearches} searches checked, ${childKills} children killed`)
})
