import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { RecordedReply, request } from '../../tests/kit/exchange.ts'
import { openCollection } from '../../tests/kit/source-contract.ts'
import { NO_SOURCES } from '../../tests/kit/sources.ts'
import { LOCAL } from '../guard/principal.ts'
import { documentRoutes } from './documents.ts'
import { controlPlane } from './router.ts'

let house: ReturnType<typeof openCollection>
let handle: ReturnType<typeof controlPlane>
describe('control: documents', () => {
  beforeEach(() => {
    house = openCollection(NO_SOURCES)
    handle = controlPlane({
      routes: documentRoutes({ rows: house.rows, ownerOf: () => undefined, ingest: house.ingest }),
      authenticate: () => LOCAL,
      newRequestId: () => 'req_1',
    })
  })
  afterEach(() => house.ingest.stop())

  async function call(method: string, target: string, body: unknown = '', type = 'application/json') {
    const reply = new RecordedReply()
    handle(request(method, `/api/collections/shelf/${target}`, body, { 'content-type': type }), reply)
    while (!reply.ended && !reply.aborted) await new Promise((resolve) => setTimeout(resolve, 1))
    return reply
  }

  test('a document is sent as JSON, as a file, or as one line among many', async () => {
    const one = await call('POST', 'documents', { id: 'a', text: 'A red apple.' })
    assert.deepEqual([one.status, one.json()], [200, { collection: 'shelf', id: 'a', status: 'kept' }])
    assert.equal((await call('POST', 'documents', { id: 'a', text: 'A red apple.' })).json().status, 'unchanged')
    const file = await call(
      'POST',
      'documents?id=b&title=Fruit&metadata.team=x',
      '# Banana\n\nA yellow banana.',
      'text/markdown',
    )
    assert.deepEqual([file.status, file.json().id], [200, 'b'], JSON.stringify(file.json()))
    await house.look()
    const [, banana] = house.documents()
    assert.deepEqual([banana?.title, banana?.mediaType, banana?.metadata], ['Fruit', 'text/markdown', { team: 'x' }])
    const lines = [
      '{"id":"c","text":"A black cherry."}',
      '',
      '{"id":"doc_x","text":"y"}',
      '{',
      '{"id":"d","bytes":"AAEC","mediaType":"application/pdf"}',
    ].join('\n')
    const many = (await call('POST', 'documents', lines, 'application/x-ndjson')).json()
    assert.deepEqual([many.kept, many.refused], [1, 3])
    assert.deepEqual(
      (many.results as { id?: string; status: string; code?: string }[]).map(({ id, status, code }) => [
        id,
        status,
        code,
      ]),
      [
        ['c', 'kept', undefined],
        [undefined, 'refused', 'field_invalid'],
        [undefined, 'refused', 'body_malformed'],
        ['d', 'refused', 'document_unreadable'],
      ],
    )
    assert.equal(await house.find('cherry'), 1)
  })

  test('what cannot be read is answered, listed, and read again on demand', async () => {
    const refused = await call('POST', 'documents?id=a', new Uint8Array([0, 1, 2]), 'application/pdf')
    assert.deepEqual([refused.status, refused.json().error.code], [422, 'document_unreadable'])
    const listed = (await call('GET', 'dead-letters')).json()
    assert.equal(listed.next, null)
    const [letter] = listed.deadLetters as {
      document: string
      attempts: number
      message: string
      replayable: boolean
    }[]
    assert.deepEqual([letter?.document, letter?.attempts, letter?.replayable], ['a', 1, true])
    assert.match(letter?.message ?? '', /cannot be read/)
    assert.equal((await call('POST', 'dead-letters/replay', { document: 'a' })).status, 202)
    const again = (await call('GET', 'dead-letters?limit=1')).json()
    assert.deepEqual([(again.deadLetters as { attempts: number }[])[0]?.attempts, again.next], [2, null])
    assert.deepEqual((await call('GET', 'dead-letters?after=a')).json().deadLetters, [])
  })

  test('senders that overtake the disk are told when to come back', async () => {
    const many = Array.from({ length: 100 }, (_, at) => `{"id":"d${at}","text":"Common word${at}"}`).join('\n')
    const first = call('POST', 'documents', many, 'application/jsonl')
    const late = await call('POST', 'documents', { id: 'late', text: 'Too late' })
    assert.deepEqual([late.status, late.json().error.code, late.headers['retry-after']], [429, 'ingest_full', '1'])
    assert.equal((await first).json().kept, 100)
  })

  test('bad requests are refused', async () => {
    for (const [target, body, type] of [
      ['documents', '', 'application/json'],
      ['documents', '{', 'application/json'],
      ['documents', [], 'application/json'],
      ['documents', { id: 'a' }, 'application/json'],
      ['documents', 'x', 'text/plain'],
      ['documents?id=a&colour=red', 'x', 'text/plain'],
      ['documents?id=a&trust=blind', 'x', 'text/plain'],
      ['documents', '', 'application/x-ndjson'],
      ['documents', '{}\n'.repeat(10_001), 'application/x-ndjson'],
      ['dead-letters/replay', { document: 5 }, 'application/json'],
    ] as const) {
      const refused = await call('POST', target, body, type)
      assert.equal(refused.status, 400, `${target} ${JSON.stringify(body).slice(0, 80)}`)
    }
    assert.equal((await call('GET', 'dead-letters?limit=0')).status, 400)
    assert.equal((await call('POST', 'dead-letters/replay', { document: 'none' })).status, 404)
  })
})
