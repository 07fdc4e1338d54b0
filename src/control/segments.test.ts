import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RecordedReply, request } from '../../tests/kit/exchange.ts'
import { settled } from '../../tests/kit/clock.ts'
import { Refusal } from '../base/errors.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import { readBindings } from '../guard/bindings.ts'
import { collectionKey, COLLECTIONS } from '../retrieval/document.ts'
import { put } from '../store/rows.ts'
import { controlPlane } from './router.ts'
import { segmentRoutes } from './segments.ts'

async function call(collection: string): Promise<RecordedReply> {
  const rows = new MemoryRows()
  const bindings = readBindings({}, 'user')
  if (bindings instanceof Refusal) return assert.fail(bindings.code)
  const row = {
    name: 'a',
    segments: [
      {
        segment: 'a/1',
        chunks: 10,
        removed: [
          { first: 0, count: 2 },
          { first: 5, count: 1 },
        ],
      },
      { segment: 'a/2', chunks: 4, removed: [] },
    ],
    parts: [
      {
        segment: 'a/part',
        chunks: 11,
        holds: [
          { segment: 'a/1', first: 2, count: 3 },
          { segment: 'a/1', first: 6, count: 4 },
          { segment: 'a/2', first: 0, count: 4 },
        ],
      },
    ],
    documents: 3,
    chunks: 11,
    bytes: 1,
    updatedAtMs: 0,
  }
  await rows.commit([put(COLLECTIONS, collectionKey('a'), row)])
  const handle = controlPlane({
    routes: segmentRoutes({ rows, ownerOf: () => undefined }),
    authenticate: () => ({ id: 'key_1', name: 'app', role: 'user', bindings }),
    newRequestId: () => 'req_1',
  })
  const reply = new RecordedReply()
  handle(request('GET', `/api/collections/${collection}/segments`, ''), reply)
  for (let turn = 0; turn < 100 && !reply.ended; turn++) await settled()
  return reply
}

test('segments say how much of them is removed, parts how many segments they stand for', async () => {
  assert.deepEqual((await call('a')).json(), {
    segments: [
      { segment: 'a/1', chunks: 10, removed: 3 },
      { segment: 'a/2', chunks: 4, removed: 0 },
    ],
    parts: [{ segment: 'a/part', chunks: 11, segments: 2 }],
  })
})

test('a collection that is not there has none', async () => {
  const reply = await call('b')
  assert.deepEqual([reply.status, reply.json().error.code], [404, 'collection_unknown'])
})
