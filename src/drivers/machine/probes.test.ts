import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { Fault } from '../../base/errors.ts'
import { machineProbes } from './probes.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const probes = machineProbes(systemClock, root)

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'probes-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

const listen = (t: TestContext, server: Server): Promise<string> =>
  new Promise((resolve) => {
    t.after(() => server.close())
    server.listen(0, '127.0.0.1', () => resolve(`127.0.0.1:${(server.address() as AddressInfo).port}`))
  })

test('memory, disk and the speed of a durable write are measured, and nothing is left behind', async (t) => {
  const path = folder(t)
  assert((await probes.memoryFreeBytes()) > 1e6)
  assert((await probes.diskFreeBytes(path)) > 1e6)
  assert((await probes.diskFreeBytes(join(path, 'not', 'yet'))) > 1e6)
  assert((await probes.durableWriteMs(path)) > 0)
  assert.deepEqual(readdirSync(path), [])
})

test('a folder is absent, usable, open to others, or not a folder', async (t) => {
  const path = folder(t)
  assert.equal(await probes.folder(join(path, 'none')), undefined)
  mkdirSync(join(path, 'data'))
  chmodSync(join(path, 'data'), 0o700)
  assert.deepEqual(await probes.folder(join(path, 'data')), { writable: true, mode: 0o700 })
  chmodSync(join(path, 'data'), 0o755)
  assert.equal((await probes.folder(join(path, 'data')))?.mode, 0o755)
  writeFileSync(join(path, 'file'), '')
  assert.equal((await probes.folder(join(path, 'file')))?.writable, false)
})

test('a place that cannot be written is a fault that names it', async () => {
  await assert.rejects(
    probes.durableWriteMs('/proc/1'),
    (error) => error instanceof Fault && error.code === 'data_unusable',
  )
})

test("an address is free, ours, another program's, or none", async (t) => {
  const ours = await listen(
    t,
    createServer((_, response) => response.writeHead(200, { 'x-request-id': 'req_x' }).end()),
  )
  const web = await listen(
    t,
    createServer((_, response) => response.end()),
  )
  const rude = await listen(
    t,
    createTcpServer((socket) => socket.destroy()),
  )
  assert.equal(await probes.listening(ours), 'headworks')
  assert.equal(await probes.listening(web), 'another')
  assert.equal(await probes.listening(rude), 'another')
  assert.equal(await probes.listening('127.0.0.1:0'), 'nobody')
  await assert.rejects(
    probes.listening('203.0.113.1:4750'),
    (error) => error instanceof Fault && error.code === 'address_invalid',
  )
})

test('the Node of the project is found, and missed elsewhere', async (t) => {
  if (process.platform === 'linux') assert.match((await probes.platformPackage()) ?? '', /^\d+\.\d+\.\d+$/)
  const bare = folder(t)
  writeFileSync(join(bare, 'package.json'), '{}')
  assert.equal(await machineProbes(systemClock, bare).platformPackage(), undefined)
})
