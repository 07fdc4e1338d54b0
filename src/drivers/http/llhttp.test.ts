import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { Duplex } from 'node:stream'
import { describe, test } from 'node:test'
import { BROKEN_BODIES, GOOD, HttpWire, REFUSED, type Seen } from '../../../tests/kit/http-wire.ts'
import { fuzzHttp } from '../../../tests/fuzz/http.ts'

/** The server over llhttp, without a network: every way that bytes can come, and whatever they are. */

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')
const wire = new HttpWire()

test('requests are served alike however their bytes are split', async () => {
  for (const text of [...GOOD, `${GOOD[2]}${GOOD[3]}${GOOD[0]}`]) {
    const whole = bytesOf(text)
    const expected = await wire.serve([whole])
    assert.ok(expected.seen.length > 0 && expected.statuses.every((status) => status === 200), text)
    for (let at = 1; at < whole.length; at++) {
      const served = await wire.serve([whole.subarray(0, at), whole.subarray(at)])
      assert.deepEqual(withoutInvitation(served), withoutInvitation(expected), `${JSON.stringify(text)} split at ${at}`)
    }
    const single = await wire.serve(Array.from(whole, (byte) => Buffer.of(byte)))
    assert.deepEqual(withoutInvitation(single), withoutInvitation(expected), `${JSON.stringify(text)} byte by byte`)
  }
})

/** A client that has begun its body needs none. */
const withoutInvitation = (served: Awaited<ReturnType<HttpWire['serve']>>) => ({
  ...served,
  output: served.output.replace('HTTP/1.1 100 Continue\r\n\r\n', ''),
})

describe('what could be read differently reaches nobody', () => {
  for (const [why, text] of REFUSED)
    test(why, async () => {
      const whole = bytesOf(`${text}GET /smuggled HTTP/1.1\r\nHost: headworks.test\r\n\r\n`)
      const cuts = [0, 1, Math.floor(text.length / 2), text.length - 1, text.length]
      for (const cut of cuts) {
        const { seen, statuses, isClosed } = await wire.serve([whole.subarray(0, cut), whole.subarray(cut)])
        assert.deepEqual([seen, statuses, isClosed], [[], [400], true], `cut at ${cut}`)
      }
    })
  for (const [why, text] of BROKEN_BODIES)
    test(`in a body: ${why}`, async () => {
      const whole = bytesOf(`${text}GET /smuggled HTTP/1.1\r\nHost: headworks.test\r\n\r\n`)
      for (const cut of [0, 80, text.length - 1]) {
        const { seen, isClosed } = await wire.serve([whole.subarray(0, cut), whole.subarray(cut)])
        assert.ok(isClosed || why.startsWith('a credential'), `cut at ${cut}`)
        assert.ok(
          seen.every(
            ({ target, body }) => target !== '/smuggled' || why.startsWith('a credential') || body === 'never',
          ),
        )
        assert.notEqual(seen[0]?.body, 'a', 'a body that was broken was told as whole')
      }
    })
})

test('pipelined requests are answered in their order, however long each takes', async () => {
  const pauses = [30, 0, 20, 0, 0, 10, 0]
  const text = pauses.map((pause, at) => `GET /${at}?${pause} HTTP/1.1\r\nHost: headworks.test\r\n\r\n`).join('')
  let running = 0
  const answer = async ({ target }: Seen): Promise<void> => {
    assert.equal(++running, 1, 'one at a time')
    for (let left = Number(target.split('?')[1]); left > 0; left--)
      await new Promise((resolve) => void setImmediate(resolve))
    running--
  }
  const pieces = [bytesOf(text), ...Array.from({ length: 100 }, () => Buffer.alloc(0))]
  const { output, statuses } = await wire.serve(pieces, answer)
  assert.deepEqual(
    [...output.matchAll(/GET \/(\d)\?/g)].map(([, at]) => Number(at)),
    pauses.map((_, at) => at),
  )
  assert.equal(statuses.length, pauses.length)
})

test('ten thousand pipelined requests do not pile up on the stack', async () => {
  const text = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(10_000)
  const pieces = [bytesOf(text), ...Array.from({ length: 12_000 }, () => Buffer.alloc(0))]
  const { seen } = await wire.serve(pieces)
  assert.equal(seen.length, 10_000)
})

test('what is served is what node:http reads of the same bytes', async () => {
  const theirs = new TheirWire()
  const all = [...GOOD, ...REFUSED.map(([, text]) => text), ...BROKEN_BODIES.map(([, text]) => text)]
  let served = 0
  for (const text of all) {
    const ours = await wire.serve([bytesOf(text)])
    if (ours.seen.length === 0 || ours.statuses[0] !== 200) continue
    const seen = await theirs.serve(bytesOf(text))
    for (const [at, one] of ours.seen.entries()) {
      if (['request_refused', 'body_timeout', 'body_too_large'].includes(one.body)) continue
      assert.deepEqual(one, seen[at], text)
      served++
    }
  }
  assert.ok(served >= GOOD.length)
})

/** `node:http` over the same kind of wire. */
class TheirWire {
  async serve(bytes: Buffer): Promise<Seen[]> {
    const seen: Seen[] = []
    const server = createServer({ requireHostHeader: false, insecureHTTPParser: false })
    server.on('checkContinue', (...both) => server.emit('request', ...both))
    server.on('request', (message, response) => {
      let body = ''
      message.on('data', (piece: Buffer) => (body += piece.toString('latin1')))
      message.on('end', () => {
        const { method = '', url = '' } = message
        const target = url.startsWith('/') ? url : new URL(url).pathname + new URL(url).search
        seen.push({ method, target, headers: message.headers as Seen['headers'], body })
        response.end()
      })
    })
    server.on('clientError', (_, socket) => socket.destroy())
    const socket = new Duplex({ read() {}, write: (_, __, done) => done() })
    server.emit('connection', socket)
    socket.push(bytes)
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => void setImmediate(resolve))
    socket.destroy()
    return seen
  }
}

test('generated requests, mutated and split anywhere, break nothing and smuggle nothing', async (t) => {
  const { cases, served, refused, grownBytes } = await fuzzHttp({ cases: 3_000, seed: 1 })
  assert.ok(served > cases / 20 && refused > cases / 20, `${served} served and ${refused} refused of ${cases}`)
  t.diagnostic(`${cases} cases: ${served} served, ${refused} refused; RSS +${(grownBytes / 2 ** 20).toFixed(0)} MiB`)
})
