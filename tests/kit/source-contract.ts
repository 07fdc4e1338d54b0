import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { Refusal } from '../../src/base/errors.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { type Log, silentLog } from '../../src/base/log.ts'
import { seededRandom } from '../../src/base/random.ts'
import { Analyzer } from '../../src/base/words.ts'
import type { SourceConfig } from '../../src/config/schema.ts'
import { files, folders } from '../../src/drivers/filesystem/folder.ts'
import { MemoryIndex } from '../../src/drivers/memory/index.ts'
import { MemoryQueue } from '../../src/drivers/memory/queue.ts'
import { MemoryRows } from '../../src/drivers/memory/rows.ts'
import type { Rows } from '../../src/store/rows.ts'
import { DOCUMENTS, type DocumentRow } from '../../src/retrieval/document.ts'
import { DEAD_LETTERS } from '../../src/retrieval/ingest/dead-letters.ts'
import { createIngest, type Ingest } from '../../src/retrieval/ingest/ingest.ts'
import type { IngestWorker } from '../../src/retrieval/ingest/port.ts'
import { LocalWorker } from '../../src/retrieval/ingest/worker.ts'
import type { OpenSource, Sources } from '../../src/retrieval/sources.ts'

/** What every source owes to the collection it feeds, whatever technology lies under it. */

/** A source whose content the suite decides. */
export interface Stock {
  readonly spec: SourceConfig
  readonly sources: Sources
  /** Adds or replaces; `name` is a file name with an extension. */
  put(name: string, content: string | Uint8Array): Promise<void>
  remove(name: string): Promise<void>
  /** The source is not to be had any more. */
  vanish(): Promise<void>
  close(): Promise<void>
}

/** @param revised Whether documents know which state of the source they are of, and what did not change
 *  is not fetched again. */
export function sourceContract(
  name: string,
  open: () => Promise<Stock>,
  { revised = true, skip = false }: { readonly revised?: boolean; readonly skip?: string | false } = {},
): void {
  describe(`source: ${name}`, { skip }, () => {
    let stock: Stock
    let house: ReturnType<typeof openCollection>
    beforeEach(async () => {
      stock = await open()
      house = openCollection(stock.sources)
    })
    afterEach(async () => {
      await house.ingest.stop()
      await stock.close()
    })

    test('everything is listed, read and found, with its provenance', async () => {
      await stock.put('a.md', '# Alpha\n\nA red apple.')
      await stock.put('b c.txt', 'A yellow banana.')
      const shown = await house.run(stock.spec)
      assert.deepEqual(
        [shown['state'], shown.files['read'], shown.files['found']],
        ['done', 2, 2],
        JSON.stringify(shown),
      )
      assert.deepEqual([await house.find('apple'), await house.find('banana')], [1, 1])
      for (const { provenance, trust } of house.documents()) {
        assert.equal(provenance?.kind, stock.spec.kind)
        assert.equal(trust, ['urls', 'sitemap'].includes(stock.spec.kind) ? 'untrusted' : 'internal')
        if (revised) assert.match(provenance.revision ?? '', /\S/)
      }
    })

    test('what did not change is not read again, what changed replaces what was there', async () => {
      await stock.put('a.md', 'A red apple.')
      await stock.put('b.md', 'A yellow banana.')
      await house.run(stock.spec)
      const before = house.documents()
      house.fetched()
      const second = await house.run(stock.spec)
      assert.deepEqual([second.files['read'], second.files['unchanged']], [0, 2])
      if (revised) assert.equal(house.fetched(), 0)
      await stock.put('a.md', 'A green apricot.')
      const third = await house.run(stock.spec)
      assert.deepEqual([third.files['read'], third.files['unchanged']], [1, 1])
      if (revised) assert.equal(house.fetched(), 1)
      assert.deepEqual([await house.find('apple'), await house.find('apricot'), await house.find('banana')], [0, 1, 1])
      assert.deepEqual(
        house.documents().map(({ id }) => id),
        before.map(({ id }) => id),
      )
    })

    test('what is gone from the source is gone from the collection', async () => {
      await stock.put('a.md', 'A red apple.')
      await stock.put('b.md', 'A yellow banana.')
      await house.run(stock.spec)
      await stock.remove('a.md')
      assert.equal((await house.run(stock.spec)).files['removed'], 1)
      assert.deepEqual([await house.find('apple'), await house.find('banana')], [0, 1])
    })

    test('one that cannot be read is a dead letter, until it can be', async () => {
      await stock.put('a.pdf', new Uint8Array([0, 1, 2, 3]))
      await stock.put('b.md', 'A yellow banana.')
      const shown = await house.run(stock.spec)
      assert.deepEqual([shown['state'], shown.files['skipped'], shown.files['read']], ['done', 1, 1])
      assert.deepEqual(
        house.letters().map(({ attempts, code }) => [attempts, code]),
        [[1, 'document_unreadable']],
      )
      const [run] = (await house.ingest.replay('shelf')) as readonly string[]
      await house.ended(run)
      assert.equal(house.letters()[0]?.attempts, 2)
      assert.equal(house.documents().length, 1, 'the others are left alone')
      await stock.remove('a.pdf')
      await stock.put('a.md', 'A red apple.')
      await house.run(stock.spec)
      assert.deepEqual(house.letters(), [])
      assert.equal(await house.find('apple'), 1)
    })

    test('a reading that was broken off goes on where it was', async () => {
      for (let at = 0; at < 70; at++) await stock.put(`${at}.md`, `Number word${at} common`)
      const interrupted = openCollection(stock.sources, house, { stopAfter: 40 })
      const run = await interrupted.ingest.start('shelf', stock.spec)
      if (run instanceof Refusal) assert.fail(JSON.stringify(run))
      await interrupted.stopped()
      assert.ok(interrupted.documents().length < 70)
      const resumed = openCollection(stock.sources, house)
      await resumed.ingest.resume()
      const shown = await resumed.ended(run)
      await house.look()
      assert.deepEqual([shown['state'], house.documents().length, await house.find('common')], ['done', 70, 70])
      await resumed.ingest.stop()
    })

    test('a source that is gone removes nothing', async () => {
      await stock.put('a.md', 'A red apple.')
      await house.run(stock.spec)
      await stock.vanish()
      const run = await house.ingest.start('shelf', stock.spec)
      if (!(run instanceof Refusal)) {
        await house.ingest.stop()
        assert.equal(house.documents().length, 1)
      }
      assert.equal(await house.find('apple'), 1)
    })

    test('what the source is declared with is kept on every document', async () => {
      await stock.put('a.md', 'A red apple.')
      await house.run({ ...stock.spec, trust: 'trusted', metadata: { team: 'fruit', year: 2026 } })
      const [document] = house.documents()
      assert.equal(document?.trust, 'trusted')
      assert.deepEqual([document.metadata?.['team'], document.metadata?.['year']], ['fruit', 2026])
      await house.run({ ...stock.spec, trust: 'untrusted' })
      assert.equal(house.documents()[0]?.trust, 'untrusted', 'a changed declaration reaches unchanged documents')
    })
  })
}

