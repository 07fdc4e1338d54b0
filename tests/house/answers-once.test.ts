/** Answers that are given again: real processes on one store, killed and started again. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ADMIN_KEY, type RunningHouse, startHouse } from '../kit/house.ts'
import { startUpstream, type Upstream } from './upstream.ts'

const GATEWAYS = ['gateway-1', 'gateway-2']
const ASKERS = 12

describe('two gateways on one store', () => {
  let upstream: Upstream
  let house: RunningHouse
  const options = () => ({
    documents: {},
    config: {
      gateways: GATEWAYS.length,
      engines: { up: { kind: 'openai', url: upstream.url } },
      models: { m: { deployments: [{ engine: 'up', model: 'weights' }], cache: { ttlMs: 600_000 } } },
    },
  })
  before(async () => {
    upstream = await startUpstream()
    house = await startHouse(options())
  })
  after(async () => {
    await house.stop()
    await upstream.stop()
  })

  const post = (path: string, body: object, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${house.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_KEY}`, connection: 'close', ...headers },
      body: JSON.stringify(body),
    })
  const ask = async (headers: Record<string, string>) => {
    const answer = await post(
      '/v1/chat/completions',
      { model: 'm', messages: [{ role: 'user', content: 'x' }] },
      headers,
    )
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  }

  test('call once for one Idempotency-Key, and say the same after kill -9', async () => {
    const key = { 'idempotency-key': 'order-118', 'cache-control': 'no-store' }
    const all = await Promise.all(Array.from({ length: ASKERS }, () => ask(key)))
    assert.deepEqual([upstream.asked, new Set(all.map(({ text }) => text)).size, all[0]?.status], [1, 1, 200])
    await house.kill()
    house = await startHouse({ ...options(), folder: house.folder })
    const again = await ask(key)
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed'), upstream.asked], [all[0]?.text, 'true', 1])
  })

  test('forget their cached answers together', async () => {
    const states = new Map<string, string | null>()
    while (states.size < GATEWAYS.length) {
      const { headers } = await ask({})
      states.set(headers.get('x-headworks-node') ?? '', headers.get('x-headworks-cache'))
    }
    const purged = (await (await post('/api/cache/purge', { model: 'm' })).json()) as { purged: number }
    assert.equal(purged.purged, GATEWAYS.length)
    assert.equal((await ask({})).headers.get('x-headworks-cache'), 'miss')
  })
})
