import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { Fault } from '../../base/errors.ts'
import type { Handler } from '../../base/http.ts'
import { LlhttpListener } from './llhttp-server.ts'
import { NodeHttpListener } from './server.ts'

/** Answers with what it was asked, once the body is there. */
const echo: Handler = (request, reply) => {
  request.body(1000).then(
    (bytes) => {
      reply.head(200, { 'content-type': 'application/json' })
      reply.end(
        JSON.stringify({
          method: request.method,
          target: request.target,
          peer: request.peer,
          body: Buffer.from(bytes).toString(),
        }),
      )
    },
    (cause: unknown) => {
      reply.head(cause instanceof Fault ? 413 : 500, { 'content-type': 'text/plain' })
      reply.end(cause instanceof Fault ? cause.code : String(cause))
    },
  )
}

/** Sends bytes as they are and reads until the other side closes. */
function raw(address: string, ...pieces: string[]): Promise<string> {
  const port = Number(address.split(':').at(-1))
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.on('data', (bytes) => (answer += bytes.toString()))
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
    for (const piece of pieces) socket.write(piece)
  })
}

const HOST = 'Host: headworks.test\r\nConnection: close\r\n'

for (const [server, Listener] of [
  ['node:http', NodeHttpListener],
  ['llhttp', LlhttpListener],
] as const)
  describe(server, () => suite(Listener))

