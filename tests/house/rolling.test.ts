import assert from 'node:assert/strict'
import { test } from 'node:test'
import { roll } from './rolling.ts'

test('no request fails while the configuration is reloaded, or one house takes over from another', async (t) => {
  const { requests, failures } = await roll({ reloads: 12, restarts: 2 })
  assert.deepEqual(failures, [])
  assert.ok(requests > 100, `${requests} requests are no load`)
  t.diagnostic(`12 reloads and 2 restarts under ${requests} requests: none failed`)
})
