import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Handler, Reply } from '../src/base/http.ts'
import { Dice } from './dice.ts'
import { Connection, type Upload } from './incoming.ts'
import { Kernel } from './kernel.ts'
import { Life } from './life.ts'
import { Outgoing, type Server, type ServerSide } from './outgoing.ts'
import { type Packet, Pipe } from './pipe.ts'

const bytesOf = (packets: readonly Packet[]): string =>
  Buffer.concat(packets.flatMap((packet) => (packet.kind === 'data' ? [packet.bytes] : []))).toString()
const kindsOf = (packets: readonly Packet[]): string => [...new Set(packets.map((packet) => packet.kind))].join(' ')
const livingOn = (kernel: Kernel): Life =>
  new Life(kernel, { number: 0, crashAtEffect: Infinity, skewMs: 0, onCrash: () => {} })

test('a pipe delivers every byte in order, wherever it cuts, and its end last', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.array(fc.string({ minLength: 1, maxLength: 200 }), { minLength: 1, maxLength: 12 }),
      async (seed, texts) => {
        const kernel = new Kernel(seed)
        const seen: Packet[] = []
        const pipe = new Pipe(kernel, new Dice(seed), 'pipe', 3, (packet) => seen.push(packet))
        for (const text of texts) pipe.send({ kind: 'data', bytes: Buffer.from(text) })
        pipe.send({ kind: 'end' })
        await kernel.run(10_000)
        assert.equal(bytesOf(seen), texts.join(''))
        assert.equal(seen.at(-1)?.kind, 'end')
        assert.equal(pipe.bufferedBytes, 0)
      },
    ),
    { numRuns: 60 },
  )
})

test('a reset may swallow what was on its way, never reorder it, and is the last thing heard', async () => {
  const lengths = new Set<number>()
  for (let seed = 0; seed < 60; seed++) {
    const kernel = new Kernel(seed)
    const seen: Packet[] = []
    const pipe = new Pipe(kernel, new Dice(seed), 'pipe', 3, (packet) => seen.push(packet))
    for (const text of ['one ', 'two ', 'three ']) pipe.send({ kind: 'data', bytes: Buffer.from(text) })
    pipe.send({ kind: 'end' })
    pipe.reset('ECONNRESET')
    await kernel.run(1000)
    assert.ok('one two three '.startsWith(bytesOf(seen)))
    assert.equal(seen.at(-1)?.kind, 'reset')
    assert.ok(!kindsOf(seen).includes('end'))
    lengths.add(bytesOf(seen).length)
  }
  assert.ok(lengths.size >= 3, 'it swallows now more, now less')
})

test('a paused pipe holds everything back, a closed one drops it', async () => {
  const kernel = new Kernel(1)
  const seen: Packet[] = []
  const pipe = new Pipe(kernel, new Dice(1), 'pipe', 3, (packet) => seen.push(packet))
  pipe.pause()
  pipe.send({ kind: 'data', bytes: Buffer.from('later') })
  await kernel.run(100)
  assert.deepEqual([seen.length, pipe.bufferedBytes], [0, 5])
  pipe.resume()
  await kernel.run(100)
  assert.equal(bytesOf(seen), 'later')
  pipe.send({ kind: 'data', bytes: Buffer.from('never') })
  pipe.close()
  await kernel.run(100)
  assert.equal(bytesOf(seen), 'later')
})

function exchangeWith(
  server: Server,
  steps: (abort: () => void, kernel: Kernel) => void = () => {},
): Promise<string[]> {
  const kernel = new Kernel(5)
  const outgoing = new Outgoing(kernel, new Dice(5), () => server)
  const heard: string[] = []
  const exchange = outgoing.client(livingOn(kernel)).start(
    { method: 'POST', url: 'http://engine.test/', headers: {}, body: '{}', connectTimeoutMs: 70 },
    {
      head: (status) => heard.push(`head ${status}`),
      data: (bytes) => heard.push(Buffer.from(bytes).toString()),
      end: () => heard.push('end'),
      fail: (cause) => heard.push(`fail ${cause.message} at ${kernel.nowMs}`),
    },
  )
  steps(() => exchange.abort(), kernel)
  return kernel.run(1000).then(() => heard)
}

test('an exchange with a server: answered, refused, timed out', async () => {
  const accept = (side: ServerSide): void => {
    side.head(200, {})
    side.data(Buffer.from('hello'))
    side.end()
  }
  const answered = await exchangeWith({ connect: () => 'ok', accept })
  assert.equal(answered[0], 'head 200')
  assert.equal(answered.slice(1, -1).join(''), 'hello')
  assert.equal(answered.at(-1), 'end')
  assert.match((await exchangeWith({ connect: () => 'refused', accept })).join(), /^fail ECONNREFUSED/)
  assert.equal((await exchangeWith({ connect: () => 'timeout', accept })).join(), 'fail UND_ERR_CONNECT_TIMEOUT at 70')
})

