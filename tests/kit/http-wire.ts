import { Duplex } from 'node:stream'
import { Connection } from '../../src/drivers/http/connection.ts'
import { Llhttp } from '../../src/drivers/http/parser.ts'
import { Fault } from '../../src/base/errors.ts'
import type { Handler, Headers } from '../../src/base/http.ts'

/** A connection without a network: what is written to it is kept, what the client says is pushed. */
class Wire extends Duplex {
  output = ''

  override _read(): void {}

  override _write(bytes: Buffer, _: string, done: () => void): void {
    this.output += bytes.toString('latin1')
    done()
  }

  destroySoon(): void {
    this.end(() => this.destroy())
  }
}

/** What a handler saw of a request. */
export interface Seen {
  readonly method: string
  readonly target: string
  readonly headers: Headers
  /** Or the code of what it failed with. */
  body: string
}

export interface Served {
  readonly seen: readonly Seen[]
  /** Of each answer. */
  readonly statuses: readonly number[]
  /** All bytes, ids and dates apart. */
  readonly output: string
  readonly isClosed: boolean
}

const BODY_BYTES_MAX = 1000

/** Serves pieces of bytes as one connection sends them. */
export class HttpWire {
  readonly #llhttp = new Llhttp()

  async serve(pieces: readonly Buffer[], answer: (seen: Seen) => Promise<void> | void = () => {}): Promise<Served> {
    const seen: Seen[] = []
    const handler: Handler = (request, reply) => {
      const one: Seen = { method: request.method, target: request.target, headers: request.headers, body: '' }
      seen.push(one)
      const reading = request.body(BODY_BYTES_MAX).then(
        (bytes) => void (one.body = Buffer.from(bytes).toString('latin1')),
        (thrown: unknown) => void (one.body = thrown instanceof Fault ? thrown.code : String(thrown)),
      )
      void reading
        .then(() => answer(one))
        .then(() => {
          reply.head(200, { 'content-type': 'text/plain' })
          reply.end(`${one.method} ${one.target} ${one.body.length}`)
        })
    }
    let isClosed = false
    const wire = new Wire()
    const connection = new Connection(wire, {
      llhttp: this.#llhttp,
      peer: 'network',
      handler,
      headersTimeoutMs: 10_000,
      bodyTimeoutMs: 10_000,
      keepAliveMs: 10_000,
      isPatient: false,
      headers: [],
      nowMs: () => 0,
      onClosed: () => (isClosed = true),
    })
    for (const piece of pieces) {
      if (wire.destroyed) break
      wire.push(piece)
      await turn()
    }
    await turn()
    await turn()
    const served = {
      seen,
      statuses: statusesOf(wire.output),
      output: withoutChance(wire.output),
      isClosed: isClosed || wire.writableEnded,
    }
    connection.destroy()
    await turn()
    return served
  }
}

