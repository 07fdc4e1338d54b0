import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { docx, paragraph, pdf } from '../../../tests/fixtures/documents.ts'
import { NO_SOURCES } from '../../../tests/kit/sources.ts'
import { systemClock } from '../../base/clock.ts'
import { fault, Refusal, refuse } from '../../base/errors.ts'
import type { JsonObject } from '../../base/json.ts'
import { silentLog } from '../../base/log.ts'
import { seededRandom } from '../../base/random.ts'
import { Analyzer } from '../../base/words.ts'
import { files, folders } from '../../drivers/filesystem/folder.ts'
import { MemoryIndex } from '../../drivers/memory/index.ts'
import { MemoryQueue } from '../../drivers/memory/queue.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import { chunkKey, CHUNKS, collectionKey, COLLECTIONS, DOCUMENTS, type DocumentRow } from '../document.ts'
import type { Folders } from '../sources.ts'
import { createIngest, type Ingest, type IngestOptions } from './ingest.ts'
import type { IngestWorker } from './port.ts'
import { TIER_SEGMENTS } from './tiers.ts'
import { LocalWorker } from './worker.ts'

let folder = ''
let house: ReturnType<typeof open>

function open(changed: Partial<IngestOptions> = {}) {
  const clock = systemClock
  const rows = new MemoryRows()
  const queue = new MemoryQueue(clock)
  const index = new MemoryIndex(new Analyzer())
  const worker = (): IngestWorker => Object.assign(new LocalWorker({ files, index, clock }), { close: async () => {} })
  const options: IngestOptions = {
    rows,
    queue,
    index,
    worker: worker(),
    pushWorker: worker(),
    folders,
    sources: NO_SOURCES,
    push: { documentsMax: 100, bytesMax: 10_000, waitMs: 5 },
    clock,
    random: seededRandom(1),
    log: silentLog,
    ...changed,
  }
  return { ...options, ingest: createIngest(options) }
}

