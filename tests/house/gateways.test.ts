/** Several gateways on one port: real processes, killed, drained, attacked. */
import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_KEY, type RunningHouse, startHouse } from '../kit/house.ts'
import { answers, hangs, startUpstream, talks, type Upstream } from './upstream.ts'

const WAIT_MS_MAX = 20_000
const POLL_MS = 20
const REFUSALS = 40

interface Gateway {
  readonly node: string
  readonly pid: number | null
  readonly restarts: number
}

let upstream: Upstream
let house: RunningHouse

const config = (more: object = {}) => ({
  gateways: 2,
  engines: { up: { kind: 'openai', url: upstream.url } },
  models: { m: { deployments: [{ engine: 'up', model: 'weights' }] } },
  ...more,
})

/** A connection of its own for each, so that either gateway may take it. */
const call = (path: string, init: RequestInit & { readonly key?: string } = {}): Promise<Response> =>
  fetch(`${house.url}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${init.key ?? ADMIN_KEY}`, connection: 'close', ...init.headers },
  })

const ask = (model: string, stream = false, more: RequestInit & { readonly key?: string } = {}): Promise<Response> =>
  call('/v1/chat/completions', {
    method: 'POST',
    body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'What does tea need?' }] }),
    ...more,
  })

const nodeOf = (answer: Response): string => answer.headers.get('x-headworks-node') ?? ''

const status = async () =>
  (await (await call('/api/status')).json()) as { readonly inFlight: number; readonly gateways: readonly Gateway[] }

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const began = performance.now()
  while (!(await isSo())) {
    assert.ok(performance.now() - began < WAIT_MS_MAX, `${what}: not within ${WAIT_MS_MAX} ms`)
    await sleep(POLL_MS)
  }
}

/** Asks over new connections until every gateway has answered. */
async function untilAll(nodes: readonly string[], check: (answer: Response) => void | Promise<void>): Promise<void> {
  const missing = new Set(nodes)
  await until(`answers of ${nodes.join(' and ')}`, async () => {
    const answer = await ask('m')
    missing.delete(nodeOf(answer))
    await check(answer)
    return missing.size === 0
  })
}