/** Enough for everything that waits for nothing. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

const statusesOf = (output: string): number[] =>
  [...output.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)).filter((status) => status >= 200)

const withoutChance = (output: string): string =>
  output.replace(/x-request-id: \S+/g, 'x-request-id: *').replace(/date: [^\r]+/g, 'date: *')

const HOST = 'Host: headworks.test\r\n'

/** Requests that are served. */
export const GOOD: readonly string[] = [
  `GET / HTTP/1.1\r\n${HOST}\r\n`,
  `GET /v1/models?a=b%20c HTTP/1.1\r\n${HOST}Authorization: Bearer hw_1\r\nX-Empty:\r\nAccept: */*\r\n\r\n`,
  `POST /v1/chat/completions HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{"model":"a"}`,
  `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\n5;name=value\r\npedia\r\n0\r\n\r\n`,
  `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n`,
  `GET http://headworks.test/a?b=1 HTTP/1.1\r\n${HOST}\r\n`,
  `HEAD /healthz HTTP/1.1\r\n${HOST}\r\n`,
  `GET /old HTTP/1.0\r\n\r\n`,
  `GET /kept HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`,
  `DELETE /x HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`,
  `GET /h2c HTTP/1.1\r\n${HOST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
  `POST /e HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab`,
  `GET /c HTTP/1.1\r\n${HOST}Cookie: a=1\r\nCookie: b=2\r\nX-A: 1\r\nx-a: 2\r\nX-Blanks: \t b c \t \r\n\r\n`,
  `\r\n\r\nGET /blank HTTP/1.1\r\n${HOST}\r\n`,
]

/** Requests that no handler may see, each with what is wrong with it. */
export const REFUSED: readonly (readonly [why: string, bytes: string])[] = [
  ['two Hosts', `GET / HTTP/1.1\r\n${HOST}Host: other.test\r\n\r\n`],
  ['the same Host twice', `GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
  ['a target on another host', `GET http://other.test/ HTTP/1.1\r\n${HOST}\r\n`],
  ['a target on another port', `GET http://headworks.test:81/ HTTP/1.1\r\n${HOST}\r\n`],
  ['a target with another user', `GET ftp://headworks.test/ HTTP/1.1\r\n${HOST}\r\n`],
  ['a target that is no path', `GET x HTTP/1.1\r\n${HOST}\r\n`],
  ['a tunnel', `CONNECT headworks.test:80 HTTP/1.1\r\n${HOST}\r\n`],
  ['chunks on HTTP/1.0', `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['an underscore', `GET / HTTP/1.1\r\n${HOST}X_Api_Key: a\r\n\r\n`],
  ['an underscore for a hyphen', `POST / HTTP/1.1\r\n${HOST}Content_Length: 4\r\n\r\nabcd`],
  ['__proto__', `GET / HTTP/1.1\r\n${HOST}__proto__: a\r\n\r\n`],
  ['two credentials', `GET / HTTP/1.1\r\n${HOST}Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n`],
  ['two keys', `GET / HTTP/1.1\r\n${HOST}X-Api-Key: a\r\nx-api-key: a\r\n\r\n`],
  [
    'a credential announced as a trailer',
    `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n0\r\n\r\n`,
  ],
  [
    'length and chunks',
    `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n`,
  ],
  [
    'chunks and length',
    `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n`,
  ],
  ['two lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`],
  ['the same length twice', `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`],
  ['a list of lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 1, 1\r\n\r\na`],
  ['a length with a sign', `POST / HTTP/1.1\r\n${HOST}Content-Length: +1\r\n\r\na`],
  ['a negative length', `POST / HTTP/1.1\r\n${HOST}Content-Length: -1\r\n\r\na`],
  ['a hexadecimal length', `POST / HTTP/1.1\r\n${HOST}Content-Length: 0x1\r\n\r\na`],
  ['a length beyond counting', `POST / HTTP/1.1\r\n${HOST}Content-Length: 99999999999999999999\r\n\r\na`],
  ['chunks inside another coding', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  ['chunks that are not last', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
  [
    'two codings',
    `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`,
  ],
  ['a coding that is none', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
  ['a coding in quotes', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`],
  ['a coding after a vertical tab', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`],
  ['a blank before the colon', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
  ['a blank before the name', `GET / HTTP/1.1\r\n X: a\r\n${HOST}\r\n`],
  ['a folded header', `GET / HTTP/1.1\r\n${HOST}X: a\r\n b\r\n\r\n`],
  ['a bare line feed', `GET / HTTP/1.1\r\n${HOST}X: a\nY: b\r\n\r\n`],
  ['line feeds alone', 'GET / HTTP/1.1\nHost: headworks.test\n\n'],
  ['a bare carriage return', `GET / HTTP/1.1\r\n${HOST}X: a\rY: b\r\n\r\n`],
  ['a NUL in a value', `GET / HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`],
  ['a NUL in a name', `GET / HTTP/1.1\r\n${HOST}X\0: b\r\n\r\n`],
  ['a name that is no token', `GET / HTTP/1.1\r\n${HOST}X(a): b\r\n\r\n`],
  ['an empty name', `GET / HTTP/1.1\r\n${HOST}: b\r\n\r\n`],
  ['HTTP/2 in the line', `GET / HTTP/2.0\r\n${HOST}\r\n`],
  ['the beginning of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['HTTP/0.9', 'GET /\r\n\r\n'],
  ['TLS', '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03'],
  ['an unknown method', `SMUGGLE / HTTP/1.1\r\n${HOST}\r\n`],
  ['an unknown expectation', `GET / HTTP/1.1\r\n${HOST}Expect: tea\r\n\r\n`],
  [
    'two expectations',
    `POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na`,
  ],
  ['headers of 20 kB', `GET / HTTP/1.1\r\n${HOST}X: ${'a'.repeat(20_000)}\r\n\r\n`],
  ['a target of 20 kB', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n${HOST}\r\n`],
  ['200 headers', `GET / HTTP/1.1\r\n${HOST}${'X: a\r\n'.repeat(200)}\r\n`],
]

/** Requests that are refused in their bodies: a handler learns that there is none. */
export const BROKEN_BODIES: readonly (readonly [why: string, bytes: string])[] = [
  ['a size that is none', 'x\r\na\r\n0\r\n\r\n'],
  ['a size with 0x', '0x1\r\na\r\n0\r\n\r\n'],
  ['a size with a blank', '1 \r\na\r\n0\r\n\r\n'],
  ['a size beyond counting', 'fffffffffffffffff\r\na\r\n0\r\n\r\n'],
  ['a negative size', '-1\r\na\r\n0\r\n\r\n'],
  ['a line feed after the size', '1\na\r\n0\r\n\r\n'],
  ['a line feed after the data', '1\r\na\n0\r\n\r\n'],
  ['more data than its size', '1\r\nab\r\n0\r\n\r\n'],
  ['a line feed in an extension', '1;a\nb\r\na\r\n0\r\n\r\n'],
  ['a credential in a trailer', '1\r\na\r\n0\r\nAuthorization: Bearer a\r\n\r\n'],
  ['a folded trailer', '1\r\na\r\n0\r\nX: a\r\n b\r\n\r\n'],
  ['extensions of 100 kB', `1;${'e'.repeat(100_000)}\r\na\r\n0\r\n\r\n`],
  ['trailers of 20 kB', `1\r\na\r\n0\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`],
].map(([why = '', body = '']) => [why, `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${body}`])
