import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { Fault } from '../../base/errors.ts'
import type { Json } from '../../base/json.ts'
import { silentLog } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import { FileSubjectKeys } from '../../drivers/filesystem/subject-keys.ts'
import { openSqlite, type SqliteStore } from '../../drivers/sqlite/store.ts'
import type { CapturedContent } from './capture.ts'
import { redactor } from './redact.ts'
import { CONTENT_KEY_BYTES } from './seal.ts'
import { ContentStore } from './store.ts'

const CANARY = 'canary-9d41ab77'
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const DAY_MS = 86_400_000

interface House {
  readonly folder: string
  readonly clock: ManualClock
  readonly store: ContentStore
  readonly sqlite: SqliteStore
  readonly keys: FileSubjectKeys
  reopen(master?: Uint8Array): Promise<ContentStore>
}

async function open(t: TestContext): Promise<House> {
  const folder = mkdtempSync(join(tmpdir(), 'content-'))
  const clock = new ManualClock()
  const sqlite = await openSqlite({ path: join(folder, 'content.db'), clock, log: silentLog })
  t.after(async () => {
    await sqlite.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const keys = new FileSubjectKeys(join(folder, 'keys'))
  const redact = redactor(clock)
  const own = systemRandom.bytes(CONTENT_KEY_BYTES)
  const reopen = (master = own): Promise<ContentStore> =>
    ContentStore.open({
      rows: sqlite.rows,
      keys,
      master,
      clock,
      random: systemRandom,
      redact: async (text) => JSON.stringify(redact(JSON.parse(text) as Json)),
      scrub: () => sqlite.scrub(),
    })
  return { folder, clock, sqlite, keys, reopen, store: await reopen() }
}

const content = (clock: ManualClock, more: Partial<CapturedContent> = {}): CapturedContent => ({
  requestId: 'req_1',
  traceId: TRACE,
  atMs: clock.wallMs(),
  subject: { kind: 'user', id: 'ada' },
  tenant: '',
  key: 'key_1',
  model: 'chat',
  workflow: '',
  keep: 'full',
  days: 7,
  text: JSON.stringify({ input: { messages: [{ role: 'user', content: CANARY }] }, output: [] }),
  ...more,
})

/** Every file of a folder, as it lies on the disk. */
const bytesIn = (folder: string): Buffer =>
  Buffer.concat(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name))),
  )

test('what is kept is read back, and lies nowhere as it was said, nor under the name of who said it', async (t) => {
  const { store, clock, folder, reopen } = await open(t)
  await store.write([content(clock)])
  for (const one of [store, await reopen()]) {
    const [kept] = await one.read(TRACE)
    assert.deepEqual(kept?.value, { input: { messages: [{ role: 'user', content: CANARY }] }, output: [] })
  }
  assert.deepEqual(await store.read(TRACE.replace('0', '1')), [])
  const bytes = bytesIn(folder)
  assert.ok(bytes.length > 1000)
  for (const said of [CANARY, 'ada', Buffer.from(CANARY).toString('base64').slice(0, 12)])
    assert.equal(bytes.includes(said), false, said)
})

test('an erased subject has no key, its texts do not open from a copy made before, and others keep theirs', async (t) => {
  const { store, clock, folder, sqlite, keys, reopen } = await open(t)
  const bob = content(clock, { requestId: 'req_2', subject: { kind: 'user', id: 'bob' } })
  await store.write([content(clock), bob])
  const before = await sqlite.rows.get<{ readonly sealed: string }>({ name: 'content' }, [TRACE, 'req_1'])
  const names = await keys.list('')
  const receipt = await store.erase({ kind: 'user', id: 'ada' }, undefined)
  assert.deepEqual([receipt.keysDestroyed, receipt.texts, receipt.scrubbed], [1, 1, true])
  assert.deepEqual(
    await keys.list(''),
    names.filter((name) => !name.startsWith(before === undefined ? '' : subjectOf(before.row))),
  )
  assert.deepEqual(
    (await store.read(TRACE)).map(({ requestId }) => requestId),
    ['req_2'],
  )
  const sealed = before?.row.sealed ?? ''
  assert.ok(sealed.length > 100)
  assert.equal(bytesIn(folder).includes(sealed.slice(0, 64)), false)
  // A copy of the rows that was put back: there is no key to open it with, in memory or on the disk.
  await sqlite.rows.commit([{ op: 'put', table: 'content', key: [TRACE, 'req_1'], row: before?.row }])
  for (const one of [store, await reopen()]) {
    const back = (await one.read(TRACE)).find(({ requestId }) => requestId === 'req_1')
    assert.deepEqual([back?.requestId, back?.value], ['req_1', undefined])
  }
})

