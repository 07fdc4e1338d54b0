import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { systemClock as clock } from '../../base/clock.ts'
import { Fault, Refusal } from '../../base/errors.ts'
import { GuardedFetcher } from './fetcher.ts'

const get = (fetcher: GuardedFetcher, url: string) =>
  fetcher.get(url, { bytesMax: 1_000, signal: new AbortController().signal })

test('addresses that are not public are not called, however they are written', async () => {
  const fetcher = new GuardedFetcher({ clock, privateHosts: new Set() })
  for (const host of [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.1',
    'localhost',
    '10.0.0.1',
    '192.168.1.1',
    '172.16.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:a9fe:a9fe]',
    '[fe80::1]',
    '[fd00::1]',
    '[ff02::1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
  ]) {
    const answer = await get(fetcher, `http://${host}:9/`)
    assert.ok(answer instanceof Refusal && answer.code === 'source_unreadable', host)
    assert.ok((await fetcher.check(new URL(`http://${host}/`).hostname)) instanceof Refusal, host)
  }
  await fetcher.close()
})

test('a host the configuration allows is called, and no other on the way', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/') response.end('here')
    else response.writeHead(302, { location: request.url === '/other' ? `http://127.0.0.2:${port}/` : '/' }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const fetcher = new GuardedFetcher({ clock, privateHosts: new Set(['localhost', '127.0.0.1']) })
  const answer = await get(fetcher, `http://localhost:${port}/again`)
  assert.ok(!(answer instanceof Refusal))
  assert.deepEqual(
    [answer.status, Buffer.from(answer.bytes).toString(), answer.url],
    [200, 'here', `http://localhost:${port}/`],
  )
  const other = await get(fetcher, `http://127.0.0.1:${port}/other`)
  assert.ok(other instanceof Refusal && /not public/.test(String(other.details['reason'])))
  server.closeAllConnections()
  server.close()
  await assert.rejects(
    get(fetcher, `http://127.0.0.1:${port}/`),
    (thrown) => thrown instanceof Fault && thrown.code === 'source_unavailable',
  )
  await fetcher.close()
})
