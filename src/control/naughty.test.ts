import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import naughty from 'big-list-of-naughty-strings' with { type: 'json' }
import { settled } from '../../tests/kit/clock.ts'
import { RecordedReply, request } from '../../tests/kit/exchange.ts'
import { openCollection } from '../../tests/kit/source-contract.ts'
import { NO_SCHEDULES, NO_SOURCES } from '../../tests/kit/sources.ts'
import { systemClock as clock } from '../base/clock.ts'
import { silentLog } from '../base/log.ts'
import { openSqlite, type SqliteStore } from '../drivers/sqlite/store.ts'
import { LOCAL } from '../guard/principal.ts'
import { RESERVED_ATTRIBUTES } from '../config/sources.ts'
import { collectionRoutes } from './collections.ts'
import { documentRoutes } from './documents.ts'
import { controlPlane } from './router.ts'

/** What it leaves out: what JSON can say and UTF-8 cannot, what names mean to JavaScript, what would leave a
 * folder or end a line of a header. */
const OWN = [
  '\0 a\0b \ud800 a\udc00b \udc00\ud800 \u{10ffff} \ufffe \uffff \ufeffbom \u202eevil'.split(' '),
  '__proto__ constructor prototype toString hasOwnProperty then tenant tenanted'.split(' '),
  '../../etc/passwd .. . / // a/../b %2e%2e%2f % %zz %00 C:\\CON # ? & @g2'.split(' '),
  ['\r\nX-Injected: 1', '\u2028', '\u0085', ' ', '\t', ' padded '],
  ['a'.repeat(256), 'é'.repeat(256), '😀'.repeat(128)],
].flat()

/** The big list of naughty strings, and our own. */
const STRINGS: readonly string[] = [...new Set([...naughty, ...OWN])]

