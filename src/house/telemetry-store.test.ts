import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { parquetReadObjects } from 'hyparquet'
import { agentSpans, protobufOf } from '../../tests/kit/otlp.ts'
import { compressors } from '../../tests/kit/zstd.ts'
import { Fault } from '../base/errors.ts'
import { type StoreOptions, telemetryContract } from '../trace/contract/store.ts'
import { inPackage } from './package.ts'
import { Telemetry } from './telemetry-store.ts'

const folders: string[] = []
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

const path = inPackage('catalogue/prices.json')
const prices = { shipped: { path, bytes: readFileSync(path) } }

async function open(files: boolean, { sampling = { share: 1 }, folder = '' }: StoreOptions = {}) {
  const own = folder === '' ? mkdtempSync(join(tmpdir(), 'headworks-telemetry-')) : folder
  if (folder === '') folders.push(own)
  const store = new Telemetry({ folder: own, prices, sampling, keptDays: 30, files, log: { write: () => {} } })
  await store.open()
  return { store, folder: own }
}

telemetryContract('index and files', (options) => open(true, options), { agentSpans, protobufOf })

const START_US = (Date.now() - 3_600_000) * 1000
const delivery = (bytes: Uint8Array) =>
  ({ signal: 'traces', encoding: 'protobuf', compression: '', bytes, tenant: '' }) as const

test('a log that was torn in the middle of a record loses nothing that was acknowledged', async () => {
  const { store, folder } = await open(true)
  await store.take(delivery(protobufOf(agentSpans(1, 10, START_US))))
  await store.close()
  // As a power cut leaves it: the index behind, and half a record at the end of the log.
  for (const name of readdirSync(folder)) if (name.startsWith('telemetry.db')) rmSync(join(folder, name))
  const log = readdirSync(join(folder, 'log')).sort().at(-1) ?? ''
  appendFileSync(join(folder, 'log', log), Buffer.from([200, 0, 0, 0, 1, 2, 3, 4, 5]))
  const again = await open(true, { folder })
  await again.store.settle()
  assert.equal((await again.store.status()).fileSpans, 80)
  await again.store.take(delivery(protobufOf(agentSpans(50, 10, START_US))))
  await again.store.settle()
  assert.equal((await again.store.status()).fileSpans, 160)
  await again.store.close()
})

test('a file that a crash left half written or without an owner is removed', async () => {
  const { store, folder } = await open(true)
  await store.take(delivery(protobufOf(agentSpans(1, 10, START_US))))
  await store.settle()
  await store.close()
  const day = readdirSync(join(folder, 'spans')).find((name) => name.startsWith('day=')) ?? ''
  const stray = ['000000099.parquet', '000000099.parquet.new'].map((name) => join(folder, 'spans', day, name))
  for (const one of stray) writeFileSync(one, 'PAR1')
  const again = await open(true, { folder })
  assert.deepEqual(readdirSync(join(folder, 'spans', day)), ['000000001.parquet'])
  assert.equal((await again.store.status()).fileSpans, 80)
  await again.store.close()
})

test('the files are Parquet that others read as it lies', async () => {
  const { store, folder } = await open(true)
  await store.take(delivery(protobufOf(agentSpans(1, 3, START_US))))
  await store.settle()
  await store.close()
  const day = readdirSync(join(folder, 'spans')).find((name) => name.startsWith('day=')) ?? ''
  const bytes = readFileSync(join(folder, 'spans', day, '000000001.parquet'))
  const rows = await parquetReadObjects({ file: new Uint8Array(bytes).buffer, compressors })
  assert.equal(rows.length, 24)
  const call = rows.find(({ kind }) => kind === 'generation') ?? assert.fail()
  assert.deepEqual([call['service'], call['operation'], typeof call['start_us']], ['shop', 'chat', 'bigint'])
})

test('what is older than is kept is forgotten, rows, words and whole files', async () => {
  const { store, folder } = await open(true)
  await store.take(delivery(protobufOf(agentSpans(1, 10, START_US))))
  await store.settle()
  await store.close()
  const log = { write: () => {} }
  // As the day after tomorrow sees it.
  const later = new Telemetry({ folder, prices, sampling: { share: 1 }, keptDays: -2, files: true, log })
  await later.settle()
  const { traces, files } = await later.status()
  assert.deepEqual([traces, files], [0, 0])
  assert.deepEqual((await later.traces({ limit: 10, text: 'answer' })).traces, [])
  const left = readdirSync(join(folder, 'spans'), { recursive: true }).filter((name) =>
    String(name).endsWith('.parquet'),
  )
  assert.deepEqual(left, [])
  await later.close()
})

const FILES_MERGED = 8
const BATCH_TRACES = 10
const batch = (at: number) => agentSpans(1 + at * BATCH_TRACES, BATCH_TRACES, START_US)
const idsOf = (spans: readonly { readonly traceId: string; readonly spanId: string }[]): string[] =>
  spans.map(({ traceId, spanId }) => traceId + spanId)