interface Shown extends JsonObject {
  readonly files: { readonly [name: string]: number }
}

const WAIT_MS = 3

/** A collection in memory, fed by the real ingest. */
export function openCollection<Kept extends Rows = MemoryRows>(
  from: Sources,
  former?: { readonly rows: Kept; readonly queue?: MemoryQueue; readonly index?: MemoryIndex },
  {
    stopAfter = Infinity,
    fullChunks,
    log = silentLog,
    clock = systemClock,
    push = { documentsMax: 100, bytesMax: 100_000, waitMs: 1 },
  }: {
    readonly stopAfter?: number
    readonly fullChunks?: number
    readonly log?: Log
    readonly clock?: Clock
    readonly push?: NonNullable<Parameters<typeof createIngest>[0]['push']>
  } = {},
) {
  const {
    rows = new MemoryRows() as unknown as Kept,
    queue = new MemoryQueue(clock),
    index = new MemoryIndex(new Analyzer()),
  } = former ?? {}
  let fetched = 0
  let stopping: Promise<void> | undefined
  const worker = (): IngestWorker => {
    const local = new LocalWorker({ files, index, clock })
    return Object.assign(local, {
      add: async (...words: Parameters<LocalWorker['add']>) => {
        if ((read += words[0].length) > stopAfter) stopping ??= ingest.stop()
        return await LocalWorker.prototype.add.apply(local, words)
      },
      close: async () => {},
    })
  }
  let read = 0
  const counted = (source: OpenSource): OpenSource => ({
    locator: source.locator,
    ...(source.base === undefined ? {} : { base: source.base }),
    close: () => source.close(),
    async *list(signal) {
      for await (const item of source.list(signal)) {
        if (item.kind !== 'document') yield item
        else
          yield {
            ...item,
            async read(known, until) {
              const content = await item.read(known, until)
              if (typeof content === 'object' && 'bytes' in content) fetched++
              return content
            },
          }
      }
    },
  })
  const sources: Sources = {
    async open(spec, signal) {
      const opened = await from.open(spec, signal)
      return opened instanceof Refusal ? opened : counted(opened)
    },
  }
  const ingest: Ingest = createIngest({
    ...(fullChunks === undefined ? {} : { fullChunks }),
    rows,
    queue,
    index,
    worker: worker(),
    pushWorker: worker(),
    folders,
    sources,
    clock,
    random: seededRandom(1),
    log,
    batchDocumentsMax: 32,
    leaseMs: 200,
    push,
  })
  const all = <Row>(table: { readonly name: string }): Promise<Row[]> =>
    rows.scan<Row>(table, { prefix: ['shelf'], limit: 1_000 }).then((found) => found.map(({ row }) => row))
  let documents: DocumentRow[] = []
  let letters: Awaited<ReturnType<typeof all<{ attempts: number; code: string; document: string }>>> = []
  const look = async (): Promise<void> => {
    documents = await all(DOCUMENTS)
    letters = await all(DEAD_LETTERS)
  }
  async function ended(run: string | undefined): Promise<Shown> {
    for (;;) {
      const shown = (await ingest.status(run ?? '')) as unknown as Shown
      await look()
      if (shown['endedAt'] !== null) return shown
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS))
    }
  }
  return {
    rows,
    queue,
    index,
    ingest,
    ended,
    look,
    async run(spec: SourceConfig): Promise<Shown> {
      const run = await ingest.start('shelf', spec)
      if (run instanceof Refusal) assert.fail(JSON.stringify(run))
      return await ended(run)
    },
    async stopped(): Promise<void> {
      while (stopping === undefined) await new Promise((resolve) => setTimeout(resolve, WAIT_MS))
      await stopping
      await look()
    },
    /** Since it was last asked: documents whose content was brought. */
    fetched(): number {
      const count = fetched
      fetched = 0
      return count
    },
    documents: () => documents,
    letters: () => letters,
    find: async (word: string): Promise<number> =>
      (await index.search('shelf', { terms: [{ word, weight: 1 }], k: 100 })).length,
  }
}
