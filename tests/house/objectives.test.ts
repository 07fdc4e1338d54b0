/** Objectives of the real program: what several gateways answered and failed counts once, also after
 *  all of them were killed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADMIN_KEY, startHouse } from '../kit/house.ts'
import { answers, startUpstream } from './upstream.ts'

const CALLS = 8
const AUTH = { authorization: `Bearer ${ADMIN_KEY}` }

test('objectives count what several gateways answered and failed, once, also after a kill', async (t) => {
  const upstream = await startUpstream()
  t.after(() => upstream.stop())
  upstream.behave(answers)
  const config = {
    gateways: 2,
    engines: { up: { kind: 'openai', url: upstream.url }, gone: { kind: 'openai', url: 'http://127.0.0.1:1' } },
    models: {
      m: { deployments: [{ engine: 'up', model: 'weights' }] },
      broken: { deployments: [{ engine: 'gone', model: 'weights' }] },
    },
    objectives: {
      answered: { what: 'errors', share: 0.95 },
      m: { what: 'errors', share: 0.99, match: { model: 'm' } },
      slow: { what: 'latency', underMs: 60_000, share: 0.95 },
    },
  }
  let house = await startHouse({ documents: {}, config })
  t.after(() => house.stop())
  for (let call = 0; call < CALLS; call++)
    for (const model of ['m', 'broken']) {
      const answer = await fetch(`${house.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { ...AUTH, 'content-type': 'application/json' },
        body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hello' }] }),
      })
      assert.equal(answer.ok, model === 'm')
      await answer.text()
    }
  const told = async () => {
    const answer = await fetch(`${house.url}/api/objectives`, { headers: AUTH })
    const { objectives } = (await answer.json()) as {
      readonly objectives: readonly { readonly [name: string]: unknown }[]
    }
    return objectives.map(({ name, events, bad, burning }) => [name, events, bad, burning])
  }
  // Half of them failed, ten times what is allowed.
  const expected = [
    ['answered', 2 * CALLS, CALLS, 'slow'],
    ['m', CALLS, 0, null],
    ['slow', CALLS, 0, null],
  ]
  assert.deepEqual(await told(), expected)
  await house.kill()
  house = await startHouse({ documents: {}, config, folder: house.folder })
  assert.deepEqual(await told(), expected)
})