const filesOf = (folder: string): string[] =>
  readdirSync(join(folder, 'spans'), { recursive: true })
    .map(String)
    .filter((name) => name.includes('.parquet'))

async function ship(store: Telemetry, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at++) {
    await store.take(delivery(protobufOf(batch(at))))
    await store.settle()
  }
}

async function all(store: Telemetry): Promise<string[]> {
  const ids: string[] = []
  for await (const page of store.spans({})) ids.push(...idsOf(page))
  return ids.sort()
}

test('many small files of a day become one, in which each trace is found, also after a crash', async () => {
  const { store, folder } = await open(true)
  await ship(store, 0, FILES_MERGED - 1)
  assert.equal((await store.status()).files, FILES_MERGED - 1)
  const [oldest = ''] = filesOf(folder)
  await ship(store, FILES_MERGED - 1, FILES_MERGED)
  const sent = Array.from({ length: FILES_MERGED }, (_, at) => batch(at)).flat()
  assert.equal(filesOf(folder).length, 1)
  await store.close()
  // As a crash leaves it that came before the old files were removed.
  writeFileSync(join(folder, 'spans', oldest), 'PAR1')
  const { store: again } = await open(true, { folder })
  assert.equal(filesOf(folder).length, 1)
  const { files, fileSpans, traces } = await again.status()
  assert.deepEqual([files, fileSpans, traces], [1, sent.length, sent.length / 8])
  assert.deepEqual(await all(again), idsOf(sent).sort())
  for (const at of [0, FILES_MERGED - 1]) {
    const traceId = batch(at)[0]?.traceId ?? ''
    const found = await again.trace(traceId, { offset: 2, limit: 4 })
    assert.deepEqual([found?.total, found?.spans.length], [8, 4])
  }
  await again.take(delivery(protobufOf(batch(0))))
  await ship(again, FILES_MERGED, 2 * FILES_MERGED)
  assert.ok((await again.status()).files < FILES_MERGED)
  assert.equal((await all(again)).length, 2 * sent.length)
  await again.close()
})

test('files that were merged are forgotten like others, and so is where their traces lay', async () => {
  const { store, folder } = await open(true)
  await ship(store, 0, FILES_MERGED)
  await store.close()
  const log = { write: () => {} }
  const later = new Telemetry({ folder, prices, sampling: { share: 1 }, keptDays: -2, files: true, log })
  await later.settle()
  assert.deepEqual(filesOf(folder), [])
  await later.close()
  const db = new DatabaseSync(join(folder, 'telemetry.db'))
  for (const table of ['part', 'trace_part', 'merged'])
    assert.equal(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'], 0, table)
  db.close()
})

test('where a file is damaged the others stay as they were, and are read', async () => {
  const { store, folder } = await open(true)
  await ship(store, 0, FILES_MERGED - 1)
  const [oldest = ''] = filesOf(folder).sort()
  writeFileSync(join(folder, 'spans', oldest), 'PAR1')
  await assert.rejects(ship(store, FILES_MERGED - 1, FILES_MERGED), { code: 'store_unavailable' })
  assert.deepEqual([filesOf(folder).length, (await store.status()).files], [FILES_MERGED, FILES_MERGED])
  assert.ok(filesOf(folder).every((name) => name.endsWith('.parquet')))
  const found = await store.trace(batch(FILES_MERGED - 1)[0]?.traceId ?? '', { offset: 0, limit: 10 })
  assert.equal(found?.spans.length, 8)
  await store.close()
})

test('an export that has begun comes to its end, though files are merged meanwhile', async () => {
  const { store, folder } = await open(true)
  await ship(store, 0, FILES_MERGED - 1)
  const pages = store.spans({})[Symbol.asyncIterator]()
  const ids: string[] = []
  for (let at = 0; ; at++) {
    const page = await pages.next()
    if (page.done === true) break
    ids.push(...idsOf(page.value))
    if (at === 0) await ship(store, FILES_MERGED - 1, FILES_MERGED)
  }
  const before = Array.from({ length: FILES_MERGED - 1 }, (_, at) => batch(at)).flat()
  assert.deepEqual(ids.sort(), idsOf(before).sort())
  assert.equal(filesOf(folder).length, FILES_MERGED + 1)
  await store.settle()
  assert.equal(filesOf(folder).length, 1)
  await store.close()
})

test('a flood is told to wait before it is held, and what was taken of it is there', async () => {
  const { store } = await open(false)
  const bytes = protobufOf(agentSpans(1, 2_000, START_US))
  const answers = await Promise.all(
    Array.from({ length: 60 }, () =>
      store.take(delivery(bytes)).then(
        () => 'taken',
        (thrown: unknown) => (thrown instanceof Fault ? thrown.code : String(thrown)),
      ),
    ),
  )
  assert.deepEqual([...new Set(answers)].sort(), ['taken', 'telemetry_full'])
  while ((await store.status()).waitingBytes > 0) await new Promise((resolve) => setImmediate(resolve))
  assert.equal((await store.status()).recentSpans, 16_000)
  await store.close()
})
