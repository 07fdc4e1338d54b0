import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '../../tests/kit/clock.ts'
import { RecordedReply, request } from '../../tests/kit/exchange.ts'
import { fault, Refusal } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import { readBindings } from '../guard/bindings.ts'
import type { Principal } from '../guard/principal.ts'
import { controlPlane, ok, type Route } from './router.ts'

function download(pieces: () => AsyncGenerator<Uint8Array>) {
  const handle = controlPlane({
    routes: [
      {
        method: 'GET',
        path: '/api/file',
        summary: 'A file.',
        role: 'anyone',
        answer: () => ({ headers: { 'content-type': 'text/plain' }, pieces: pieces() }),
      },
    ],
    authenticate: () => assert.fail('nobody is asked'),
    newRequestId: () => 'req_1',
  })
  const reply = new RecordedReply()
  return { reply, start: () => handle(request('GET', '/api/file'), reply) }
}

test('a file waits for a reader that is slow', async () => {
  let made = 0
  const { reply, start } = download(async function* () {
    for (; made < 3; made++) yield Buffer.from(`${made}`)
  })
  reply.keepsUp = false
  start()
  await settled()
  assert.deepEqual([reply.text, made, reply.ended], ['0', 0, false])
  reply.drain()
  await settled()
  assert.deepEqual([reply.text, made], ['01', 1])
  reply.keepsUp = true
  reply.drain()
  await settled()
  assert.deepEqual([reply.text, reply.ended, reply.headers['x-request-id']], ['012', true, 'req_1'])
})

test('nothing more is read for a reader that left', async () => {
  let closed = false
  const { reply, start } = download(async function* () {
    try {
      for (;;) yield Buffer.from('x')
    } finally {
      closed = true
    }
  })
  reply.keepsUp = false
  start()
  await settled()
  reply.leave()
  await settled()
  assert.deepEqual([reply.text, closed, reply.ended], ['x', true, false])
})

test('what fails at once is an answer in JSON; what fails on the way breaks the connection', async () => {
  const failing = (after: number) =>
    download(async function* () {
      for (let i = 0; i < after; i++) yield Buffer.from('x')
      throw fault('store_unavailable', { reason: 'it is closed' })
    })
  const atOnce = failing(0)
  atOnce.start()
  await settled()
  assert.deepEqual([atOnce.reply.status, atOnce.reply.json().error.code], [503, 'store_unavailable'])
  const later = failing(1)
  later.start()
  await settled()
  assert.deepEqual([later.reply.status, later.reply.text, later.reply.aborted], [200, 'x', true])
})

test('an administrator that is bound to a tenant administers collections, and nothing of the house', async () => {
  const route = (path: string): Route => ({ method: 'GET', path, summary: '', role: 'admin', answer: () => ok('done') })
  const principal = (terms: JsonObject): Principal => {
    const bindings = readBindings(terms, 'admin')
    return bindings instanceof Refusal
      ? assert.fail(bindings.code)
      : { id: 'key_1', name: 'ann', role: 'admin', bindings }
  }
  const asked = async (terms: JsonObject, path: string): Promise<number> => {
    const handle = controlPlane({
      routes: ['/api/keys', '/api/collections', '/api/collectionsofall', '/api/ingests', '/v1/files'].map(route),
      authenticate: () => principal(terms),
      newRequestId: () => 'req_1',
    })
    const reply = new RecordedReply()
    handle(request('GET', path), reply)
    await settled()
    return reply.status
  }
  for (const path of ['/api/collections', '/api/ingests', '/v1/files', '/api/keys', '/api/collectionsofall']) {
    assert.equal(await asked({}, path), 200)
    assert.equal(await asked({ tenant: 'acme' }, path), /keys|ofall/.test(path) ? 403 : 200, path)
  }
})
