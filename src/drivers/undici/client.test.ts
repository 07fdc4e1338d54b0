import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { UndiciClient, type Way } from './client.ts'

/** Engines that are reached otherwise than by the address in their URL. */

const fixture = (name: string): string => fileURLToPath(new URL(`../../../tests/fixtures/tls/${name}`, import.meta.url))

function ask(t: TestContext, way: Way, url: string): Promise<string> {
  const client = new UndiciClient(way)
  t.after(() => client.close())
  return new Promise((resolve, reject) => {
    let text = ''
    client.start(
      { method: 'GET', url, headers: {}, connectTimeoutMs: 5_000 },
      {
        head: (status) => (text = `${status} `),
        data: (bytes) => (text += Buffer.from(bytes).toString()),
        end: () => resolve(text),
        fail: reject,
      },
    )
  })
}

const whoAsks: RequestListener = (request, response) => {
  const { CN } = (request.socket as TLSSocket).getPeerCertificate?.().subject ?? {}
  response.end(`${request.headers.host ?? ''} ${request.url ?? ''} ${String(CN ?? 'nobody')}`)
}

test('an engine listens on a Unix socket', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-client-'))
  const socket = join(folder, 'engine.sock')
  const server = createServer(whoAsks)
  await new Promise<void>((resolve) => void server.listen(socket, resolve))
  t.after(async () => {
    server.closeAllConnections()
    server.close()
    await rm(folder, { recursive: true })
  })
  assert.equal(await ask(t, { socket }, 'http://engine.test/v1/models'), '200 engine.test /v1/models nobody')
  await assert.rejects(ask(t, { socket: join(folder, 'none.sock') }, 'http://engine.test/'), /ENOENT/)
})

test('an engine knows who calls by their certificate, and is known by its own', async (t) => {
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'server.pem', 'server.key'].map((name) => readFile(fixture(name))),
  )
  if (ca === undefined || cert === undefined || key === undefined) return assert.fail('no certificates')
  const server = createTlsServer({ ca, cert, key, requestCert: true, rejectUnauthorized: true }, whoAsks)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `https://localhost:${(server.address() as AddressInfo).port}/`
  const authority = fixture('ca.pem')
  const own = { certificate: fixture('client.pem'), key: fixture('client.key') }
  assert.match(await ask(t, { tls: { authority, ...own } }, url), /^200 \S+ \/ client$/)
  await assert.rejects(ask(t, { tls: { authority } }, url), 'without a certificate nobody is let in')
  await assert.rejects(ask(t, { tls: own }, url), 'nor does anybody trust a stranger')
})

test('certificates that are of no use are said at once', () => {
  const code = 'certificate_unusable'
  assert.throws(() => new UndiciClient({ tls: { authority: '/nowhere/ca.pem' } }), { code })
  const mixed = { certificate: fixture('client.pem'), key: fixture('server.key') }
  assert.throws(() => new UndiciClient({ tls: mixed }), { code })
})
