import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../tests/kit/clock.ts'
import { RecordedReply, request } from '../../tests/kit/exchange.ts'
import { seededRandom } from '../base/random.ts'
import { MemoryBlobs } from '../drivers/memory/blobs.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import { Files } from '../files/files.ts'
import { unbound } from '../guard/bindings.ts'
import { fileRoutes } from './files.ts'
import { controlPlane } from './router.ts'

async function open() {
  const clock = new ManualClock()
  const [rows, blobs] = [new MemoryRows(), new MemoryBlobs()]
  const files = await Files.open({ clock, random: seededRandom(4), rows, blobs, ownerBytesMax: () => 2 ** 30 })
  let key = ''
  const handle = controlPlane({
    routes: fileRoutes({ rows, files }),
    authenticate: () => ({ id: key, name: key, role: 'user', bindings: unbound('user') }),
    newRequestId: () => 'req_1',
  })
  async function call(
    method: string,
    target: string,
    { body = '', headers = {}, as = 'key_1' }: { body?: unknown; headers?: Record<string, string>; as?: string } = {},
  ): Promise<RecordedReply> {
    key = as
    const reply = new RecordedReply()
    handle(request(method, target, body, headers), reply)
    while (!reply.ended) await new Promise(setImmediate)
    return reply
  }
  async function send(fields: Record<string, string | Blob>, as = 'key_1'): Promise<RecordedReply> {
    const form = new FormData()
    for (const [name, value] of Object.entries(fields))
      if (typeof value === 'string') form.append(name, value)
      else form.append(name, value, 'näme one.jsonl')
    const made = new Request('http://here/', { method: 'POST', body: form })
    const body = new Uint8Array(await made.arrayBuffer())
    return call('POST', '/v1/files', { body, headers: { 'content-type': made.headers.get('content-type') ?? '' }, as })
  }
  return { clock, blobs, call, send }
}

const FILE = new Blob(['{"a":1}\n'.repeat(1000)])

for (const order of ['before', 'after'] as const)
  test(`a file is sent with its purpose ${order} it, listed, read and removed`, async () => {
    const { call, send, blobs } = await open()
    const fields = order === 'before' ? { purpose: 'batch', file: FILE } : { file: FILE, purpose: 'batch' }
    const made = (await send(fields)).json()
    const { id, created_at: createdAt, ...rest } = made
    assert.deepEqual(rest, {
      object: 'file',
      bytes: 8000,
      filename: 'näme one.jsonl',
      purpose: 'batch',
      status: 'processed',
      status_details: null,
    })
    assert.ok(Number.isInteger(createdAt))
    assert.deepEqual((await call('GET', `/v1/files/${id}`)).json(), made)
    assert.deepEqual((await call('GET', '/v1/files')).json().data, [made])
    assert.deepEqual((await call('GET', '/v1/files?purpose=assistants')).json().data, [])
    const content = await call('GET', `/v1/files/${id}/content`)
    assert.equal(content.headers['content-length'], '8000')
    assert.equal(content.headers['content-type'], 'application/octet-stream')
    assert.ok(content.bytes.equals(Buffer.from(await FILE.arrayBuffer())))
    for (const [method, path] of [
      ['GET', `/v1/files/${id}`],
      ['GET', `/v1/files/${id}/content`],
      ['DELETE', `/v1/files/${id}`],
    ] as const)
      assert.equal((await call(method, path, { as: 'key_2' })).status, 404, path)
    assert.deepEqual((await call('GET', '/v1/files', { as: 'key_2' })).json().data, [])
    assert.deepEqual((await call('DELETE', `/v1/files/${id}`)).json(), { id, object: 'file', deleted: true })
    assert.deepEqual(await blobs.list(''), [])
  })

test('the list has pages, in either order', async () => {
  const { clock, call, send } = await open()
  const made: string[] = []
  for (let at = 0; at < 5; at++) {
    made.push((await send({ purpose: 'user_data', file: FILE })).json().id)
    clock.advance(10)
  }
  const page = async (query: string): Promise<{ ids: string[]; more: boolean }> => {
    const { data, has_more: more } = (await call('GET', `/v1/files?${query}`)).json()
    return { ids: data.map(({ id }: { id: string }) => id), more }
  }
  assert.deepEqual(await page(''), { ids: made.toReversed(), more: false })
  assert.deepEqual(await page('order=asc&limit=2'), { ids: made.slice(0, 2), more: true })
  assert.deepEqual(await page(`order=asc&limit=3&after=${made[1]}`), { ids: made.slice(2), more: false })
  assert.equal((await call('GET', '/v1/files?limit=0')).status, 400)
})

test('a file expires when it was told to', async () => {
  const { clock, call, send } = await open()
  const fields = { purpose: 'user_data', 'expires_after[anchor]': 'created_at', 'expires_after[seconds]': '3600' }
  const { id, expires_at: at, created_at: from } = (await send({ ...fields, file: FILE })).json()
  assert.equal(at - from, 3600)
  clock.advance(3_600_000)
  assert.equal((await call('GET', `/v1/files/${id}`)).status, 404)
})

test('every kind of bad form is refused, and leaves nothing', async () => {
  const { call, send, blobs } = await open()
  const seconds = { purpose: 'batch', file: FILE, 'expires_after[anchor]': 'created_at' }
  const CASES: readonly [string, Record<string, string | Blob>][] = [
    ['purpose', { file: FILE }],
    ['purpose', { file: FILE, purpose: 'fine-tune' }],
    ['purpose', { file: FILE, purpose: 'batch_output' }],
    ['file', { file: new Blob([]), purpose: 'batch' }],
    ['body', { purpose: 'batch' }],
    ['body', { purpose: 'batch', file: 'no file' }],
    ['body', { purpose: 'batch', other: FILE }],
    ['body', { purpose: 'batch', file: FILE, other: FILE }],
    ['body', { purpose: 'x'.repeat(5000), file: FILE }],
    ['surprise', { purpose: 'batch', file: FILE, surprise: '1' }],
    ['expires_after.anchor', { purpose: 'batch', file: FILE, 'expires_after[seconds]': '3600' }],
    ['expires_after.seconds', seconds],
    ['expires_after.seconds', { ...seconds, 'expires_after[seconds]': '3599' }],
    ['expires_after.seconds', { ...seconds, 'expires_after[seconds]': 'soon' }],
  ]
  for (const [param, fields] of CASES) {
    const reply = await send(fields)
    assert.deepEqual([reply.status, reply.json().error.param], [400, param], JSON.stringify(Object.keys(fields)))
  }
  const head = '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
  const forms: readonly [string, string][] = [
    ['application/json', '{}'],
    ['multipart/form-data', head],
    ['multipart/form-data; boundary=b', ''],
    ['multipart/form-data; boundary=b', head],
    ['multipart/form-data; boundary=b', `${head}half of it`],
    ['multipart/form-data; boundary=b', `${head}all of it\r\n--b\r\ncontent-disposition: form-data; name="purp`],
    ['multipart/form-data; boundary=b', 'no form at all'],
  ]
  for (const [type, body] of forms) {
    const reply = await call('POST', '/v1/files', { body, headers: { 'content-type': type } })
    assert.deepEqual([reply.status, reply.json().error.param], [400, 'body'], `${type} ${body}`)
  }
  assert.deepEqual(await blobs.list(''), [])
  assert.deepEqual((await call('GET', '/v1/files')).json().data, [])
})