const outcomeOf = async (id: string): Promise<string | undefined> => {
  const found = await call(`/api/traces/${id}`)
  return found.status === 200 ? ((await found.json()) as { body: { outcome?: string } }).body.outcome : undefined
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

const BOTH = ['gateway-1', 'gateway-2']

describe('two gateways on one port', () => {
  before(async () => {
    upstream = await startUpstream()
    house = await startHouse({
      documents: { 'tea.md': '# Tea\n\nTea needs two minutes.\n' },
      config: config(),
    })
  })
  after(async () => {
    await house?.stop()
    await upstream?.stop()
  })

  test('both answer, whole, streamed and from documents', async () => {
    upstream.behave(answers)
    await untilAll(BOTH, async (answer) => {
      assert.deepEqual([answer.status, (await answer.text()).includes('All is well.')], [200, true])
    })
    const nodes = new Set<string>()
    await until('a stream and a workflow of each', async () => {
      const streamed = await ask('m', true)
      assert.ok((await streamed.text()).endsWith('data: [DONE]\n\n'))
      const found = await ask('docs')
      assert.match(await found.text(), /Tea needs two minutes/)
      nodes.add(`streamed ${nodeOf(streamed)}`).add(`found ${nodeOf(found)}`)
      return nodes.size === 4
    })
    const listed = await status()
    assert.deepEqual(
      listed.gateways.map(({ node, restarts }) => [node, restarts]),
      BOTH.map((node) => [node, 0]),
    )
    assert.match(house.said(), /listening on \S+ with 2 gateways/)
  })

  test('a request that is answered there is in the one journal, under its key and node', async () => {
    const answer = await ask('m')
    await answer.text()
    const found = await call(`/api/traces/${answer.headers.get('x-request-id')}`)
    const { body } = (await found.json()) as { body: { node: string; outcome: string } }
    assert.deepEqual([body.node, body.outcome], [nodeOf(answer), 'answered'])
  })

  test('the console, the control plane and health come from the main process', async () => {
    for (const path of ['/healthz', '/readyz', '/', '/api/status', '/api/openapi.json']) {
      const answer = await call(path)
      await answer.text()
      assert.deepEqual([answer.status, nodeOf(answer)], [200, 'gateway-0'], path)
    }
    assert.equal((await fetch(`${house.url}/v1/models`)).status, 401)
  })

  test('in flight is the sum of all processes', async () => {
    upstream.behave(hangs)
    const leave = new AbortController()
    const asked = Array.from({ length: 6 }, () => ask('m', true, { signal: leave.signal }).catch(() => undefined))
    await until('six in flight', async () => (await status()).inFlight === 6)
    leave.abort()
    await Promise.all(asked)
    await until('none in flight', async () => (await status()).inFlight === 0)
    upstream.behave(answers)
  })

  test('a new key works at once, and a revoked one is refused by every gateway before long', async (t) => {
    const made = await call('/api/keys', { method: 'POST', body: JSON.stringify({ name: 'app' }) })
    const { id, key } = (await made.json()) as { id: string; key: string }
    assert.equal((await ask('m', false, { key })).status, 200)
    const known = new Set<string>()
    await until('the key is known to both', async () => {
      known.add(nodeOf(await ask('m', false, { key })))
      return BOTH.every((node) => known.has(node))
    })
    assert.equal((await call(`/api/keys/${id}`, { method: 'DELETE' })).status, 200)
    const began = performance.now()
    let lastTakenMs = 0
    // Whoever refuses it is the main process; so many in a row that both gateways were asked.
    for (let refused = 0; refused < REFUSALS;) {
      const answer = await ask('m', false, { key })
      await answer.text()
      assert.ok(answer.status === 200 || answer.status === 401)
      refused = answer.status === 401 ? refused + 1 : 0
      if (refused === 0) lastTakenMs = performance.now() - began
      assert.ok(performance.now() - began < WAIT_MS_MAX, 'it is taken still')
    }
    t.diagnostic(`taken last ${lastTakenMs.toFixed(0)} ms after the revocation (aim: 1000)`)
  })

  test('a change of the configuration is in force in every process', async () => {
    house.configure(config({ models: { n: { deployments: [{ engine: 'up', model: 'weights' }] } } }))
    await until('the new model is there', async () => (await ask('n')).status === 200)
    for (let at = 0; at < 20; at++) assert.equal((await ask('m')).status, 404)
    house.configure(config({ gateways: 3 }))
    await until('the old model is back', async () => (await ask('m')).status === 200)
    await until('the restart is named', async () => /next start: gateways/.test(house.said()))
    assert.equal((await status()).gateways.length, 2)
    for (let at = 0; at < 20; at++) assert.equal((await ask('m')).status, 200)
  })

  test('of a gateway that is killed the other takes over; what it had open is closed, what it acknowledged stays', async () => {
    upstream.behave(talks)
    const open = await Promise.all(Array.from({ length: 8 }, () => ask('m', true)))
    const complete: string[] = []
    upstream.behave(answers)
    for (let at = 0; at < 10; at++) {
      const answer = await ask('m')
      await answer.text()
      complete.push(answer.headers.get('x-request-id') ?? '')
    }
    const victim = nodeOf(open[0]!)
    const before = (await status()).gateways.find(({ node }) => node === victim)
    process.kill(before?.pid ?? 0, 'SIGKILL')
    // No pause: somebody answers all the while, and a request that nobody had begun to answer is not lost.
    for (let at = 0; at < 20; at++) assert.equal((await ask('m')).status, 200)
    await until(`${victim} is there again`, async () => {
      const now = (await status()).gateways.find(({ node }) => node === victim)
      return now !== undefined && now.pid !== null && now.pid !== before?.pid && now.restarts === 1
    })
    for (const answer of open) {
      const id = answer.headers.get('x-request-id') ?? ''
      if (nodeOf(answer) === victim) {
        await assert.rejects(answer.text())
        assert.equal(await outcomeOf(id), 'interrupted')
      } else {
        assert.equal(await outcomeOf(id), undefined, 'the other goes on')
        await answer.body?.cancel()
        await until('the other ends by its own', async () => (await outcomeOf(id)) === 'cancelled')
      }
    }
    for (const id of complete) assert.equal(await outcomeOf(id), 'answered')
    await untilAll([victim], (answer) => assert.equal(answer.status, 200))
  })

  test('while none of them runs a request waits, and is answered', async () => {
    const before = (await status()).gateways
    for (const { pid } of before) process.kill(pid ?? 0, 'SIGKILL')
    assert.equal((await ask('m')).status, 200)
    await until('both are there again', async () =>
      (await status()).gateways.every(
        ({ pid, restarts }, at) => pid !== null && restarts === (before[at]?.restarts ?? 0) + 1,
      ),
    )
  })

  describe('attacked', () => {
    /** Sends bytes to a gateway, over TCP, as they are. */
    const raw = (lines: readonly string[], body = ''): Promise<string> => {
      const { hostname, port } = new URL(house.url)
      return exchange(() => connect(Number(port), hostname), lines, body)
    }
    /** ... and to the socket behind them, as another program of this user could. */
    const inner = (lines: readonly string[], body = ''): Promise<string> =>
      exchange(() => connect(join(house.folder, 'data', 'inner.sock')), lines, body)

    function exchange(open: () => ReturnType<typeof connect>, lines: readonly string[], body: string): Promise<string> {
      return new Promise((resolve, reject) => {
        const socket = open()
        let text = ''
        socket.on('connect', () => socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`))
        socket.on('data', (bytes: Buffer) => (text += bytes.toString()))
        socket.on('close', () => resolve(text))
        socket.on('error', reject)
      })
    }

    const host = () => `Host: ${new URL(house.url).host}`
    const statusIn = (text: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1])

    test('the socket behind the gateways is its owner’s alone, and trusts nobody', async () => {
      assert.equal(statSync(join(house.folder, 'data', 'inner.sock')).mode & 0o777, 0o600)
      const paths = ['GET /api/status', 'GET /api/keys', 'POST /api/keys', 'POST /api/login', 'GET /v1/models']
      for (const path of paths) {
        for (const way of [raw, inner]) {
          const text = await way([`${path} HTTP/1.1`, host(), 'Content-Length: 0', 'Connection: close'])
          assert.ok([401, 403].includes(statusIn(text)), `${path}: ${text.slice(0, 200)}`)
        }
      }
      // Not even an administrator's key makes a request local.
      const login = [`POST /api/login HTTP/1.1`, host(), 'Content-Length: 0', 'Connection: close']
      assert.equal(statusIn(await inner([...login, `Authorization: Bearer ${ADMIN_KEY}`])), 403)
      assert.equal(statusIn(await raw([...login, `Authorization: Bearer ${ADMIN_KEY}`])), 403)
    })

    const SMUGGLED: readonly (readonly [string, readonly string[]])[] = [
      ['names of ours', ['x-headworks-node: gateway-0', 'x-headworks-peer: local', 'x-headworks-user: local']],
      ['names of proxies', ['x-forwarded-for: 127.0.0.1', 'x-real-ip: 127.0.0.1', 'forwarded: for=127.0.0.1']],
      ['an empty credential', ['authorization: Bearer ', 'x-api-key: ']],
      ['a credential of another kind', ['authorization: Basic YWRtaW46YWRtaW4=']],
      ['a cookie of ours that is none', ['cookie: headworks_session=local', 'sec-fetch-site: same-origin']],
      ['Connection that names the credential', ['authorization: Bearer x', 'connection: close, authorization']],
      ['an upgrade', ['upgrade: websocket', 'connection: close, upgrade']],
      ['a proxy’s credential', [`proxy-authorization: Bearer ${ADMIN_KEY}`]],
      ['a second credential', [`authorization: Bearer ${ADMIN_KEY}`, 'x-api-key: hw_other']],
    ]
    for (const [what, lines] of SMUGGLED) {
      test(`${what}: no right comes of it`, async () => {
        for (const path of ['/api/keys', '/v1/models']) {
          for (const way of [raw, inner]) {
            const ends = lines.some((line) => line.startsWith('connection')) ? [] : ['Connection: close']
            const text = await way([`GET ${path} HTTP/1.1`, host(), ...ends, ...lines])
            assert.ok([400, 401, 403].includes(statusIn(text)), `${path}: ${text.slice(0, 300)}`)
          }
        }
      })
    }

    test('a session cookie is worth nothing from another site, whatever Connection says', async () => {
      const signed = await call('/api/session', { method: 'POST', body: JSON.stringify({ key: ADMIN_KEY }) })
      const cookie = signed.headers.getSetCookie()[0]?.split(';')[0] ?? ''
      const asked = (...lines: string[]) =>
        raw(['POST /api/keys HTTP/1.1', host(), 'Content-Length: 12', `Cookie: ${cookie}`, ...lines], '{"name":"a"}')
      assert.equal(statusIn(await asked('Connection: close', 'Sec-Fetch-Site: same-origin')), 201)
      for (const lines of [
        ['Connection: close', 'Sec-Fetch-Site: cross-site'],
        ['Connection: close, sec-fetch-site, origin', 'Sec-Fetch-Site: cross-site', 'Origin: http://evil.test'],
        ['Connection: close', 'Origin: http://evil.test'],
        ['Connection: close', `Origin: http://${new URL(house.url).host}.evil.test`],
        ['Connection: close'],
      ])
        assert.equal(statusIn(await asked(...lines)), 403, lines.join(', '))
    })

    test('a second request in the body of a first is not heard', async () => {
      const hidden = `GET /api/keys HTTP/1.1\r\n${host()}\r\nAuthorization: Bearer ${ADMIN_KEY}\r\n\r\n`
      const first = ['POST /api/session HTTP/1.1', host(), 'Connection: close']
      for (const framing of [
        [`Content-Length: ${hidden.length}`],
        ['Transfer-Encoding: chunked', `Content-Length: ${hidden.length}`],
        ['Transfer-Encoding: identity, chunked'],
        ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
        ['Content-Length: 0', `Content-Length: ${hidden.length}`],
      ]) {
        const text = await raw([...first, ...framing], hidden)
        assert.equal(text.match(/HTTP\/1\.1 \d+/g)?.length, 1, text.slice(0, 400))
        assert.doesNotMatch(text, /HTTP\/1\.1 200|"keys"/, framing.join(', '))
      }
    })
  })
})

describe('the end of the main process', () => {
  const started = async () => {
    upstream = await startUpstream()
    house = await startHouse({ documents: {}, config: config(), untilRead: false })
    await untilAll(BOTH, (answer) => assert.equal(answer.status, 200))
    const { gateways } = await status()
    return gateways.map(({ pid }) => pid ?? 0)
  }
  after(() => upstream.stop())

  test('a stop lets answers in flight end, and leaves no process', async () => {
    const pids = await started()
    upstream.behave((response, body) => void setTimeout(() => answers(response, body), 400))
    const asked = Array.from({ length: 10 }, () => ask('m').then((answer) => answer.text()))
    await until('ten in flight', async () => (await status()).inFlight === 10)
    // Ctrl-C reaches the whole group; what it means is for the main process to say.
    for (const pid of pids) process.kill(pid, 'SIGINT')
    await house.stop()
    for (const text of await Promise.all(asked)) assert.match(text, /All is well/)
    assert.deepEqual(pids.filter(isAlive), [])
    await upstream.stop()
  })

  test('a stop while a gateway is being started again ends in order', async () => {
    const pids = await started()
    for (let death = 1; death <= 2; death++) {
      process.kill((await status()).gateways[0]?.pid ?? 0, 'SIGKILL')
      await until('it is started again', async () => (await status()).gateways[0]?.restarts === death)
    }
    const { gateways } = await status()
    process.kill(gateways[0]?.pid ?? 0, 'SIGKILL') // The next start waits a while.
    await house.stop()
    for (const pid of [...pids, ...gateways.map(({ pid }) => pid ?? 0)]) assert.equal(isAlive(pid), false)
    await upstream.stop()
  })

  test('kill -9 of it leaves no process; what was open is closed at the next start', async () => {
    const pids = await started()
    upstream.behave(talks)
    const open = await Promise.all(Array.from({ length: 6 }, () => ask('m', true)))
    const ids = open.map((answer) => answer.headers.get('x-request-id') ?? '')
    await house.kill()
    await until('no process is left', async () => !pids.some(isAlive))
    for (const answer of open) await assert.rejects(answer.text())
    house = await startHouse({ config: config(), folder: house.folder, documents: {} })
    for (const id of ids) assert.equal(await outcomeOf(id), 'interrupted')
    await house.stop()
  })
})
