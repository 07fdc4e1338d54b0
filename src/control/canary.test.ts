import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { docx, message, pdf, pptx, shape, zip } from '../../tests/fixtures/documents.ts'
import { settled } from '../../tests/kit/clock.ts'
import { RecordedReply, request } from '../../tests/kit/exchange.ts'
import { openCollection } from '../../tests/kit/source-contract.ts'
import { NO_SOURCES } from '../../tests/kit/sources.ts'
import { systemClock as clock } from '../base/clock.ts'
import { fault } from '../base/errors.ts'
import { jsonLog } from '../base/log.ts'
import { LOCAL } from '../guard/principal.ts'
import { documentRoutes } from './documents.ts'
import { controlPlane } from './router.ts'

/** What a document says is for those who may read it, and neither for logs nor for what is said of a
 *  failure: both are passed on to people and systems that may not. */

const CANARY = 'kanari7vogel'
/** Everything a sender says of a document but its id, which is what an answer names it by. */
const FIELDS = { uri: `sent/${CANARY}`, title: CANARY, metadata: { said: CANARY } }

let house: ReturnType<typeof openCollection>
let handle: ReturnType<typeof controlPlane>
let lines: string[]
let isFull: boolean

describe('control: canary', () => {
  beforeEach(() => {
    lines = []
    isFull = false
    const log = jsonLog(
      clock,
      () => 'debug',
      (line) => lines.push(line),
    )
    house = openCollection(NO_SOURCES, undefined, { log })
    const push: typeof house.ingest.push = async (...words) => {
      if (isFull) throw fault('disk_full', { path: '/data' }, new Error(`could not write ${CANARY}`))
      return await house.ingest.push(...words)
    }
    handle = controlPlane({
      routes: documentRoutes({
        rows: house.rows,
        ownerOf: () => undefined,
        ingest: { push, replay: (...words) => house.ingest.replay(...words) },
      }),
      authenticate: () => LOCAL,
      newRequestId: () => 'req_1',
    })
  })
  afterEach(() => house.ingest.stop())

  async function send(body: unknown, type = 'application/json', query = '') {
    const reply = new RecordedReply()
    handle(request('POST', `/api/collections/shelf/documents${query}`, body, { 'content-type': type }), reply)
    while (!reply.ended) await settled()
    return { status: reply.status, text: reply.text }
  }

  /** Said of what failed, wherever it is said. */
  async function assertUntold(what: string, { status, text }: { status: number; text: string }): Promise<void> {
    assert.ok(status >= 400, `${what} was taken: ${text}`)
    assert.ok(!text.includes(CANARY), `${what}: ${text}`)
    const letters = await house.rows.scan<{ code: string; details: unknown }>({ name: 'dead_letters' }, { limit: 100 })
    for (const { row } of letters)
      assert.ok(!JSON.stringify([row.code, row.details]).includes(CANARY), `${what}: ${JSON.stringify(row.details)}`)
    assert.ok(!lines.join('').includes(CANARY), `${what}: ${lines.join('\n')}`)
  }

  test('a body that is no document is refused without being quoted', async () => {
    const document = { id: 'a', text: CANARY, ...FIELDS }
    for (const body of [
      CANARY,
      `{"id":"a","text":${CANARY}}`,
      `{"id":"a","text":"${CANARY}`,
      `{"id":"a","text":"${CANARY}\n"}`,
      `["${CANARY}",]`,
      JSON.stringify([CANARY]),
      JSON.stringify({ ...document, id: undefined, uri: undefined }),
      JSON.stringify({ ...document, id: { secret: CANARY } }),
      JSON.stringify({ ...document, uri: `${CANARY}\0` }),
      JSON.stringify({ ...document, title: [CANARY] }),
      JSON.stringify({ ...document, trust: CANARY }),
      JSON.stringify({ ...document, metadata: CANARY }),
      JSON.stringify({ ...document, metadata: { said: [CANARY] } }),
      JSON.stringify({ ...document, metadata: { said: CANARY.repeat(100) } }),
      JSON.stringify({ ...document, text: { secret: CANARY } }),
      JSON.stringify({ ...document, bytes: 'AAEC' }),
      JSON.stringify({ id: 'a', bytes: `${CANARY}!` }),
    ]) {
      await assertUntold(body, await send(body))
      if (body.includes('\n')) continue
      const many = await send(`${body}\n`, 'application/x-ndjson')
      await assertUntold(body, { ...many, status: /"refused":1/.test(many.text) ? 400 : many.status })
    }
  })

  test('a file that cannot be read is refused without being quoted', async () => {
    const cut = (bytes: Uint8Array, share = 0.7): Uint8Array => bytes.subarray(0, Math.floor(bytes.length * share))
    for (const [type, bytes] of [
      ['application/json', `{"secret": ${CANARY}}`],
      ['application/json', `{"secret": "${CANARY}"`],
      ['application/x-ndjson', `{"secret": "${CANARY}"}\n{${CANARY}\n`],
      ['application/pdf', `%PDF-1.7\n1 0 obj << /Title (${CANARY}) >> stream ${CANARY}`],
      ['application/pdf', cut(pdf([CANARY], CANARY), 0.3)],
      ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', cut(docx(`<w:p>${CANARY}</w:p>`))],
      ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', docx(`<w:p><w:r><${CANARY}`)],
      [
        'application/vnd.openxmlformats-officedocument.presentationml.presentation',
        cut(pptx([{ shapes: shape([CANARY]) }])),
      ],
      ['application/epub+zip', zip([{ name: `${CANARY}.xml`, data: Buffer.from(CANARY) }])],
      ['message/rfc822', cut(message([`Subject: ${CANARY}`, `X-${CANARY}: 1`], ''), 0.4)],
      ['text/plain', `${CANARY}\0\0`],
      [`application/${CANARY}`, new Uint8Array([0, 1, 2, 3])],
    ] as const) {
      const query = `?id=a&title=${CANARY}&uri=${CANARY}.bin&metadata.said=${CANARY}`
      const answer = await send(typeof bytes === 'string' ? Buffer.from(bytes) : bytes, type, query)
      // Some parsers make do with what they find; then there is nothing to tell.
      if (answer.status !== 200) await assertUntold(type, answer)
    }
    assert.ok(!lines.join('').includes(CANARY), lines.join('\n'))
  })

  test('what the store cannot keep is told without what it was', async () => {
    isFull = true
    await assertUntold('a full disk', await send({ id: 'a', text: CANARY, ...FIELDS }))
  })

  test('what is kept leaves no trace in the log', async () => {
    const kept = await send({ id: 'a', text: `Words of ${CANARY}.`, ...FIELDS })
    assert.equal(kept.status, 200)
    assert.equal((await send({ id: 'a', text: `Other words of ${CANARY}.`, ...FIELDS })).status, 200)
    await house.ingest.removeDocument('shelf', 'a')
    assert.ok(!lines.join('').includes(CANARY), lines.join('\n'))
  })
})
