import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '../../tests/kit/clock.ts'
import { RecordedReply, request } from '../../tests/kit/exchange.ts'
import { fault } from '../base/errors.ts'
import { controlPlane } from './router.ts'

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
