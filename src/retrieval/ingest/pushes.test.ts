import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openCollection } from '../../../tests/kit/source-contract.ts'
import { NO_SOURCES } from '../../../tests/kit/sources.ts'
import { fault, Fault, Refusal } from '../../base/errors.ts'
import type { Filter } from '../../store/filter.ts'
import { collectionKey, COLLECTIONS } from '../document.ts'
import type { Kept } from './pushes.ts'
import { readSent, type SentDocument, sentText } from './sent.ts'

const document = (id: string, text: string, more: Partial<SentDocument> = {}): SentDocument => ({
  id,
  uri: `sent/${id}`,
  bytes: new TextEncoder().encode(text),
  mediaType: 'text/plain',
  ...more,
})

const statuses = (kept: readonly Kept[] | Refusal): string[] => {
  if (kept instanceof Refusal) assert.fail(JSON.stringify(kept))
  return kept.map(({ status }) => status)
}

test('what is sent is searchable once it is answered, sent again it is the same document', async () => {
  const house = openCollection(NO_SOURCES)
  const { ingest } = house
  assert.deepEqual(
    statuses(
      await ingest.push('shelf', [
        document('a', 'A red apple.', { title: 'Fruit', metadata: { year: 2026, ripe: true, kind: 'apple' } }),
      ]),
    ),
    ['kept'],
  )
  assert.equal(await house.find('apple'), 1)
  await house.look()
  const [first] = house.documents()
  assert.deepEqual(
    [first?.id, first?.title, first?.metadata, first?.trust, first?.provenance?.kind],
    ['a', 'Fruit', { year: 2026, ripe: true, kind: 'apple' }, 'internal', 'push'],
  )
  const again = document('a', 'A red apple.', { title: 'Fruit', metadata: { kind: 'apple', ripe: true, year: 2026 } })
  assert.deepEqual(statuses(await ingest.push('shelf', [again])), ['unchanged'])
  assert.deepEqual(statuses(await ingest.push('shelf', [{ ...again, metadata: { year: 2027 } }])), ['kept'])
  await house.look()
  assert.deepEqual([house.documents().length, house.documents()[0]?.metadata], [1, { year: 2027 }])
  assert.deepEqual(statuses(await ingest.push('shelf', [document('a', 'A green apricot.')])), ['kept'])
  assert.deepEqual([await house.find('apple'), await house.find('apricot')], [0, 1])
  assert.equal(await ingest.removeDocument('shelf', 'a'), undefined)
  assert.equal(await house.find('apricot'), 0)
  await ingest.stop()
})

test('attributes are what searches filter by', async () => {
  const house = openCollection(NO_SOURCES)
  await house.ingest.push('shelf', [
    document('a', 'A red apple.', { metadata: { team: 'fruit', year: 2026 }, trust: 'trusted' }),
    document('b', 'Another apple.', { metadata: { team: 'tech', year: 2025 } }),
  ])
  const found = async (filter: Filter): Promise<number> =>
    (await house.index.search('shelf', { terms: [{ word: 'apple', weight: 1 }], k: 10, filter })).length
  assert.deepEqual(
    [
      await found({ op: 'in', name: 'team', values: ['fruit'] }),
      await found({ op: 'in', name: 'team', values: ['fruit', 'tech'] }),
      await found({ op: 'range', name: 'year', atLeast: 2026 }),
      await found({ op: 'in', name: 'trust', values: ['trusted'] }),
      await found({ op: 'in', name: 'document', values: ['b'] }),
    ],
    [1, 2, 1, 1, 1],
  )
  await house.ingest.stop()
})

test('what is sent at the same time becomes one segment, versions of one document one after the other', async () => {
  const house = openCollection(NO_SOURCES)
  const { ingest } = house
  const sent = Array.from({ length: 50 }, (_, at) => ingest.push('shelf', [document(`d${at}`, `Common word${at}`)]))
  const versions = ['one', 'two', 'three'].map((word) => ingest.push('shelf', [document('v', `Version ${word}`)]))
  const others = ingest.push('other', [document('x', 'Elsewhere')])
  assert.ok((await Promise.all([...sent, ...versions, others])).every((kept) => statuses(kept)[0] === 'kept'))
  const row = (await house.rows.get(COLLECTIONS, collectionKey('shelf')))?.row
  assert.equal(row?.documents, 51)
  assert.ok((row?.segments.length ?? 99) <= 3, `${row?.segments.length} segments`)
  assert.deepEqual([await house.find('one'), await house.find('two'), await house.find('three')], [0, 0, 1])
  await ingest.stop()
})

test('senders are told to wait when too much is not durable yet, and nothing of theirs is kept', async () => {
  const house = openCollection(NO_SOURCES)
  const { ingest } = house
  const many = Array.from({ length: 100 }, (_, at) => document(`d${at}`, `Common word${at}`))
  const first = ingest.push('shelf', many)
  const refused = await ingest.push('shelf', [document('late', 'Too late')])
  assert.ok(refused instanceof Refusal && refused.code === 'ingest_full')
  assert.ok(Number(refused.details['retryAfterMs']) > 0)
  await first
  const large = ingest.push('shelf', [document('large', 'x'.repeat(99_990))])
  assert.ok(
    (await ingest.push('shelf', [document('late', 'Too much text')])) instanceof Refusal,
    'bytes are bounded as well',
  )
  await large
  assert.deepEqual(statuses(await ingest.push('shelf', [document('late', 'In time')])), ['kept'])
  assert.equal(await house.find('common'), 100)
  await ingest.stop()
})

