import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_KEY, type RunningHouse, startHouse } from '../kit/house.ts'
import { startMeteredEngine } from './metered-engine.ts'
import { drill } from './overspend.ts'

test('no budget is overspent by many streams over two gateways that are killed', async () => {
  const { budgets, concurrentMax, concurrentLimit, kills, answered, refused } = await drill({
    streams: 60,
    kills: 4,
    seed: 7,
  })
  assert.equal(kills, 4)
  assert.ok(answered > 50 && refused > 50, `${answered} answered, ${refused} refused`)
  for (const { name, limit, used, posted } of budgets) {
    assert.ok(used <= limit, `${name}: ${used} used of ${limit}`)
    assert.ok(used <= posted && posted <= limit, `${name}: ${used} used, ${posted} in the books, ${limit} allowed`)
  }
  assert.ok(concurrentMax <= concurrentLimit, `${concurrentMax} at the same time, ${concurrentLimit} allowed`)
})

test('a house that is killed as a whole finds in its books what its engine used', async () => {
  const engine = await startMeteredEngine(3)
  const config = {
    engines: { metered: { kind: 'openai', url: engine.url } },
    models: {
      m: {
        outputTokensMax: 200,
        deployments: [{ engine: 'metered', model: 'weights', templateTokensMax: 16 }],
      },
    },
    budgets: [{ id: 'all', scope: 'global', window: 'lifetime', limit: { tokens: 100_000 } }],
  }
  const used = (): number => [...engine.truth.tokens.values()].reduce((sum, tokens) => sum + tokens, 0)
  let house = await startHouse({ documents: {}, untilRead: false, config })
  try {
    for (let life = 0; life < 3; life++) {
      const streams = Array.from({ length: 20 }, (_, at) => stream(house, `user-${at}`))
      const before = used()
      while (used() < before + 500) await sleep(5)
      await house.kill()
      await Promise.all(streams)
      house = await startHouse({ folder: house.folder, documents: {}, untilRead: false, config })
      const posted = await postedOf(house, 'all')
      assert.ok(used() <= posted && posted <= 100_000, `life ${life}: ${used()} used, ${posted} in the books`)
    }
    assert.equal((await stream(house, 'user-1')).slice(-14), 'data: [DONE]\n\n', 'and there is some left')
  } finally {
    await house.stop()
    await engine.stop()
  }
})

const headers = { authorization: `Bearer ${ADMIN_KEY}`, connection: 'close' }

/** What of it arrived. */
async function stream({ url }: RunningHouse, user: string): Promise<string> {
  const body = JSON.stringify({ model: 'm', user, stream: true, messages: [{ role: 'user', content: 'Go on.' }] })
  return fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body })
    .then((answer) => answer.text())
    .catch(() => '')
}

async function postedOf({ url }: RunningHouse, budget: string): Promise<number> {
  const found = (await (await fetch(`${url}/api/budgets/${budget}/accounts`, { headers })).json()) as {
    accounts: { posted: number; leased: number }[]
  }
  return found.accounts.reduce((sum, { posted, leased }) => sum + posted + leased, 0)
}
