import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ToldApi, type } from '../../tests/kit/terminal.ts'

const ONE = {
  name: 'fast\u001b[31m',
  what: 'latency',
  limit: 2000,
  share: 0.95,
  events: 12_000,
  bad: 300,
  goodShare: 0.975,
  budgetLeft: 0.5,
  burns: [
    { minutes: 5, burn: 20 },
    { minutes: 60, burn: 15.25 },
  ],
  burning: 'fast',
}

test('objectives are shown with what is promised, kept and left', async () => {
  const quiet = { ...ONE, what: 'errors', limit: null, goodShare: null, budgetLeft: null, burns: [], burning: null }
  const cost = { ...ONE, what: 'cost', limit: 50_000_000 }
  const api = new ToldApi({
    'GET /api/objectives': { objectives: [ONE, quiet, cost, { ...ONE, what: 'recall', limit: 0.9 }] },
  })
  const { exit, out } = await type(['objectives'], { api })
  assert.equal(exit, 0)
  const text = out.replace(/ +/g, ' ')
  assert.match(text, /95 % whole answer <= 2000 ms 97\.50 % 300 of 12,000 50\.00 % 15\.25 fast/)
  assert.match(text, /95 % answered - 300 of 12,000 - - -/)
  assert.match(text, /95 % <= \$0\.05/)
  assert.match(text, /95 % recall >= 0\.9/)
  assert.ok(!out.includes('\u001b[31m'))
})

test('without objectives it says where they are declared', async () => {
  const { out } = await type(['objectives'], { api: new ToldApi({ 'GET /api/objectives': { objectives: [] } }) })
  assert.match(out, /under `objectives:`/)
})
