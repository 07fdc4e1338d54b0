import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Fault } from '../../base/errors.ts'
import { HttpApiClient } from './api-client.ts'

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void

function serve(t: TestContext, answer: Answer, path?: string): Promise<string> {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += chunk)).on('end', () => answer(request, response, body))
  })
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return new Promise((resolve) => {
    if (path === undefined)
      server.listen(0, '127.0.0.1', () => resolve(`127.0.0.1:${(server.address() as AddressInfo).port}`))
    else server.listen(path, () => resolve(path))
  })
}

async function collect(stream: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const one of stream) all.push(one)
  return all
}

const isFault = (code: string) => (error: unknown) => error instanceof Fault && error.code === code

test('asks over a socket file and over TCP, with the key only where there is one', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'api-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const echo: Answer = ({ method, url, headers }, response, body) =>
    response
      .writeHead(201, { 'x-request-id': 'req_1' })
      .end(JSON.stringify({ method, url, auth: headers.authorization ?? null, body }))
  const local = new HttpApiClient({ address: await serve(t, echo, join(folder, 'control.sock')) })
  const answer = await local.request('POST', '/api/x', { a: 1 })
  assert.equal(answer.status, 201)
  assert.equal(answer.headers['x-request-id'], 'req_1')
  assert.deepEqual(answer.json(), { method: 'POST', url: '/api/x', auth: null, body: '{"a":1}' })
  const remote = new HttpApiClient({ address: await serve(t, echo), key: { reveal: () => 'hw_k' } })
  assert.deepEqual((await remote.request('GET', '/v1/models')).json(), {
    method: 'GET',
    url: '/v1/models',
    auth: 'Bearer hw_k',
    body: '',
  })
})

test('hands out the data of a stream however its bytes are cut', async (t) => {
  const text = ': hi\n\nevent: x\ndata: {"a":"ä€"}\r\n\r\ndata: 1\ndata:2\n\nid: 7\n\ndata: [DONE]\n\ndata: late\n\n'
  const bytes = Buffer.from(text)
  for (const size of [1, 3, 1000]) {
    const address = await serve(t, (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
      for (let at = 0; at < bytes.length; at += size) response.write(bytes.subarray(at, at + size))
      response.end()
    })
    assert.deepEqual(await collect(new HttpApiClient({ address }).stream('/x', {})), ['{"a":"ä€"}', '1\n2'])
  }
})

test('a refusal to stream arrives as its body', async (t) => {
  const address = await serve(t, (_, response) =>
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":{}}'),
  )
  assert.deepEqual(await collect(new HttpApiClient({ address }).stream('/x', {})), ['{"error":{}}'])
})

test('a stream cut short is told from a complete one', async (t) => {
  const ends: Answer[] = [
    (_, response) => response.end('data: 1\n\n'),
    (_, response) => {
      response.write('data: 1\n\n')
      setImmediate(() => response.destroy())
    },
  ]
  for (const end of ends) {
    const address = await serve(t, (request, response, body) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      end(request, response, body)
    })
    await assert.rejects(collect(new HttpApiClient({ address }).stream('/x', {})), isFault('stream_broken'))
  }
})

test('nobody there, a reset and rubbish are faults that say so', async (t) => {
  await assert.rejects(
    new HttpApiClient({ address: '/nowhere/control.sock' }).request('GET', '/'),
    isFault('server_absent'),
  )
  const closed = createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  const { port } = closed.address() as AddressInfo
  await new Promise((resolve) => closed.close(resolve))
  await assert.rejects(
    new HttpApiClient({ address: `127.0.0.1:${port}` }).request('GET', '/'),
    isFault('server_absent'),
  )
  const reset = await serve(t, (request) => request.socket.destroy())
  await assert.rejects(new HttpApiClient({ address: reset }).request('GET', '/'), isFault('stream_broken'))
  const rubbish = await serve(t, (_, response) => response.end('<html>'))
  const answer = await new HttpApiClient({ address: rubbish }).request('GET', '/')
  assert.throws(() => answer.json(), isFault('internal'))
})

test('an abort ends the stream and closes the connection', async (t) => {
  let gone = (): void => {}
  const closed = new Promise<void>((resolve) => (gone = resolve))
  const address = await serve(t, (request, response) => {
    request.socket.on('close', gone)
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
  })
  const abort = new AbortController()
  const stream = new HttpApiClient({ address }).stream('/x', {}, { signal: abort.signal })
  assert.equal((await stream.next()).value, '1')
  abort.abort()
  await assert.rejects(stream.next(), isFault('stream_broken'))
  await closed
})
