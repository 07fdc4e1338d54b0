import assert from 'node:assert/strict'
import { execFileSync, fork, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { deflateSync } from 'node:zlib'
import { pdfOf, stream } from '../../../tests/fixtures/documents.ts'
import { hostile, samples } from '../../../tests/fixtures/samples.ts'
import { NO_SOURCES } from '../../../tests/kit/sources.ts'
import { type Clock, systemClock as clock } from '../../base/clock.ts'
import { Refusal } from '../../base/errors.ts'
import { isObject, type JsonObject } from '../../base/json.ts'
import { silentLog as log } from '../../base/log.ts'
import { systemRandom as random } from '../../base/random.ts'
import { Analyzer } from '../../base/words.ts'
import { chunkKey, CHUNKS, collectionKey, COLLECTIONS, DOCUMENTS } from '../../retrieval/document.ts'
import { createIngest, type Ingest } from '../../retrieval/ingest/ingest.ts'
import { BATCH_UNITS_MAX } from '../../retrieval/ingest/port.ts'
import { LocalWorker, type WorkerOptions } from '../../retrieval/ingest/worker.ts'
import { files, folders } from '../filesystem/folder.ts'
import { openFilesystemIndex } from '../filesystem/index.ts'
import { openSqlite } from '../sqlite/store.ts'
import { openProcessIngest, serveIngest } from './ingest.ts'

/** Text of one batch where a run shall have many. */
const SMALL_BATCH = 200_000

const opened = new Set<() => Promise<void>>()

/** Does not wait two seconds before it starts a process again that died before. */
const impatient: Clock = { ...clock, after: (delayMs, task) => clock.after(delayMs === 2_000 ? 50 : delayMs, task) }

/** This file plays all parts: the tests, the ingest child, and a whole process to be killed. */
const role = process.argv[process.argv.indexOf('--role') + 1]
if (process.argv.includes('--role')) {
  const [folder = '', mode = ''] = process.argv.slice(process.argv.indexOf('--role') + 2)
  if (role === 'ingest') {
    const index = openFilesystemIndex(folder, new Analyzer())
    const small = mode === 'small' && { batchUnitsMax: SMALL_BATCH }
    serveIngest(new LocalWorker({ index, files, clock, ...small, ...(mode === 'traps' && traps()) }), 400 * 2 ** 20)
  } else await beKilled(folder, mode)
} else tests()

/** Files whose parsing ends a process, in ways no parser of ours is known to: the trap snaps when
 *  the parser, having read the file, first looks at the clock. */
function traps(): Pick<WorkerOptions, 'files' | 'clock'> {
  let text = ''
  return {
    files: {
      async read(path, bytesMax) {
        const bytes = await files.read(path, bytesMax)
        text = bytes instanceof Refusal ? '' : Buffer.from(bytes).toString()
        return bytes
      },
    },
    clock: {
      ...clock,
      monotonicMs() {
        if (text === 'CRASH') process.kill(process.pid, 'SIGSEGV')
        if (text === 'HANG') while (text !== '') text = 'HANG'
        if (text === 'HEAP') for (const all: number[][] = []; ;) all.push(Array.from({ length: 10_000 }, (_, at) => at))
        if (text === 'BLOAT') for (const all: Uint8Array[] = []; ;) all.push(new Uint8Array(50 * 2 ** 20).fill(1))
        return clock.monotonicMs()
      },
    },
  }
}

async function open(data: string, mode = '') {
  const batchUnitsMax = mode === 'small' ? SMALL_BATCH : BATCH_UNITS_MAX
  const store = await openSqlite({ path: join(data, 'store.db'), clock, log })
  const index = openFilesystemIndex(join(data, 'index'), new Analyzer())
  const child = {
    entry: import.meta.filename,
    role: 'ingest',
    arguments: [join(data, 'index'), mode],
    heapMb: 256,
    clock: impatient,
    log,
  }
  const worker = openProcessIngest(child)
  const ingest = createIngest({
    rows: store.rows,
    queue: store.queue,
    index,
    worker,
    pushWorker: openProcessIngest({ ...child, name: 'ingest-push' }),
    folders,
    sources: NO_SOURCES,
    clock,
    random,
    log,
    batchUnitsMax,
    leaseMs: 800,
    fileTimeoutMs: mode === 'traps' ? 2_500 : 5_000,
  })
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= ingest.stop().then(() => store.close()))
  opened.add(close)
  return { ...store, index, worker, ingest, close }
}

async function closeAll(): Promise<void> {
  for (const close of opened) await close()
  opened.clear()
}