function suite(Listener: typeof NodeHttpListener | typeof LlhttpListener): void {
  async function listen(t: TestContext, handler: Handler = echo, address = '127.0.0.1:0', bodyTimeoutMs = 5000) {
    const server = await new Listener(bodyTimeoutMs).listen(address, handler)
    t.after(() => server.drain(0))
    return server
  }

  test('requests that two parties could read differently are refused', async (t) => {
    const { address } = await listen(t)
    const cases: readonly [string, string][] = [
      ['two Hosts', `GET / HTTP/1.1\r\n${HOST}Host: other.test\r\n\r\n`],
      ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n'],
      ['a target on another host', `GET http://other.test/ HTTP/1.1\r\n${HOST}\r\n`],
      ['a target that is neither path nor URL', `GET nothing HTTP/1.1\r\n${HOST}\r\n`],
      ['Transfer-Encoding on HTTP/1.0', `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
      ['an underscore in a name', `GET / HTTP/1.1\r\n${HOST}X_Api_Key: a\r\n\r\n`],
      ['__proto__', `GET / HTTP/1.1\r\n${HOST}__proto__: a\r\n\r\n`],
      [
        'a credential announced as a trailer',
        `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n0\r\nAuthorization: Bearer a\r\n\r\n`,
      ],
      ['two lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`],
      [
        'a length and chunks',
        `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      ],
      ['no HTTP at all', '\u0016\u0003\u0001\r\n\r\n'],
      ['a bare line feed in a header', `GET / HTTP/1.1\r\n${HOST}X: a\nY: b\r\n\r\n`],
      [
        'two credentials in one header',
        `GET / HTTP/1.1\r\n${HOST}Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n`,
      ],
      ['two keys', `GET / HTTP/1.1\r\n${HOST}X-Api-Key: a\r\nx-api-key: a\r\n\r\n`],
      ['a target of another protocol', `GET ftp://headworks.test/ HTTP/1.1\r\n${HOST}\r\n`],
      ['an expectation that is not known', `GET / HTTP/1.1\r\n${HOST}Expect: tea\r\n\r\n`],
      ['headers of 20 kB', `GET / HTTP/1.1\r\n${HOST}X: ${'a'.repeat(20_000)}\r\n\r\n`],
    ]
    for (const [name, bytes] of cases) {
      await t.test(name, async () => {
        const answer = await raw(address, bytes)
        assert.match(answer, /^HTTP\/1\.1 4\d\d /)
        assert.match(answer, /x-request-id: req_/i)
        assert.match(answer, /"code":"request_refused"/)
      })
    }
  })

  test('a credential in a trailer that nobody announced does not arrive', async (t) => {
    const { address } = await listen(t)
    const answer = await raw(
      address,
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nAuthorization: Bearer a\r\n\r\n`,
    )
    assert.match(answer, /request_refused/)
  })

  test('an absolute target of the same host is a path', async (t) => {
    const { address } = await listen(t)
    assert.match(await raw(address, `GET http://headworks.test/a?b=1 HTTP/1.1\r\n${HOST}\r\n`), /"target":"\/a\?b=1"/)
  })

  test('a body arrives whole however it is split, and is refused past its limit', async (t) => {
    const { address } = await listen(t)
    assert.match(await raw(address, `POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\n`, 'ab', 'cd'), /"body":"abcd"/)
    assert.match(await raw(address, `POST / HTTP/1.1\r\n${HOST}Content-Length: 1001\r\n\r\n`), /body_too_large/)
    assert.match(
      await raw(
        address,
        `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3e9\r\n${'a'.repeat(1001)}\r\n0\r\n\r\n`,
      ),
      /body_too_large/,
    )
  })

  test('a body is taken piece by piece, no faster than it is wanted, and refused past its limit', async (t) => {
    const { address } = await listen(t, (request, reply) => {
      const take = async (): Promise<number> => {
        let bytes = 0
        for await (const piece of request.pieces(1_000_000)) bytes += piece.length
        return bytes
      }
      take().then(
        (bytes) => {
          reply.head(200, {})
          reply.end(`${bytes} bytes`)
        },
        (thrown: unknown) => {
          reply.head(413, {})
          reply.end(thrown instanceof Fault ? thrown.code : String(thrown))
        },
      )
    })
    const half = 'a'.repeat(300_000)
    const long = `POST / HTTP/1.1\r\n${HOST}Content-Length: 600000\r\n\r\n`
    assert.match(await raw(address, long, half, half), /600000 bytes/)
    const chunk = `493e0\r\n${half}\r\n`
    const chunked = `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`
    assert.match(await raw(address, chunked, chunk, '0\r\n\r\n'), /300000 bytes/)
    assert.match(await raw(address, chunked, chunk, chunk, chunk, chunk, '0\r\n\r\n'), /body_too_large/)
    const announced = `POST / HTTP/1.1\r\n${HOST}Content-Length: 1000001\r\n\r\n`
    assert.match(await raw(address, announced), /body_too_large/)
    assert.match(await raw(address, chunked, '1\r\na\r\n0\r\nAuthorization: Bearer a\r\n\r\n'), /request_refused/)
  })

  test('a connection is kept after a request without a body, and every answer has an id', async (t) => {
    const { address } = await listen(t, (_, reply) => {
      reply.head(200, {})
      reply.end()
    })
    const answer = await raw(address, `GET /1 HTTP/1.1\r\nHost: a\r\n\r\n`, `GET /2 HTTP/1.1\r\n${HOST}\r\n`)
    assert.equal(answer.match(/HTTP\/1\.1 200 OK/g)?.length, 2)
    assert.equal(answer.match(/x-request-id: req_/g)?.length, 2)
  })

  test('bytes that are no request are not answered into an answer that has begun', async (t) => {
    let finish = (): void => {}
    const { address } = await listen(t, (_, reply) => {
      reply.head(200, { 'content-length': '5' })
      reply.write('begun')
      finish = () => reply.end()
    })
    const port = Number(address.split(':')[1])
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.on('data', (bytes) => {
      if (answer === '') {
        socket.write('\0 nothing\r\n\r\n')
        setTimeout(() => finish(), 50)
      }
      answer += bytes.toString()
    })
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await new Promise((resolve) => void socket.on('close', resolve).on('error', () => {}))
    assert.match(answer, /\r\n\r\nbegun(?:HTTP\/1\.1 400 |$)/)
  })

  test('a body that was announced is asked for only once somebody wants it', async (t) => {
    const { address } = await listen(t, (asked, reply) => {
      if (asked.target === '/wanted') return echo(asked, reply)
      reply.head(401, {})
      reply.end()
    })
    const announced = (path: string): string =>
      `POST ${path} HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`
    assert.match(await raw(address, announced('/unwanted')), /^HTTP\/1\.1 401 /)
    const socket = connect(Number(address.split(':')[1]), '127.0.0.1')
    let answer = ''
    socket.on('data', (bytes) => {
      if (answer === '') socket.write('ab')
      answer += bytes.toString()
    })
    socket.write(announced('/wanted'))
    await new Promise((resolve) => void socket.on('close', resolve))
    assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 [^]*"body":"ab"/)
  })

  test('a body that does not come is given up', async (t) => {
    const { address } = await listen(t, echo, '127.0.0.1:0', 100)
    assert.match(await raw(address, `POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nab`), /body_timeout/)
  })

  test('an address in use, and one that is none, say so', async (t) => {
    const { address } = await listen(t)
    await assert.rejects(new Listener(100).listen(address, echo), { code: 'port_in_use' })
    for (const wrong of ['nowhere', '127.0.0.1:70000', 'no.such.host.invalid:1']) {
      await assert.rejects(new Listener(100).listen(wrong, echo), { code: 'address_invalid' })
    }
  })

  test("the control socket is the owner's alone, and a stale file does not block it", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'headworks-'))
    t.after(() => rm(folder, { recursive: true }))
    const path = join(folder, 'control.sock')
    const first = await new Listener(100).listen(path, echo)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    await first.drain(0)
    await listen(t, echo, path)
  })

  test('a client that leaves is told to the handler, also when it left before anybody listened', async (t) => {
    const gone = Promise.withResolvers<void>()
    const { address } = await listen(t, (_, reply) => setTimeout(() => reply.onGone(gone.resolve), 50))
    const socket = connect(Number(address.split(':')[1]), '127.0.0.1')
    socket.write(`GET / HTTP/1.1\r\n${HOST}\r\n`, () => setTimeout(() => socket.destroy(), 10))
    await gone.promise
  })

  test('draining lets an answer end and takes no new connection', async () => {
    let finish = (): void => {}
    const server = await new Listener(1000).listen('127.0.0.1:0', (_, reply) => {
      reply.head(200, {})
      reply.write('begun, ')
      finish = () => reply.end('done')
    })
    const answer = raw(server.address, `GET / HTTP/1.1\r\n${HOST}\r\n`)
    await new Promise((resolve) => void setTimeout(resolve, 50))
    const drained = server.drain(5000)
    await assert.rejects(raw(server.address, 'GET / HTTP/1.1\r\n\r\n'), { code: 'ECONNREFUSED' })
    finish()
    assert.match(await answer, /begun, [^]*done/)
    await drained
  })
}