describe('ingest: ingest', () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headworks-ingest-'))
    house = open()
  })
  afterEach(async () => {
    await house.ingest.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const write = async (name: string, data: string | Uint8Array): Promise<void> => {
    await mkdir(join(folder, name, '..'), { recursive: true })
    await writeFile(join(folder, name), data)
  }

  interface Shown extends JsonObject {
    readonly state: string
    readonly files: { readonly [name: string]: number }
    readonly skipped: { readonly uri: string; readonly code: string; readonly message: string }[]
    readonly notes: { readonly uri: string; readonly message: string }[]
    readonly problem?: { readonly code: string; readonly message: string }
  }

  /** Starts a run and waits for its end. */
  async function run(path = '.', collection = 'books', ingest: Ingest = house.ingest): Promise<Shown> {
    const id = await ingest.start(collection, join(folder, path))
    if (id instanceof Refusal) assert.fail(JSON.stringify(id))
    return await ended(id, ingest)
  }

  async function ended(id: string, ingest: Ingest = house.ingest): Promise<Shown> {
    for (;;) {
      const shown = (await ingest.status(id)) as unknown as Shown
      if (shown['endedAt'] !== null) return shown
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  const documents = async (collection = 'books'): Promise<DocumentRow[]> =>
    (await house.rows.scan(DOCUMENTS, { prefix: [collection], limit: 1000 })).map(({ row }) => row)
  const find = async (word: string, collection = 'books'): Promise<string[]> => {
    const hits = await house.index.search(collection, { terms: [{ word, weight: 1 }], k: 100 })
    const found = await house.rows.getMany(
      CHUNKS,
      hits.map((hit) => chunkKey(hit.segment, hit.chunk)),
    )
    return found.map((stored) => stored?.row.text ?? 'LOST')
  }

  /** What must hold of a collection whatever happened to it. */
  async function assertWhole(collection = 'books'): Promise<void> {
    const row = (await house.rows.get(COLLECTIONS, collectionKey(collection)))?.row
    assert.ok(row !== undefined)
    const all = await documents(collection)
    assert.equal(row.documents, all.length)
    assert.equal(
      row.chunks,
      all.reduce((sum, { chunkCount }) => sum + chunkCount, 0),
    )
    assert.equal(
      row.bytes,
      all.reduce((sum, { bytes }) => sum + bytes, 0),
    )
    assert.equal(
      row.chunks,
      row.segments.reduce(
        (sum, { chunks, removed }) => sum + chunks - removed.reduce((total, { count }) => total + count, 0),
        0,
      ),
    )
    const chunks = await house.rows.scan(CHUNKS, { limit: 10_000 })
    assert.equal(chunks.filter(({ key }) => key[0]?.startsWith(`${collection}/`)).length, row.chunks)
    for (const { id, segment, firstChunk, chunkCount } of all) {
      for (let at = 0; at < chunkCount; at++) {
        const stored = chunks.find(({ key }) => key[0] === segment && key[1] === chunkKey(segment, firstChunk + at)[1])
        assert.equal(stored?.row.document, id)
      }
    }
  }

  test('every kind of file is read, found by its words, and what is skipped is named', async () => {
    await write('a.md', '# Alpha\n\nMarkdown apple.')
    await write('sub/b.txt', 'Plain banana.')
    await write('sub/c d.html', '<html><title>See</title><p>Hyper cherry.</p></html>')
    await write('e.pdf', pdf(['Portable elderberry.']))
    await write('f.docx', docx(paragraph('Worded fig.')))
    await write('bad.pdf', 'no pdf')
    await write('.hidden/x.md', 'hidden')
    await write('node_modules/m/readme.md', 'module')
    await write('picture.png', 'x')
    const shown = await run()
    assert.equal(shown.state, 'done')
    assert.deepEqual(shown.files, { found: 6, read: 5, unchanged: 0, removed: 0, skipped: 1, ignored: 1 })
    const name = folder.split('/').at(-1)
    assert.deepEqual(shown.skipped, [
      {
        uri: `${name}/bad.pdf`,
        code: 'document_unreadable',
        message: 'The document cannot be read: it is named .pdf but does not begin like a PDF.',
      },
    ])
    assert.deepEqual(
      (await documents()).map(({ uri }) => uri).sort(),
      ['a.md', 'e.pdf', 'f.docx', 'sub/b.txt', 'sub/c%20d.html'].map((one) => `${name}/${one}`),
    )
    for (const word of ['apple', 'banana', 'cherry', 'elderberry', 'fig'])
      assert.equal((await find(word)).length, 1, word)
    assert.equal(shown['chunks'], 5)
    await assertWhole()
  })

  test('the second time nothing is read', async () => {
    await write('a.md', 'one')
    await write('b.md', 'two')
    await run()
    const before = await house.rows.get(COLLECTIONS, collectionKey('books'))
    const shown = await run()
    assert.deepEqual(shown.files, { found: 2, read: 0, unchanged: 2, removed: 0, skipped: 0, ignored: 0 })
    assert.deepEqual(await house.rows.get(COLLECTIONS, collectionKey('books')), before)
  })

  test('a changed file replaces its document and no other', async () => {
    await write('a.md', 'old apple')
    await write('b.md', 'banana')
    await run()
    const before = await documents()
    await write('a.md', 'new apricot')
    const shown = await run()
    assert.equal(shown.files['read'], 1)
    const after = await documents()
    assert.deepEqual(
      after.map(({ id }) => id),
      before.map(({ id }) => id),
    )
    assert.deepEqual(
      after.filter(({ uri }) => uri.endsWith('b.md')),
      before.filter(({ uri }) => uri.endsWith('b.md')),
    )
    assert.deepEqual(await find('apple'), [])
    assert.deepEqual(await find('apricot'), ['new apricot'])
    await assertWhole()
  })

  test('a file of the same size and time with another content is seen', async () => {
    await write('a.md', 'aaaa')
    await run()
    await write('a.md', 'bbbb')
    assert.equal((await run()).files['read'], 1)
  })

  test('what is gone from the folder is gone from the collection, and nothing else', async () => {
    await write('one/a.md', 'apple')
    await write('one/b.md', 'banana')
    await write('two/c.md', 'cherry')
    await run('one')
    await run('two')
    await rm(join(folder, 'one/a.md'))
    const shown = await run('one')
    assert.equal(shown.files['removed'], 1)
    assert.deepEqual(await find('apple'), [])
    assert.equal((await find('cherry')).length, 1)
    await rm(join(folder, 'one/b.md'))
    await run('one')
    assert.equal(
      (await house.rows.get(COLLECTIONS, collectionKey('books')))?.row.segments.length,
      1,
      'the empty segment is gone',
    )
    await assertWhole()
  })

  test('a folder that cannot be listed hides its documents, it does not remove them', async () => {
    await write('sub/a.md', 'apple')
    await write('b.md', 'banana')
    await run()
    // Root may list everything, so the refusal is made here.
    const refusal = refuse('document_unreadable', { reason: 'permission denied' })
    const locked: Folders = {
      ...folders,
      async *walk() {
        yield { kind: 'refused', relative: 'sub', refusal, hides: true }
      },
    }
    const other = open({ rows: house.rows, queue: house.queue, index: house.index, folders: locked })
    const shown = await run('.', 'books', other.ingest)
    await other.ingest.stop()
    assert.deepEqual([shown.files['removed'], shown.files['skipped']], [1, 1])
    assert.match(shown.skipped[0]?.message ?? '', /permission denied/)
    assert.deepEqual([(await find('apple')).length, (await find('banana')).length], [1, 0])
  })

  test('a document whose file became unreadable goes on answering', async () => {
    await write('a.md', 'apple')
    await run()
    await write('a.md', new Uint8Array([0, 1, 2]))
    const shown = await run()
    assert.deepEqual([shown.files['skipped'], shown.files['removed']], [1, 0])
    assert.equal((await find('apple')).length, 1)
  })

  test('one file of a known folder is the same document, one from elsewhere another', async () => {
    await write('docs/a.md', 'apple')
    await write('docs/b.md', 'banana')
    await write('other/docs/a.md', 'apricot')
    await run('docs')
    await write('docs/a.md', 'apple again')
    assert.deepEqual((await run('docs/a.md')).files, {
      found: 1,
      read: 1,
      unchanged: 0,
      removed: 0,
      skipped: 0,
      ignored: 0,
    })
    await run('other/docs')
    assert.deepEqual((await documents()).map(({ uri }) => uri).sort(), ['docs-2/a.md', 'docs/a.md', 'docs/b.md'])
    await rm(join(folder, 'docs'), { recursive: true })
    await rename(join(folder, 'other/docs'), join(folder, 'docs'))
    assert.equal((await run('docs')).files['removed'], 1)
    await assertWhole()
  })

  test('links: into hidden places inside the folder they are followed, out of it never', async () => {
    await write('..data/page.md', 'mounted apple')
    await write('real.md', 'banana')
    await symlink('..data/page.md', join(folder, 'page.md'))
    await symlink('real.md', join(folder, 'again.md'))
    await symlink('/etc/hostname', join(folder, 'outside.md'))
    await symlink('.', join(folder, 'circle'))
    await symlink('nowhere', join(folder, 'broken.md'))
    const shown = await run()
    assert.equal(shown.files['read'], 2)
    assert.deepEqual(
      shown.skipped.map(({ uri }) => uri.split('/').at(-1)),
      ['broken.md', 'outside.md'],
    )
  })

  test('notes say what was left out of a document', async () => {
    await write('long.pdf', pdf(Array.from({ length: 2001 }, (_, i) => `Page text ${i}`)))
    assert.match((await run()).notes[0]?.message ?? '', /first 2000 of 2001/)
  })

  test('many small runs end in few segments', async () => {
    for (let i = 0; i < 30; i++) {
      await write(`${i}.md`, `number${i} common`)
      await run()
    }
    const row = (await house.rows.get(COLLECTIONS, collectionKey('books')))?.row
    assert.ok((row?.segments.length ?? 99) <= 2 * (TIER_SEGMENTS - 1), `${row?.segments.length} segments`)
    assert.equal((await find('common')).length, 30)
    assert.equal((await house.index.segments()).length, row?.segments.length, 'what was merged is dropped')
    await assertWhole()
  })

  test('a batch ends with its documents as well as with its text', async () => {
    house = open({ batchDocumentsMax: 40 })
    for (let at = 0; at < 100; at++) await write(`small/${at}.txt`, `Note number ${at}.`)
    assert.equal((await run('small')).files['read'], 100)
    // Groups of 32 are read before the bound is looked at.
    const segments = new Set((await documents()).map(({ segment }) => segment))
    assert.equal(segments.size, 2)
    await assertWhole()
  })

  test('a document can be removed, and a collection dropped', async () => {
    await write('a.md', 'apple')
    await write('b.md', 'banana')
    await run()
    const [first] = await documents()
    assert.equal(await house.ingest.removeDocument('books', first?.id ?? ''), undefined)
    await assertWhole()
    assert.equal((await documents()).length, 1)
    assert.equal((await house.ingest.removeDocument('books', first?.id ?? ''))?.code, 'not_found')
    assert.equal((await house.ingest.removeDocument('none', 'x'))?.code, 'collection_unknown')
    assert.equal(await house.ingest.dropCollection('books'), undefined)
    assert.deepEqual(await house.rows.scan(CHUNKS, { limit: 10 }), [])
    assert.deepEqual(await documents(), [])
    assert.deepEqual(await house.index.segments(), [])
    assert.equal((await house.ingest.dropCollection('books'))?.code, 'collection_unknown')
    assert.equal((await run()).files['read'], 2, 'the name can be used again')
  })

  test('a collection may have every name that the configuration allows it', async () => {
    await write('a.md', 'apple')
    for (const name of ['0', 'my_docs', 'v1.2', 'a..b', 'a'.repeat(63)])
      assert.equal((await run('.', name)).state, 'done', name)
  })

  test('bad input is refused at once', async () => {
    for (const name of ['', 'A', '-a', '.a', 'a b', 'a/b', 'a'.repeat(64), '../x']) {
      const refusal = await house.ingest.start(name, folder)
      assert.ok(refusal instanceof Refusal && refusal.code === 'field_invalid', name)
    }
    const missing = await house.ingest.start('books', join(folder, 'none'))
    assert.ok(missing instanceof Refusal)
    assert.match(String(missing.details['reason']), /no such file/)
    assert.ok((await house.ingest.start('books', '/dev/null')) instanceof Refusal)
    assert.ok((await house.ingest.start('books', 'a\0b')) instanceof Refusal)
    assert.equal(await house.ingest.status('ing_none'), undefined)
  })

  test('a run whose folder vanished before it began fails and removes nothing', async () => {
    await write('docs/a.md', 'apple')
    await run('docs')
    const gate = Promise.withResolvers<void>()
    const slow = open({
      rows: house.rows,
      queue: house.queue,
      index: house.index,
      folders: { ...folders, open: async (path) => (await gate.promise, folders.open(path)) },
    })
    const starting = slow.ingest.start('books', join(folder, 'docs'))
    gate.resolve()
    const id = await starting
    // At one stroke: a folder that is seen half emptied has lost the other half.
    await rename(join(folder, 'docs'), join(folder, 'elsewhere'))
    const shown = await ended(String(id), slow.ingest)
    assert.ok(shown.state === 'failed' || shown.files['removed'] === 0)
    assert.equal((await find('apple')).length, 1)
    await slow.ingest.stop()
  })

  test('a lost segment is built again from the rows when the next process starts', async () => {
    await write('a.md', 'apple')
    await run()
    await write('b.md', 'banana')
    await run()
    await house.ingest.stop()
    house = open({ rows: house.rows, queue: house.queue })
    await house.ingest.resume()
    assert.equal((await find('apple')).length, 1)
    assert.equal((await find('banana')).length, 1)
    await assertWhole()
  })

  test('segments that no collection refers to are swept when the next process starts', async () => {
    await write('a.md', 'apple')
    await run()
    await house.index.build('books/seg_orphan', [{ text: 'orphan' }])
    await house.ingest.resume()
    assert.equal((await house.index.segments()).length, 1)
  })

  test('trouble of our own is tried again, and what was counted is counted once', async () => {
    await write('a.md', 'apple')
    let failures = 2
    const { rows, queue } = house
    const commit = rows.commit.bind(rows)
    rows.commit = async (changes) => {
      if (changes.some(({ table }) => table === 'chunks') && failures-- > 0) throw fault('disk_full', { path: '/data' })
      return await commit(changes)
    }
    const retry = queue.retry.bind(queue)
    queue.retry = (job, _delayMs, reason) => retry(job, 0, reason)
    const shown = await run()
    assert.equal(shown.state, 'done')
    assert.deepEqual(shown.files, { found: 1, read: 1, unchanged: 0, removed: 0, skipped: 0, ignored: 0 })
    await assertWhole()
  })

  test('progress is told, and runs are listed newest first', async () => {
    await write('a.md', 'apple')
    const states = new Set<unknown>()
    const off = house.ingest.onProgress(({ state }) => states.add(state))
    const first = await run()
    off()
    assert.deepEqual([...states], ['running', 'done'])
    const second = await run('.', 'others')
    assert.deepEqual(
      (await house.ingest.list()).map((one) => one['run']),
      [second['run'], first['run']],
    )
    assert.deepEqual(
      (await house.ingest.list('books')).map((one) => one['run']),
      [first['run']],
    )
  })
})