test('after an abort the house hears nothing more, and the server is told', async () => {
  let gone = 0
  const accept = (side: ServerSide): void => {
    side.head(200, {})
    side.onGone(() => gone++)
  }
  const heard = await exchangeWith({ connect: () => 'ok', accept }, (abort, kernel) =>
    kernel.after(300, 'abort', abort),
  )
  assert.deepEqual(heard, ['head 200'])
  assert.equal(gone, 1)
})

const UPLOAD: Upload = { method: 'POST', target: '/', headers: {}, body: Buffer.from('question'), fate: 'arrives' }

async function connect(
  upload: Upload,
  handler: Handler,
  more: (connection: Connection, kernel: Kernel) => void = () => {},
): Promise<{ seen: Packet[]; broken: string | undefined }> {
  const kernel = new Kernel(9)
  const seen: Packet[] = []
  const connection = new Connection(kernel, new Dice(9), 'caller', livingOn(kernel), upload, (packet) =>
    seen.push(packet),
  )
  connection.open(handler)
  more(connection, kernel)
  const { violation } = await kernel.run(5000)
  return { seen, broken: violation?.invariant }
}

test('a caller sends its body and hears the reply; a house that is down refuses', async () => {
  const { seen } = await connect(UPLOAD, (request, reply) => {
    void request.body(100).then((body) => {
      reply.head(200, {})
      reply.end(`you asked: ${Buffer.from(body).toString()}`)
    })
  })
  assert.equal(bytesOf(seen), 'you asked: question')
  const down = new Kernel(1)
  const heard: Packet[] = []
  new Connection(down, new Dice(1), 'caller', livingOn(down), UPLOAD, (packet) => heard.push(packet)).open(undefined)
  await down.run(100)
  assert.equal(kindsOf(heard), 'reset')
})

test('a body that is too large, stalls or breaks off rejects with its code', async () => {
  const codes: unknown[] = []
  const note = (thrown: { code: string }): unknown => codes.push(thrown.code)
  await connect(UPLOAD, (request) => void request.body(3).catch(note))
  await connect({ ...UPLOAD, fate: 'stalls' }, (request) => void request.body(100).catch(note))
  await connect({ ...UPLOAD, fate: 'breaks' }, (request) => void request.body(100).catch(note))
  assert.deepEqual(codes, ['body_too_large', 'body_timeout', 'request_refused'])
})

test('`write` says stop to a caller who does not read, and drain when it reads on', async () => {
  const log: string[] = []
  const flood = (reply: Reply): void => {
    reply.head(200, {})
    let sent = 0
    while (reply.write('x'.repeat(100))) sent++
    log.push(`stopped after ${sent > 200 ? 'too many' : 'some'}`)
    reply.onDrain(() => log.push('drain'))
  }
  await connect(
    UPLOAD,
    (_, reply) => flood(reply),
    (connection, kernel) => {
      connection.stopReading()
      kernel.after(50, 'reads on', () => (log.push('reads'), connection.goOnReading()))
    },
  )
  assert.deepEqual(log, ['stopped after some', 'reads', 'drain'])
})

test('misuse of a reply is noticed: head twice, write after end, end before head', async () => {
  const misuses: ((reply: Reply) => void)[] = [
    (reply) => (reply.head(200, {}), reply.head(200, {})),
    (reply) => (reply.head(200, {}), reply.end(), reply.write('more')),
    (reply) => reply.end(),
    (reply) => (reply.head(200, {}), reply.end(), reply.end()),
  ]
  for (const misuse of misuses) {
    assert.equal((await connect(UPLOAD, (_, reply) => misuse(reply))).broken, 'the reply is used as its port says')
  }
})

test('the house is told once that a caller left, and not when it had everything', async () => {
  let gone = 0
  await connect(
    UPLOAD,
    (_, reply) => reply.onGone(() => gone++),
    (connection, kernel) => kernel.after(5, 'leave', () => (connection.leave(), connection.leave())),
  )
  assert.equal(gone, 1)
  await connect(
    UPLOAD,
    (_, reply) => (reply.onGone(() => gone++), reply.head(204, {}), reply.end()),
    (connection, kernel) => kernel.after(1000, 'leave', () => connection.leave()),
  )
  assert.equal(gone, 1)
})