test('what cannot be read is refused alone, kept as a dead letter, and can be replayed', async () => {
  const house = openCollection(NO_SOURCES)
  const { ingest } = house
  const bad = document('bad', '', { bytes: new Uint8Array([0, 1, 2]), mediaType: 'application/pdf' })
  assert.deepEqual(statuses(await ingest.push('shelf', [document('a', 'A red apple.'), bad])), ['kept', 'refused'])
  await house.look()
  assert.deepEqual(
    house.letters().map(({ document: id, attempts }) => [id, attempts]),
    [['bad', 1]],
  )
  assert.deepEqual(await ingest.replay('shelf', 'bad'), [])
  await house.look()
  assert.equal(house.letters()[0]?.attempts, 2)
  const none = await ingest.replay('shelf', 'none')
  assert.ok(none instanceof Refusal && none.code === 'not_found')
  assert.deepEqual(statuses(await ingest.push('shelf', [document('bad', 'Better now.')])), ['kept'])
  await house.look()
  assert.deepEqual(house.letters(), [])
  await ingest.stop()
})

test('what could not be made durable is not acknowledged', async () => {
  const house = openCollection(NO_SOURCES)
  const commit = house.rows.commit.bind(house.rows)
  house.rows.commit = async (changes) => {
    if (changes.some(({ table }) => table === 'chunks')) throw fault('disk_full', { path: '/data' })
    return await commit(changes)
  }
  const failed = (thrown: unknown): boolean => thrown instanceof Fault && thrown.code === 'disk_full'
  await assert.rejects(house.ingest.push('shelf', [document('a', 'A red apple.')]), failed)
  house.rows.commit = commit
  assert.deepEqual(statuses(await house.ingest.push('shelf', [document('a', 'A red apple.')])), ['kept'])
  const waiting = house.ingest.push('shelf', [document('b', 'A yellow banana.')])
  const stopped = assert.rejects(waiting, (thrown) => thrown instanceof Fault && thrown.code === 'stopping')
  await house.ingest.stop()
  await stopped
  assert.ok((await house.ingest.push('shelf', [document('c', 'Late')])) instanceof Refusal)
})

test('a run of a folder called like ours leaves what was sent alone', async () => {
  const house = openCollection(NO_SOURCES)
  await house.ingest.push('shelf', [document('a', 'A red apple.')])
  assert.ok((await house.ingest.push('Bad Name', [document('a', 'x')])) instanceof Refusal)
  await house.ingest.stop()
})

test('documents are read from JSON, and what is no document is refused with the field', () => {
  const read = readSent({ uri: 'https://example.com/a', text: 'x', metadata: { a: 1 } })
  assert.ok(!(read instanceof Refusal))
  assert.match(read.id, /^doc_[0-9a-z]{26}$/)
  const again = readSent(JSON.parse(sentText({ ...read, id: 'mine' })))
  assert.deepEqual(again, { ...read, id: 'mine', bytes: Buffer.from('x') })
  for (const [value, field] of [
    [null, 'document'],
    ['x', 'document'],
    [{ text: 'x' }, 'id'],
    [{ id: '', text: 'x' }, 'id'],
    [{ id: 'x'.repeat(257), text: 'x' }, 'id'],
    [{ id: 'a\0', text: 'x' }, 'id'],
    [{ id: 5, text: 'x' }, 'id'],
    [{ id: 'doc_1', text: 'x' }, 'id'],
    [{ id: 'a' }, 'text'],
    [{ id: 'a', text: 5 }, 'text'],
    [{ id: 'a', text: 'x', bytes: 'eA==' }, 'text'],
    [{ id: 'a', bytes: '%' }, 'bytes'],
    [{ id: 'a', text: 'x', more: 1 }, 'more'],
    [{ id: 'a', text: 'x', trust: 'blind' }, 'trust'],
    [{ id: 'a', text: 'x', title: 'x'.repeat(1_001) }, 'title'],
    [{ id: 'a', text: 'x', metadata: [] }, 'metadata'],
    [{ id: 'a', text: 'x', metadata: { a: null } }, 'metadata.a'],
    [{ id: 'a', text: 'x', metadata: { a: 'x'.repeat(513) } }, 'metadata.a'],
    [{ id: 'a', text: 'x', metadata: { trust: 'trusted' } }, 'metadata.trust'],
    [{ id: 'a', text: 'x', metadata: { document: 'b' } }, 'metadata.document'],
    [
      { id: 'a', text: 'x', metadata: Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`k${at}`, 1])) },
      'metadata',
    ],
  ] as const) {
    const refused = readSent(value)
    assert.ok(refused instanceof Refusal, JSON.stringify(value))
    assert.equal(refused.details['field'], field, JSON.stringify(value))
  }
})