const subjectOf = (row: object): string => ('subject' in row && typeof row.subject === 'string' ? row.subject : '')

test('what was on its way when its subject was erased is not kept, and what is said later is', async (t) => {
  const { store, clock } = await open(t)
  const late = content(clock, { requestId: 'req_late' })
  clock.advance(5)
  await store.erase({ kind: 'user', id: 'ada' }, undefined)
  clock.advance(5)
  await store.write([late, content(clock, { requestId: 'req_after' })])
  assert.deepEqual(
    (await store.read(TRACE)).map(({ requestId }) => requestId),
    ['req_after'],
  )
})

test('one tenant’s erasure leaves the same name of another tenant alone', async (t) => {
  const { store, clock } = await open(t)
  const of = (tenant: string) => content(clock, { tenant, requestId: `req_${tenant}` })
  await store.write([of('acme'), of('globex')])
  const receipt = await store.erase({ kind: 'user', id: 'ada' }, 'acme')
  assert.deepEqual([receipt.keysDestroyed, receipt.texts], [1, 1])
  assert.deepEqual(
    (await store.read(TRACE)).map(({ tenant, value }) => [tenant, value !== undefined]),
    [['globex', true]],
  )
  const again = await store.erase({ kind: 'user', id: 'ada' }, 'acme')
  assert.deepEqual([again.keysDestroyed, again.texts], [0, 0])
})

test('redacted texts have lost what detectors find, in every place, and bytes', async (t) => {
  const { store, clock } = await open(t)
  const said = {
    input: {
      messages: [
        { role: 'user', content: 'Write to ada@example.com, key AKIAIOSFODNN7EXAMPLE.' },
        { role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0' } }] },
      ],
    },
    output: [{ index: 0, tool_calls: [{ function: { arguments: '{"to":"ada@example.com"}' } }] }],
  }
  await store.write([content(clock, { keep: 'redacted', text: JSON.stringify(said) })])
  const text = JSON.stringify((await store.read(TRACE))[0]?.value)
  assert.equal(/ada@example|AKIA|iVBOR/.test(text), false, text)
  assert.ok(text.includes('Write to [EMAIL]') && text.includes('[AWS_ACCESS_KEY]') && text.includes('[DATA]'), text)
})

test('texts end with their time: unreadable at once, removed by the next sweep', async (t) => {
  const { store, clock, sqlite } = await open(t)
  await store.write([content(clock, { days: 1 }), content(clock, { days: 30, requestId: 'req_2' })])
  clock.advance(DAY_MS + 1)
  assert.deepEqual(
    (await store.read(TRACE)).map(({ requestId }) => requestId),
    ['req_2'],
  )
  clock.advance(DAY_MS)
  assert.equal(await store.expire(), 1)
  assert.deepEqual((await sqlite.rows.scan({ name: 'content' }, { limit: 10 })).length, 1)
  assert.equal(await store.expire(), 0)
})

test('what was tampered with, or moved to another request, does not open', async (t) => {
  const { store, clock, sqlite } = await open(t)
  await store.write([content(clock)])
  const row = (await sqlite.rows.get<{ readonly sealed: string }>({ name: 'content' }, [TRACE, 'req_1']))?.row
  const sealed = Buffer.from(row?.sealed ?? '', 'base64')
  sealed[20] = (sealed[20] ?? 0) ^ 1
  const changed = { ...row, sealed: sealed.toString('base64') }
  const cut = { ...row, sealed: 'AAAA' }
  for (const [request, one] of [
    ['req_1', changed],
    ['req_2', row],
    ['req_3', cut],
  ] as const)
    await sqlite.rows.commit([{ op: 'put', table: 'content', key: [TRACE, request], row: one }])
  assert.deepEqual(
    (await store.read(TRACE)).map(({ value }) => value),
    [undefined, undefined, undefined],
  )
})

test('another master key opens nothing, and says so', async (t) => {
  const { store, clock, reopen } = await open(t)
  await store.write([content(clock)])
  await assert.rejects(
    reopen(systemRandom.bytes(CONTENT_KEY_BYTES)),
    (thrown) => thrown instanceof Fault && thrown.code === 'content_key_wrong',
  )
})
