/** headworks.yaml changing under the real program. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_KEY, startHouse } from '../kit/house.ts'

const AUTH = { authorization: `Bearer ${ADMIN_KEY}` }
const SEEN_MS_MAX = 15_000
const POLL_MS = 50

const withModel = (name: string) => ({
  models: { [name]: { deployments: [{ engine: 'reader', model: 'reader' }] } },
})

async function models(url: string): Promise<string[]> {
  const answer = await fetch(`${url}/v1/models`, { headers: AUTH })
  return ((await answer.json()) as { data: { id: string }[] }).data.map(({ id }) => id)
}

async function untilThere(what: string, isThere: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; !(await isThere()); waited += POLL_MS) {
    if (waited > SEEN_MS_MAX) assert.fail(`${what} did not come within ${SEEN_MS_MAX} ms`)
    await sleep(POLL_MS)
  }
}

test('changes of the file take turns, the last one stands, and one that is wrong changes nothing', async (t) => {
  const house = await startHouse({ documents: { 'a.md': '# A\n\nApples.' }, config: withModel('first') })
  t.after(() => house.stop())
  for (const name of ['second', 'third', 'fourth']) {
    house.configure(withModel(name))
    await sleep(POLL_MS)
  }
  await untilThere('the last change', async () => (await models(house.url)).includes('fourth'))
  assert.deepEqual((await models(house.url)).toSorted(), ['docs', 'fourth', 'lexical', 'reader'])

  house.configure({ modles: {} })
  await sleep(500) // Longer than the file must be quiet before it is read.
  assert.ok((await models(house.url)).includes('fourth'))
  house.configure({ ...withModel('fifth'), workflows: { more: { collection: 'handbook', model: 'fifth' } } })
  await untilThere('what comes after a refused change', async () => (await models(house.url)).includes('more'))

  const answer = await fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { ...AUTH, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'more', messages: [{ role: 'user', content: 'Apples?' }] }),
  })
  assert.equal(answer.status, 200)
})

test('a stop in the middle of a change ends in order', async () => {
  const house = await startHouse({ documents: { 'a.md': '# A\n\nApples.' }, config: withModel('first') })
  house.configure(withModel('second'))
  await sleep(160) // About when the file is read.
  await house.stop()
})