describe('naughty strings', () => {
  let folder: string
  let store: SqliteStore
  let house: ReturnType<typeof openCollection>
  let handle: ReturnType<typeof controlPlane>
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headworks-naughty-'))
    store = await openSqlite({ path: join(folder, 'store.db'), clock, log: silentLog })
    house = openCollection(
      NO_SOURCES,
      { rows: store.rows },
      { push: { documentsMax: 2_000, bytesMax: 2 ** 26, waitMs: 1 } },
    )
    const shared = { rows: store.rows, ownerOf: () => undefined }
    handle = controlPlane({
      routes: [
        ...documentRoutes({ ...shared, ingest: house.ingest }),
        ...collectionRoutes({ ...shared, schedules: NO_SCHEDULES, quality: async () => ({}) }),
      ],
      authenticate: () => LOCAL,
      newRequestId: () => 'req_1',
    })
  })
  after(async () => {
    await house.ingest.stop()
    await store.close()
    await rm(folder, { recursive: true })
  })

  async function call(method: string, target: string, body = '') {
    const reply = new RecordedReply()
    handle(request(method, target, body, { 'content-type': 'application/x-ndjson' }), reply)
    while (!reply.ended) await settled()
    return { status: reply.status, json: reply.json() }
  }

  interface Outcome {
    readonly id?: string
    readonly status: string
    readonly code?: string
    readonly message?: string
  }

  interface Shown {
    readonly [name: string]: unknown
  }

  /** Every document, page by page. */
  async function all(): Promise<ReadonlyMap<string, Shown>> {
    const found = new Map<string, Shown>()
    for (let next: string | null = ''; next !== null;) {
      const after = next === '' ? '' : `&after=${encodeURIComponent(next)}`
      const { status, json } = await call('GET', `/api/collections/shelf/documents?limit=500${after}`)
      assert.equal(status, 200, JSON.stringify(json))
      for (const one of json['documents'] as Shown[]) found.set(String(one['id']), one)
      next = json['next'] as string | null
    }
    return found
  }

  /** What became of each, which is one of two things: kept, and there as it was sent, or refused with a
   *  reason. */
  async function survive(
    documentOf: (text: string, at: number) => object,
    sameAs: (found: Shown, text: string) => void | Promise<void>,
  ): Promise<{ readonly kept: number; readonly refused: readonly string[] }> {
    const lines = STRINGS.map((text, at) => JSON.stringify(documentOf(text, at)))
    const { status, json } = await call('POST', '/api/collections/shelf/documents', lines.join('\n'))
    assert.equal(status, 200, JSON.stringify(json))
    const outcomes = json['results'] as Outcome[]
    assert.equal(outcomes.length, STRINGS.length)
    const found = await all()
    const refused: string[] = []
    for (const [at, text] of STRINGS.entries()) {
      const { id = '', status: outcome, code = '', message = '' } = outcomes[at] ?? { status: 'refused' }
      if (outcome === 'refused') {
        assert.match(code, /^(field_invalid|document_empty|document_unsupported)$/, JSON.stringify(text))
        assert.ok(message.length > 10)
        refused.push(text)
        continue
      }
      const one = found.get(id)
      assert.ok(one !== undefined, `${JSON.stringify(text)} is not there`)
      await sameAs(one, text)
    }
    return { kept: STRINGS.length - refused.length, refused }
  }

  /** What cannot be kept in any store as it is. */
  const isUnfit = (text: string): boolean => text === '' || text.includes('\0') || !text.isWellFormed()

  test('as ids name their documents, or are refused', async () => {
    const { refused } = await survive(
      (id) => ({ id, text: 'Some text.' }),
      (found, id) => assert.equal(found['id'], id),
    )
    const tooLong = (id: string): boolean => id.length > 256 || id.startsWith('doc_')
    assert.deepEqual(
      refused.filter((id) => !isUnfit(id) && !tooLong(id)),
      [],
    )
    assert.ok(STRINGS.filter(isUnfit).every((id) => refused.includes(id)))
  })

  test('as URIs and titles are told as they were sent, or refused', async () => {
    for (const field of ['uri', 'title']) {
      const { refused } = await survive(
        (text, at) => ({ id: `${field}${at}`, text: 'Some text.', [field]: text }),
        (found, text) => assert.equal(found[field], text),
      )
      assert.deepEqual(
        refused.filter((text) => !isUnfit(text)),
        [],
        field,
      )
    }
  })

  test('as attributes, by value and by name, are told as they were sent, or refused', async () => {
    const values = await survive(
      (text, at) => ({ id: `value${at}`, text: 'Some text.', metadata: { said: text } }),
      (found, text) => assert.deepEqual(found['metadata'], { said: text }),
    )
    assert.deepEqual(
      values.refused.filter((text) => text.isWellFormed() && text.length <= 512),
      [],
    )
    const names = await survive(
      (text, at) => ({
        id: `name${at}`,
        text: 'Some text.',
        metadata: JSON.parse(`{${JSON.stringify(text)}:1}`) as object,
      }),
      (found, text) => assert.deepEqual(Object.entries(found['metadata'] as object), [[text, 1]]),
    )
    assert.deepEqual(
      names.refused.filter((text) => !isUnfit(text) && text.length <= 64 && !RESERVED_ATTRIBUTES.includes(text)),
      [],
    )
  })

  test('as texts are there, word for word', async () => {
    const words = (text: unknown): string => String(text).replace(/[^\p{L}\p{N}]+/gu, '')
    const { refused } = await survive(
      (text, at) => ({ id: `text${at}`, text: `before ${text} after` }),
      async ({ id }, text) => {
        const { json } = await call('GET', `/api/collections/shelf/documents/${String(id)}`)
        assert.equal(words(json['text']), words(`before ${text.toWellFormed()} after`))
      },
    )
    // What takes a text for a program's own output.
    assert.ok(
      refused.every((text) => /[\p{Cc}\ufffe\uffff]/u.test(text)),
      JSON.stringify(refused),
    )
    assert.ok(refused.length < 10, String(refused.length))
    assert.equal(({} as Shown)['said'], undefined)
  })

  test('as ids are asked for by path', async () => {
    for (const id of STRINGS) {
      if (isUnfit(id) || id.length > 256) continue
      const { status, json } = await call('GET', `/api/collections/shelf/documents/${encodeURIComponent(id)}`)
      assert.deepEqual([status, json['id']], [200, id], JSON.stringify(id))
    }
  })
})