async function ended(ingest: Ingest, id: string): Promise<JsonObject> {
  for (;;) {
    const shown = await ingest.status(id)
    if (shown === undefined || shown['endedAt'] !== null) return shown ?? {}
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function run(ingest: Ingest, path: string): Promise<JsonObject> {
  const id = await ingest.start('books', path)
  return id instanceof Refusal ? assert.fail(String(id.details['reason'])) : await ended(ingest, id)
}

/** Saves the graphics state half a million times, which its parser takes minutes over. */
function hangingPdf(): Uint8Array {
  const packed = deflateSync(Buffer.alloc(1_000_000, 'q ')).toString('latin1')
  const page = '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>'
  return pdfOf([
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    page,
    stream(packed, '/Filter /FlateDecode'),
  ])
}

const skipped = (shown: JsonObject): Map<string, string> => {
  const list = Array.isArray(shown['skipped']) ? shown['skipped'] : []
  return new Map(list.filter(isObject).map((one) => [String(one['uri']).split('/').at(-1) ?? '', String(one['code'])]))
}

/** The process that is killed: takes up what was begun, or begins it. */
async function beKilled(data: string, source: string): Promise<void> {
  const house = await open(data, 'small')
  await house.ingest.resume()
  const runs = await house.ingest.list()
  const unfinished = runs.find(({ endedAt }) => endedAt === null)
  const id = unfinished === undefined ? await house.ingest.start('books', source) : String(unfinished['run'])
  const send = (message: object): void => void process.send?.({ ...message, worker: house.worker.pid })
  house.ingest.onProgress(({ chunks }) => send({ chunks }))
  send({ done: await ended(house.ingest, String(id)) })
  await house.close()
  process.disconnect?.()
}

function tests(): void {
  const withFolder = (name: string, body: (data: string, source: string) => Promise<void>): void =>
    void test(name, async (t) => {
      t.after(closeAll)
      const data = await mkdtemp(join(tmpdir(), 'headworks-data-'))
      const source = await mkdtemp(join(tmpdir(), 'headworks-source-'))
      try {
        await body(data, source)
      } finally {
        await rm(data, { recursive: true, force: true })
        await rm(source, { recursive: true, force: true })
      }
    })

  withFolder(
    'files that crash, hang or bloat their reader are put aside, the others are read',
    async (data, source) => {
      const bad = { 'crash.md': 'CRASH', 'hang.md': 'HANG', 'heap.md': 'HEAP', 'bloat.md': 'BLOAT' }
      for (let i = 0; i < 40; i++) await writeFile(join(source, `good${i}.md`), `Good text ${i}`)
      for (const [name, text] of Object.entries(bad)) await writeFile(join(source, name), text)
      const house = await open(data, 'traps')
      const shown = await run(house.ingest, source)
      assert.equal(shown['state'], 'done')
      assert.deepEqual(shown['files'], { found: 44, read: 40, unchanged: 0, removed: 0, skipped: 4, ignored: 0 })
      const codes = skipped(shown)
      assert.deepEqual([...codes.keys()].sort(), Object.keys(bad).sort())
      assert.deepEqual(
        [codes.get('crash.md'), codes.get('hang.md'), codes.get('bloat.md')],
        ['document_unreadable', 'document_timeout', 'document_unreadable'],
      )
      await house.close()
    },
  )

  withFolder(
    'a PDF that hangs its parser is put aside, and not tried again while it stays as it is',
    async (data, source) => {
      await writeFile(join(source, 'hang.pdf'), hangingPdf())
      const house = await open(data)
      const shown = await run(house.ingest, source)
      assert.deepEqual(skipped(shown), new Map([['hang.pdf', 'document_timeout']]))
      const pid = house.worker.pid
      await writeFile(join(source, 'good.md'), 'Good text')
      const again = await run(house.ingest, source)
      assert.deepEqual(again['files'], { found: 2, read: 1, unchanged: 0, removed: 0, skipped: 1, ignored: 0 })
      assert.deepEqual(again['skipped'], shown['skipped'])
      assert.equal(house.worker.pid, pid, 'the reader lives')
      await house.close()
    },
  )

  withFolder('a reader that hangs ends with the process it reads for', async (data, source) => {
    await writeFile(join(source, 'hang.pdf'), hangingPdf())
    const child = fork(import.meta.filename, ['--role', 'whole', data, source], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    assert.equal(await killedAfter(child, 0, 1000), 'killed')
  })

  withFolder('a small PDF that inflates to gigabytes does not take the machine with it', async (data, source) => {
    const packed = deflateSync(deflateSync(Buffer.alloc(450_000_000, 'BT '))).toString('latin1')
    const page = '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>'
    await writeFile(
      join(source, 'bomb.pdf'),
      pdfOf([
        '<< /Type /Catalog /Pages 2 0 R >>',
        '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
        page,
        stream(packed, '/Filter [/FlateDecode /FlateDecode]'),
      ]),
    )
    const house = await open(data)
    const shown = await run(house.ingest, source)
    assert.equal(shown['state'], 'done')
    assert.equal(skipped(shown).size, 1)
    await house.close()
  })

  withFolder('hostile files of every format are put aside by a reader that lives', async (data, source) => {
    await writeFile(join(source, 'good.md'), 'Good text')
    const house = await open(data)
    assert.equal((await run(house.ingest, source))['state'], 'done')
    const pid = house.worker.pid
    const bad = hostile()
    for (const [name, bytes] of bad) await writeFile(join(source, name), bytes)
    const huge = [...samples().keys()].map((name) => `huge-${name}`)
    for (const name of huge) {
      await writeFile(join(source, name), samples().get(name.slice(5)) ?? '')
      // Sparse: a gigabyte that takes no room.
      await truncate(join(source, name), 2 ** 30)
    }
    await writeFile(join(source, 'cell-100mb.csv'), Buffer.alloc(100_000_000, 'a'))
    const shown = await run(house.ingest, source)
    assert.equal(shown['state'], 'done')
    const codes = skipped(shown)
    assert.deepEqual([...codes.keys()].sort(), [...bad.keys(), ...huge, 'cell-100mb.csv'].sort())
    for (const name of [...huge, 'cell-100mb.csv']) assert.equal(codes.get(name), 'document_too_large', name)
    for (const name of bad.keys()) assert.match(codes.get(name) ?? '', /^document_(?:unreadable|too_large)$/, name)
    assert.equal(house.worker.pid, pid, 'no file ended the reader')
    await house.close()
  })

  withFolder('pipes, sockets and devices in a folder are named and not waited for', async (data, source) => {
    await writeFile(join(source, 'good.md'), 'Good text')
    execFileSync('/bin/sh', ['-c', 'mkfifo "$0"', join(source, 'pipe.md')])
    const server = createServer().listen(join(source, 'socket.md'))
    await new Promise((resolve) => server.once('listening', resolve))
    const house = await open(data)
    const shown = await run(house.ingest, source)
    assert.deepEqual(shown['files'], { found: 3, read: 1, unchanged: 0, removed: 0, skipped: 2, ignored: 0 })
    assert.deepEqual([...skipped(shown).keys()], ['pipe.md', 'socket.md'])
    // One that takes a file's place after the folder was listed.
    assert.ok((await files.read(join(source, 'pipe.md'), 100)) instanceof Refusal)
    assert.ok((await files.read(join(source, 'socket.md'), 100)) instanceof Refusal)
    assert.ok((await files.read('/dev/zero', 100)) instanceof Refusal)
    assert.ok((await files.read(source, 100)) instanceof Refusal)
    await house.close()
    await new Promise((resolve) => server.close(resolve))
  })

  withFolder(
    'killed at any moment, it goes on after the restart: nothing lost, nothing half, nothing twice',
    async (data, source) => {
      const count = 300
      for (let i = 0; i < count; i++)
        await writeFile(
          join(source, `${i}.md`),
          `# Document ${i}\n\n${`Unique word marker${i} among others. `.repeat(1 + (i % 7) * 100)}`,
        )
      let rounds = 0
      for (let kill = 1; ; kill++) {
        const child = fork(import.meta.filename, ['--role', 'whole', data, source], {
          stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        })
        const outcome = await killedAfter(child, kill <= 5 ? kill * 2 : Infinity, kill * 7)
        rounds++
        await assertWhole(data, undefined)
        if (outcome === 'done') break
      }
      assert.ok(rounds >= 6, `only ${rounds} rounds`)
      await assertWhole(data, count)
    },
  )
}

/** Kills the process, and not its child, once it made so many commits. */
async function killedAfter(child: ChildProcess, commits: number, delayMs: number): Promise<'killed' | 'done'> {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let outcome: 'killed' | 'done' = 'killed'
  let worker = 0
  const seen = new Set<number>()
  child.on('message', (message: { readonly worker?: number; readonly chunks?: number; readonly done?: JsonObject }) => {
    worker = message.worker ?? worker
    seen.add(message.chunks ?? 0)
    // Every number of chunks is one commit more; a moment later is somewhere in the next.
    if (seen.size > commits) setTimeout(() => child.kill('SIGKILL'), delayMs)
    if (message.done !== undefined) outcome = 'done'
  })
  await exited
  // The child of the killed process must not live on.
  while (worker > 0 && isAlive(worker)) await new Promise((resolve) => setTimeout(resolve, 20))
  return outcome
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function assertWhole(data: string, expected: number | undefined): Promise<void> {
  const house = await open(data)
  const row = (await house.rows.get(COLLECTIONS, collectionKey('books')))?.row
  const documents = (await house.rows.scan(DOCUMENTS, { limit: 10_000 })).map((stored) => stored.row)
  const chunks = await house.rows.scan(CHUNKS, { limit: 10_000 })
  const sum = documents.reduce((total, { chunkCount }) => total + chunkCount, 0)
  assert.equal(chunks.length, sum)
  assert.deepEqual([row?.documents ?? 0, row?.chunks ?? 0], [documents.length, sum])
  await house.index.mount('books', row?.segments ?? [])
  for (const { uri, id } of expected === undefined ? documents.slice(0, 20) : documents) {
    const number = /(\d+)\.md$/.exec(uri)?.[1] ?? ''
    const hits = await house.index.search('books', { terms: [{ word: `marker${number}`, weight: 1 }], k: 5 })
    const [found] = await house.rows.getMany(
      CHUNKS,
      hits.slice(0, 1).map((hit) => chunkKey(hit.segment, hit.chunk)),
    )
    assert.equal(found?.row.document, id, uri)
  }
  if (expected !== undefined) {
    assert.equal(documents.length, expected)
    await house.ingest.resume()
    assert.equal((await house.index.segments()).length, row?.segments.length, 'no orphan is left')
  }
  await house.close()
}
