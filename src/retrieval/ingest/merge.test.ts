import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openCollection } from '../../../tests/kit/source-contract.ts'
import { NO_SOURCES } from '../../../tests/kit/sources.ts'
import { type Clock, systemClock } from '../../base/clock.ts'
import { fault } from '../../base/errors.ts'
import { Analyzer } from '../../base/words.ts'
import { MemoryIndex } from '../../drivers/memory/index.ts'
import { MemoryQueue } from '../../drivers/memory/queue.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import type { IndexChunks, SegmentSummary } from '../../store/index.ts'
import { put } from '../../store/rows.ts'
import { chunkKey, CHUNKS, collectionKey, COLLECTIONS, type CollectionRow } from '../document.ts'
import { createSearch } from '../search.ts'
import type { SentDocument } from './sent.ts'

const NAMES = Array.from({ length: 11 }, (_, at) => `d${at}`)

const document = (id: string, text = `Common ${id}word`): SentDocument => ({
  id,
  uri: `sent/${id}`,
  bytes: new TextEncoder().encode(text),
  mediaType: 'text/plain',
})

const rowOf = async (rows: MemoryRows): Promise<CollectionRow | undefined> =>
  (await rows.get(COLLECTIONS, collectionKey('shelf')))?.row

/** Waits until the background has brought the collection where it is to be. */
async function until(rows: MemoryRows, reached: (row: CollectionRow) => boolean): Promise<CollectionRow> {
  for (;;) {
    const row = await rowOf(rows)
    if (row !== undefined && reached(row)) return row
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** Has room for segments, which come whole, and none for parts, which come in pieces. */
class FullIndex extends MemoryIndex {
  hasRoom = false

  override build(segment: string, chunks: IndexChunks): Promise<SegmentSummary> {
    if (this.hasRoom || Array.isArray(chunks)) return super.build(segment, chunks)
    return Promise.reject(fault('disk_full', { path: '/data' }))
  }
}

/** One segment a document, none too small for a part, until one is made of them. */
async function filled() {
  const house = openCollection(NO_SOURCES, undefined, { fullChunks: 2 })
  for (const id of NAMES) await house.ingest.push('shelf', [document(id)])
  const row = await until(house.rows, ({ parts = [] }) => parts.length > 0)
  return { ...house, row }
}

test('many segments become one part, whose segments need no files of their own', async () => {
  const house = await filled()
  const [part] = house.row.parts ?? []
  assert.ok(part !== undefined && part.chunks >= 9)
  assert.equal(await house.find('common'), NAMES.length)
  const held = new Set(part.holds.map(({ segment }) => segment))
  for (let left = true; left;) {
    left = (await house.index.segments()).some((segment) => held.has(segment))
    if (left) await new Promise((resolve) => setTimeout(resolve, 2))
  }
  assert.ok((await house.index.segments()).includes(part.segment))
  await house.ingest.stop()
})

test('what is removed or replaced after the part was made answers no more, and the new does', async () => {
  const house = await filled()
  await house.ingest.removeDocument('shelf', 'd3')
  await house.ingest.push('shelf', [document('d4', 'Common replaced')])
  assert.deepEqual(
    [await house.find('d3word'), await house.find('d4word'), await house.find('replaced'), await house.find('common')],
    [0, 0, 1, NAMES.length - 1],
  )
  await house.ingest.stop()
})

test('a part that was lost is built again at the next start, and orphans are swept', async () => {
  const house = await filled()
  await house.ingest.removeDocument('shelf', 'd3')
  await house.ingest.stop()
  const [part] = (await rowOf(house.rows))?.parts ?? []
  assert.ok(part !== undefined)
  await house.index.mount('shelf', [])
  await house.index.drop(part.segment)
  await house.index.build('shelf/orphan', [{ text: 'orphan' }])
  const again = openCollection(NO_SOURCES, house)
  await again.ingest.resume()
  assert.equal(await again.find('common'), NAMES.length - 1)
  assert.equal(await again.find('d3word'), 0)
  const [rebuilt] = (await rowOf(house.rows))?.parts ?? []
  assert.ok(rebuilt !== undefined && rebuilt.segment !== part.segment)
  assert.ok(!(await house.index.segments()).includes('shelf/orphan'))
  await again.ingest.stop()
})

test('a part that is found damaged while it answers is built again, and answers until then', async () => {
  const house = await filled()
  const [part] = house.row.parts ?? []
  assert.ok(part !== undefined)
  house.ingest.restore(part.segment)
  const { parts = [] } = await until(house.rows, (row) => {
    const now = row.parts ?? []
    return now.length > 0 && now.every(({ segment }) => segment !== part.segment)
  })
  assert.deepEqual(
    parts.map(({ holds }) => holds),
    [part.holds],
  )
  assert.equal(await house.find('common'), NAMES.length)
  for (let left = true; left;) {
    left = (await house.index.segments()).includes(part.segment)
    if (left) await new Promise((resolve) => setTimeout(resolve, 2))
  }
  house.ingest.restore('shelf/never-there')
  await house.ingest.push('shelf', [document('later')])
  assert.equal(await house.find('common'), NAMES.length + 1)
  await house.ingest.stop()
})

test('a part for which the disk has no room is tried again without a change, and searches go on', async () => {
  const index = new FullIndex(new Analyzer())
  const later: (() => void)[] = []
  const clock: Clock = {
    monotonicMs: () => systemClock.monotonicMs(),
    wallMs: () => systemClock.wallMs(),
    after(delayMs, task) {
      if (delayMs < 60_000) return systemClock.after(delayMs, task)
      later.push(task)
      return { cancel: () => {} }
    },
  }
  const rows = new MemoryRows()
  const house = openCollection(NO_SOURCES, { rows, queue: new MemoryQueue(clock), index }, { clock, fullChunks: 2 })
  for (const id of NAMES) await house.ingest.push('shelf', [document(id)])
  while (later.length === 0) await new Promise((resolve) => setTimeout(resolve, 2))
  assert.equal(await house.find('common'), NAMES.length)
  assert.deepEqual((await rowOf(rows))?.parts ?? [], [])
  index.hasRoom = true
  for (const task of later.splice(0)) task()
  const { parts = [] } = await until(rows, (row) => (row.parts ?? []).length > 0)
  assert.ok((parts[0]?.chunks ?? 0) >= 9)
  assert.equal(await house.find('common'), NAMES.length)
  await house.ingest.stop()
})

test('with the last of its documents a part goes too', async () => {
  const house = await filled()
  for (const id of NAMES) await house.ingest.removeDocument('shelf', id)
  const row = await until(house.rows, ({ parts = [] }) => parts.length === 0)
  assert.deepEqual([row.documents, row.segments.length, await house.find('common')], [0, 0, 0])
  await house.ingest.push('shelf', [document('new')])
  assert.equal(await house.find('common'), 1)
  await house.ingest.stop()
})

test('a dropped collection leaves no part behind', async () => {
  const house = await filled()
  await house.ingest.dropCollection('shelf')
  assert.deepEqual(await house.index.segments(), [])
  await house.ingest.stop()
})

test('documents are found while their segments are merged, also before the merged one is mounted', async () => {
  const house = openCollection(NO_SOURCES)
  const { index, rows } = house
  const { search } = createSearch({ index, rows, analyzer: new Analyzer() })
  const acknowledged: string[] = []
  const mount = index.mount.bind(index)
  let looks = 0
  index.mount = async (collection, parts) => {
    for (const id of acknowledged) {
      const { passages } = await search('shelf', `${id}word`, { k: 3 })
      assert.equal(passages[0]?.document, id, `after ${looks} looks`)
      looks++
    }
    await mount(collection, parts)
  }
  for (let at = 0; at < 30; at++) {
    await house.ingest.push('shelf', [document(`d${at}`, `Common ${'x'.repeat(at + 1)} d${at}word`)])
    acknowledged.push(`d${at}`)
  }
  await house.ingest.stop()
  const { segments = [] } = (await rowOf(rows)) ?? {}
  assert.ok(segments.length < 30 && looks > 400, `${segments.length} segments, ${looks} looks`)
  const { length } = await rows.scan(CHUNKS, { limit: 100 })
  assert.equal(length, 30, 'the chunks are kept once')
})

test('chunks that a crash left in a segment which was merged go at the next start', async () => {
  const house = await filled()
  await house.ingest.stop()
  const left = { document: 'd3', start: 0, end: 4, text: 'left', headings: [] }
  await house.rows.commit([put(CHUNKS, chunkKey('shelf/merged', 0), left)])
  const again = openCollection(NO_SOURCES, house)
  await again.ingest.resume()
  assert.equal((await house.rows.scan(CHUNKS, { limit: 100 })).length, NAMES.length)
  await again.ingest.stop()
})

test('a part that was lost and of which nothing answers any more is no obstacle to a start', async () => {
  const house = await filled()
  await house.ingest.stop()
  const row = await rowOf(house.rows)
  assert.ok(row !== undefined)
  const dead = { segment: 'shelf/dead', chunks: 5, holds: [{ segment: 'shelf/rewritten', first: 0, count: 5 }] }
  await house.rows.commit([put(COLLECTIONS, collectionKey('shelf'), { ...row, parts: [...(row.parts ?? []), dead] })])
  const again = openCollection(NO_SOURCES, house)
  await again.ingest.resume()
  assert.equal(await again.find('common'), NAMES.length)
  assert.ok((await rowOf(house.rows))?.parts?.every(({ segment }) => segment !== dead.segment))
  await again.ingest.stop()
})
