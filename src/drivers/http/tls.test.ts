import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect as connectPlain } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { connect } from 'node:tls'
import { fileURLToPath } from 'node:url'
import type { Handler } from '../../base/http.ts'
import { Certificate } from './certificate.ts'
import { openListener } from './servers.ts'

const fixture = (name: string): string => fileURLToPath(new URL(`../../../tests/fixtures/tls/${name}`, import.meta.url))

const hello: Handler = (_, reply) => {
  reply.head(200, {})
  reply.end('hello')
}

async function files(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-tls-'))
  t.after(() => rm(folder, { recursive: true }))
  const paths = { certificate: join(folder, 'server.pem'), key: join(folder, 'server.key') }
  const put = (name: string): void => {
    copyFileSync(fixture(`${name}.pem`), paths.certificate)
    copyFileSync(fixture(`${name}.key`), paths.key)
  }
  put('server')
  return { ...paths, put }
}

/** Who answers, and what. */
async function ask(address: string): Promise<{ readonly name: string; readonly answer: string }> {
  const ca = await readFile(fixture('ca.pem'))
  const [host = '', port] = address.split(':')
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), ca, servername: 'localhost' }, () => {
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    })
    let answer = ''
    const name = (): string => String(socket.getPeerCertificate().subject?.CN ?? '')
    let seen = ''
    socket.on('secureConnect', () => (seen = name()))
    socket.on('data', (bytes: Buffer) => (answer += bytes.toString()))
    socket.on('close', () => resolve({ name: seen, answer }))
    socket.on('error', reject)
  })
}

for (const kind of ['llhttp', 'node'] as const)
  describe(kind, () => {
    test('TLS is spoken, and nothing else', async (t) => {
      const { certificate, key } = await files(t)
      const server = await openListener(kind, 1000, { tls: { certificate, key } }).listen('127.0.0.1:0', hello)
      t.after(() => server.drain(0))
      const { name, answer } = await ask(server.address)
      assert.equal(name, 'server')
      assert.match(answer, /^HTTP\/1\.1 200 [^]*hello/)
      const plain = await new Promise<string>((resolve) => {
        const socket = connectPlain(Number(server.address.split(':')[1]), '127.0.0.1')
        let text = ''
        socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')))
        socket.on('close', () => resolve(text)).on('error', () => {})
        socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      })
      assert.doesNotMatch(plain, /hello/)
    })

    test('what cannot be used is said before anything is listened on', async (t) => {
      const { certificate, key } = await files(t)
      const listen = (tls: { certificate: string; key: string }) =>
        openListener(kind, 1000, { tls }).listen('127.0.0.1:0', hello)
      await assert.rejects(listen({ certificate, key: fixture('renewed.key') }), { code: 'certificate_unusable' })
      await assert.rejects(listen({ certificate: `${certificate}.none`, key }), { code: 'certificate_unusable' })
      await writeFile(certificate, 'no certificate')
      await assert.rejects(listen({ certificate, key }), { code: 'certificate_unusable' })
    })
  })

test('a certificate that changes is taken over; one that is of no use is not', async (t) => {
  const { put, ...paths } = await files(t)
  const certificate = new Certificate(paths)
  const taken: unknown[] = []
  const told: string[] = []
  const log = { write: (level: string) => void told.push(level) }
  const look = (): void => certificate.look(log, (options) => void taken.push(options.cert))
  look()
  assert.deepEqual([taken, told], [[], []])
  await writeFile(paths.certificate, 'half')
  look()
  look()
  assert.deepEqual([taken, told], [[], ['error']], 'told once')
  put('renewed')
  look()
  assert.deepEqual(told, ['error', 'info'])
  assert.deepEqual(taken, [await readFile(fixture('renewed.pem'))])
})

test('a renewed certificate is shown to whoever connects next, and connections before it go on', async (t) => {
  const { put, ...tls } = await files(t)
  let told = (): void => {}
  const changed = new Promise<void>((resolve) => (told = resolve))
  const log = { write: () => told() }
  const server = await openListener('llhttp', 1000, { tls, log }).listen('127.0.0.1:0', hello)
  t.after(() => server.drain(0))
  assert.equal((await ask(server.address)).name, 'server')
  put('renewed')
  await changed
  assert.equal((await ask(server.address)).name, 'renewed')
})
