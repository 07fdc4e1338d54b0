import assert from 'node:assert/strict'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { Agent, createServer, request as ask, type IncomingMessage, type RequestListener } from 'node:http'
import { type AddressInfo, connect, Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { Handler } from '../../base/http.ts'
import { openListener } from './servers.ts'
import { bindAddress } from './bind.ts'

/** Sends bytes as they are and reads until the other side closes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    let answer = ''
    socket.on('data', (bytes) => (answer += bytes.toString()))
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}

async function textOf(message: AsyncIterable<unknown>): Promise<string> {
  let text = ''
  for await (const bytes of message) text += String(bytes)
  return text
}

const seen: RequestListener = (message, response) =>
  void textOf(message).then((body) => {
    response.setHeader('set-cookie', ['a=1', 'b=2'])
    response.end(JSON.stringify({ raw: message.rawHeaders, url: message.url, method: message.method, body }))
  })

const mine: Handler = ({ peer, headers }, reply) => {
  reply.head(200, { 'content-type': 'application/json' })
  reply.end(JSON.stringify({ peer, headers }))
}

for (const kind of ['node', 'llhttp'] as const) describe(kind, () => suite(kind))

function suite(kind: 'node' | 'llhttp'): void {
  /** A listener that passes everything but `/mine` on to whoever listens on the socket. */
  async function pair(t: TestContext, inner: RequestListener, ours?: Handler) {
    const folder = await mkdtemp(join(tmpdir(), 'headworks-forward-'))
    t.after(() => rm(folder, { recursive: true }))
    const socketPath = join(folder, 'inner.sock')
    if (ours !== undefined) {
      const server = await openListener(kind, 5000, { headers: { 'x-headworks-node': 'inner' } }).listen(
        socketPath,
        ours,
        'network',
      )
      assert.equal((await stat(socketPath)).mode & 0o777, 0o600)
      t.after(() => server.drain(0))
    } else {
      const server = createServer(inner).listen(socketPath)
      t.after(() => {
        server.close()
        server.closeAllConnections()
      })
    }
    const elsewhere = { isTheirs: ({ target }: { target: string }) => target !== '/mine', socketPath }
    const listener = openListener(kind, 5000, { headers: { 'x-headworks-node': 'outer' }, elsewhere })
    const outer = await listener.listen('127.0.0.1:0', (_, reply) => {
      reply.head(200, {})
      reply.end('mine')
    })
    t.after(() => outer.drain(0))
    const port = Number(outer.address.split(':').at(-1))
    return { port, url: `http://${outer.address}` }
  }

  test('a request and its answer arrive as they were sent', async (t) => {
    const { url } = await pair(t, seen)
    const answer = await fetch(`${url}/a?b=%20c`, {
      method: 'POST',
      headers: { 'X-Odd': 'ö'.normalize() },
      body: 'text',
    })
    assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2'])
    const { url: target, method, body } = (await answer.json()) as { url: string; method: string; body: string }
    assert.deepEqual([target, method, body], ['/a?b=%20c', 'POST', 'text'])
    assert.equal(await (await fetch(`${url}/mine`)).text(), 'mine')
  })

  test('the inner side sees a peer of the network, and each answer names the process it is of', async (t) => {
    const { url } = await pair(t, seen, mine)
    const passed = await fetch(`${url}/theirs`)
    assert.deepEqual(
      [((await passed.json()) as { peer: string }).peer, passed.headers.get('x-headworks-node')],
      ['network', 'inner'],
    )
    assert.equal((await fetch(`${url}/mine`)).headers.get('x-headworks-node'), 'outer')
  })

  test('no header of the connection is passed on, and Connection takes nothing else along', async (t) => {
    const { port } = await pair(t, seen, mine)
    const lines = [
      'GET / HTTP/1.1',
      'Host: headworks.test',
      'Connection: close, cookie, origin, sec-fetch-site, authorization, host, x-api-key',
      'Cookie: headworks_session=a',
      'Origin: http://evil.test',
      'Sec-Fetch-Site: cross-site',
      'Keep-Alive: timeout=1',
      'Proxy-Authorization: Basic a',
      'TE: trailers',
      'Upgrade: h2c',
    ]
    const answer = await raw(port, `${lines.join('\r\n')}\r\n\r\n`)
    const { headers } = JSON.parse(/\{.*\}/s.exec(answer)?.[0] ?? '') as { headers: { [name: string]: string } }
    assert.equal(headers['connection'], 'keep-alive')
    delete headers['connection']
    assert.deepEqual(headers, {
      host: 'headworks.test',
      cookie: 'headworks_session=a',
      origin: 'http://evil.test',
      'sec-fetch-site': 'cross-site',
    })
  })

  test('HTTP/1.0 without a Host is passed on without one', async (t) => {
    const { port } = await pair(t, seen, mine)
    const answer = await raw(port, 'GET / HTTP/1.0\r\n\r\n')
    assert.match(answer, /^HTTP\/1\.1 200 /)
    assert.match(answer, /"host":""/)
  })

  test('what two parties could read differently is refused before it is passed on', async (t) => {
    let reached = 0
    const { port } = await pair(t, (_, response) => {
      reached++
      response.end()
    })
    const bad = [
      'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n',
      'GET http://other.test/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nX_Api_Key: a\r\nConnection: close\r\n\r\n',
    ]
    for (const text of bad) assert.match(await raw(port, text), /^HTTP\/1\.1 400 /)
    assert.equal(reached, 0)
  })

  test('a body of chunks stays one, and what follows it is another request', async (t) => {
    const { port } = await pair(t, seen)
    const two =
      'POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
    const answers = (await raw(port, two)).match(/\{"raw".*?\}/gs) ?? []
    const found = answers.map((text) => JSON.parse(text) as { url: string; body: string })
    assert.deepEqual(
      found.map(({ url, body }) => [url, body]),
      [
        ['/1', 'abc'],
        ['/2', ''],
      ],
    )
  })

  test('a stream arrives piece by piece, and a client that leaves ends it', async (t) => {
    const left = Promise.withResolvers<void>()
    const { url } = await pair(t, (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: 1\n\n')
      response.on('close', () => left.resolve())
    })
    const leave = new AbortController()
    const answer = await fetch(`${url}/`, { signal: leave.signal })
    const first = await answer.body?.getReader().read()
    assert.equal(Buffer.from(first?.value ?? []).toString(), 'data: 1\n\n')
    leave.abort()
    await left.promise
  })

  test('neither side is read faster than the other one writes', async (t) => {
    const CHUNK = Buffer.alloc(64 * 1024)
    const CHUNKS = 4000
    let written = 0
    const { port } = await pair(t, (_, response) => {
      response.writeHead(200)
      const go = (): void => {
        while (written < CHUNKS && response.write(CHUNK)) written++
        if (written < CHUNKS) response.once('drain', () => (written++, go()))
        else response.end()
      }
      go()
    })
    const agent = new Agent()
    t.after(() => agent.destroy())
    const answer = await new Promise<IncomingMessage>((resolve) =>
      ask({ port, host: '127.0.0.1', path: '/', agent }, resolve).end(),
    )
    answer.pause()
    // Until nobody takes any more: three turns in a row without a further piece.
    for (let before = -1, still = 0; still < 3; before = written) {
      await new Promise((resolve) => void setTimeout(resolve, 20))
      still = before === written ? still + 1 : 0
    }
    assert.ok(written < CHUNKS / 2, `${written} of ${CHUNKS} pieces were taken from a client that reads none`)
    let bytes = 0
    for await (const piece of answer) bytes += (piece as Buffer).length
    assert.equal(bytes, CHUNK.length * CHUNKS)
  })

  test('an answer that breaks off is seen to, and one that never came is a 503', async (t) => {
    const { url } = await pair(t, (message, response) => {
      if (message.url === '/never') return message.socket.destroy()
      response.writeHead(200)
      response.write('half', () => response.destroy())
    })
    await assert.rejects(fetch(`${url}/half`).then((answer) => answer.text()))
    const answer = await fetch(`${url}/never`)
    assert.deepEqual(
      [answer.status, ((await answer.json()) as { error: { code: string } }).error.code],
      [503, 'stopping'],
    )
  })

  test('an answer before the end of the body is passed on, and leaves no connection behind', async (t) => {
    let inner: Socket | undefined
    const { port } = await pair(t, (message, response) => {
      inner = message.socket
      response.writeHead(401)
      response.end('refused')
    })
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\nbeginning'
    assert.match(await raw(port, head), /^HTTP\/1\.1 401 [^]*\r\nrefused\r\n/)
    while (inner?.destroyed !== true) await new Promise((resolve) => void setTimeout(resolve, 5))
  })

  test('a refusal reaches a client that still sends', async (t) => {
    const refuses: Handler = (_, reply) => {
      reply.head(401, {})
      reply.end('refused')
    }
    const { url } = await pair(t, seen, refuses)
    const answer = await fetch(`${url}/`, { method: 'POST', body: Buffer.alloc(8 * 2 ** 20) })
    assert.deepEqual([answer.status, await answer.text()], [401, 'refused'])
  })

  test('a shared address is bound without accepting, and refused where it is taken or none', async (t) => {
    const shared = await bindAddress('127.0.0.1:0')
    t.after(() => shared.close())
    const first = await openListener(kind, 1000).listenOn(shared.handle, (_, reply) => {
      reply.head(200, {})
      reply.end('first')
    })
    assert.equal(first.address, shared.address)
    assert.equal(await (await fetch(`http://${shared.address}/`)).text(), 'first')
    await first.drain(0)

    const other = new Server().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    t.after(() => other.close())
    await assert.rejects(bindAddress(`127.0.0.1:${(other.address() as AddressInfo).port}`), { code: 'port_in_use' })
    for (const wrong of ['203.0.113.1:0', 'nowhere.invalid:80', '/a/path', '127.0.0.1'])
      await assert.rejects(bindAddress(wrong), { code: 'address_invalid' })
  })
}
