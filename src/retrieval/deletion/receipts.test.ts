import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { nothingDerived } from '../../../tests/kit/erasing.ts'
import { openLibrary } from '../../../tests/kit/library.ts'
import { Refusal, refuse } from '../../base/errors.ts'
import { silentLog } from '../../base/log.ts'
import { seededRandom } from '../../base/random.ts'
import { Analyzer } from '../../base/words.ts'
import type { Index } from '../../store/index.ts'
import { put } from '../../store/rows.ts'
import { collectionKey, COLLECTIONS } from '../document.ts'
import { Collections, removeDocuments } from '../ingest/collections.ts'
import { rewrite } from '../ingest/compact.ts'
import { Deletions, type DeletionDependencies, type DeletionRow } from './receipts.ts'

const SECRET = 'the combination is swordfish'

async function open(more: Partial<DeletionDependencies> = {}) {
  const clock = new ManualClock()
  const library = await openLibrary(
    [
      { id: 'keep', texts: ['the lighthouse is open'] },
      { id: 'gone', texts: [SECRET, 'and more of it'], metadata: { tenant: 'acme' } },
    ],
    { vectors: false },
  )
  const { rows, index } = library
  const collections = new Collections({ rows, index, clock, log: silentLog })
  const analyzer = new Analyzer()
  const deletions = new Deletions({
    ...nothingDerived({ rows, index, analyzer, clock }),
    clock,
    random: seededRandom(1),
    rows,
    index,
    analyzer,
    removeDocument: async (collection, id) =>
      (await removeDocuments(rows, collections, collection, [id]))
        ? undefined
        : refuse('not_found', { what: 'document', id }),
    ...more,
  })
  const compact = async (): Promise<void> => {
    const worker = {
      build: async (segment: string, chunks: Parameters<Index['build']>[1]) =>
        void (await index.build(segment, chunks)),
    }
    await rewrite(
      { rows, collections, worker, newSegment: () => 'rewritten' },
      'c',
      (row) => row.segments,
      new AbortController().signal,
    )
  }
  return { ...library, clock, deletions, compact }
}

const isReceipt = (receipt: DeletionRow | Refusal): DeletionRow =>
  receipt instanceof Refusal ? assert.fail(receipt.code) : receipt

test('a deleted document answers no more, and its receipt says where it is gone from and what remains', async () => {
  const { deletions, search, clock, compact } = await open()
  const receipt = isReceipt(await deletions.remove('c', 'gone'))
  const { passages } = await search('c', SECRET, { k: 10, access: 'all' })
  assert.ok(passages.every(({ document }) => document !== 'gone'))
  const nowMs = clock.wallMs()
  assert.deepEqual(receipt.goneAtMs, {
    documentRow: nowMs,
    chunkRows: nowMs,
    fullText: nowMs,
    vectors: nowMs,
    embeddingCache: nowMs,
    answerCache: nowMs,
  })
  assert.equal(receipt.finalAtMs, undefined, 'its segment still holds it')
  assert.ok(!JSON.stringify(receipt).includes('swordfish'), 'a receipt does not keep what was deleted')

  clock.advance(5000)
  await deletions.settleAll()
  assert.equal(isReceipt(await deletions.status('c', receipt.id)).finalAtMs, undefined)
  await compact()
  clock.advance(5000)
  await deletions.settleAll()
  clock.advance(5000)
  const final = isReceipt(await deletions.status('c', receipt.id))
  assert.deepEqual([final.finalAtMs, final.goneAtMs.bytes], [nowMs + 10_000, nowMs + 10_000])
  assert.deepEqual(final.goneAtMs.fullText, nowMs, 'what was gone before keeps its time')
})

test('a deletion that a crash cut short is told as what it is', async () => {
  const { deletions, rows } = await open({ removeDocument: () => Promise.reject(new Error('killed')) })
  await assert.rejects(deletions.remove('c', 'gone'), /killed/)
  const [open_] = await rows.scan<{ id: string }>({ name: 'deletions.open' }, { limit: 10 })
  const receipt = isReceipt(await deletions.status('c', open_?.row.id ?? ''))
  assert.deepEqual(receipt.goneAtMs, {})
})

test('an index that still finds it is not called clean', async () => {
  const { deletions, index } = await open()
  const stale = await index.search('c', { terms: [{ word: 'swordfish', weight: 1 }], k: 5 })
  assert.equal(stale.length, 1)
  const { deletions: doubting } = await open({
    index: { search: async () => stale, segments: async () => ['s'], statistics: index.statistics.bind(index) },
  })
  const receipt = isReceipt(await doubting.remove('c', 'gone'))
  assert.deepEqual([receipt.goneAtMs.fullText, receipt.goneAtMs.vectors], [undefined, undefined])
  assert.ok(isReceipt(await deletions.remove('c', 'gone')).goneAtMs.fullText !== undefined)
})

test('deleted twice at once there is one receipt; what is not there has none', async () => {
  const { deletions, rows } = await open()
  const both = await Promise.all([deletions.remove('c', 'gone'), deletions.remove('c', 'gone')])
  assert.equal(both.filter((one) => one instanceof Refusal).length, 1)
  assert.equal((await rows.scan({ name: 'deletions' }, { limit: 10 })).length, 1)
  const none = await deletions.remove('c', 'never')
  assert.ok(none instanceof Refusal && none.code === 'not_found')
  const unknown = await deletions.status('c', 'del_x')
  assert.ok(unknown instanceof Refusal)
})

test('a document read again is another one: the receipt becomes final all the same', async () => {
  const { deletions, rows, compact, clock } = await open()
  const receipt = isReceipt(await deletions.remove('c', 'gone'))
  await compact()
  await rows.commit([
    {
      op: 'put',
      table: 'documents',
      key: ['c', 'gone'],
      row: { id: 'gone', segment: 'new', firstChunk: 0, chunkCount: 1, ingestedAtMs: clock.wallMs() + 1 },
    },
  ])
  assert.ok((await rows.get(COLLECTIONS, collectionKey('c'))) !== undefined)
  assert.ok(isReceipt(await deletions.status('c', receipt.id)).finalAtMs !== undefined)
})

test('bytes are gone once no part made of its segment holds them', async () => {
  const { deletions, rows, compact } = await open()
  const receipt = isReceipt(await deletions.remove('c', 'gone'))
  const partOf = async (holds: readonly { segment: string; first: number; count: number }[]): Promise<void> => {
    const stored = await rows.get(COLLECTIONS, collectionKey('c'))
    assert.ok(stored !== undefined)
    await rows.commit([
      put(COLLECTIONS, collectionKey('c'), { ...stored.row, parts: [{ segment: 'part', chunks: 1, holds }] }),
    ])
  }
  await compact()
  await partOf([{ segment: receipt.copies[0]?.segment ?? '', first: 0, count: 2 }])
  assert.equal(isReceipt(await deletions.status('c', receipt.id)).finalAtMs, undefined)
  await partOf([{ segment: receipt.copies[0]?.segment ?? '', first: 0, count: 1 }])
  assert.ok(
    isReceipt(await deletions.status('c', receipt.id)).finalAtMs !== undefined,
    'those of another document may stay',
  )
})
