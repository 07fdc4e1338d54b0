/** `kill -9` of the real program at random moments, while it answers and while it reads. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_KEY, type HouseOptions, type RunningHouse, startHouse } from '../kit/house.ts'
import { answers, startUpstream, talks } from './upstream.ts'

const ROUNDS = 5
const ASKERS = 8
const AUTH = { authorization: `Bearer ${ADMIN_KEY}` }

interface Seen {
  readonly id: string
  readonly complete: boolean
}

/** Asks until the server is gone; what it learnt of each request. */
async function askUntilGone(url: string, stream: boolean, seen: Seen[]): Promise<void> {
  for (;;) {
    let id = ''
    try {
      const answer = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { ...AUTH, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'm', stream, messages: [{ role: 'user', content: 'Hello?' }] }),
      })
      id = answer.headers.get('x-request-id') ?? ''
      const text = await answer.text()
      seen.push({
        id,
        complete: answer.status === 200 && (stream ? text.endsWith('data: [DONE]\n\n') : text.endsWith('}')),
      })
    } catch {
      if (id !== '') seen.push({ id, complete: false })
      return
    }
  }
}

async function outcomeOf(url: string, id: string): Promise<string | undefined> {
  const found = await fetch(`${url}/api/traces/${id}`, { headers: AUTH })
  return found.status === 200 ? ((await found.json()) as { body: { outcome?: string } }).body.outcome : undefined
}

test('after kill -9 every complete answer is on record, and what it cut off is closed once', async (t) => {
  const upstream = await startUpstream()
  t.after(() => upstream.stop())
  const options: HouseOptions = {
    documents: {},
    config: {
      engines: { up: { kind: 'openai', url: upstream.url } },
      models: { m: { deployments: [{ engine: 'up', model: 'weights' }] } },
    },
  }
  let house: RunningHouse = await startHouse(options)
  let complete = 0
  let interrupted = 0
  for (let round = 0; round < ROUNDS; round++) {
    const seen: Seen[] = []
    upstream.behave((response, body) => (Math.random() < 0.2 ? talks : answers)(response, body))
    const asking = Array.from({ length: ASKERS }, (_, at) => askUntilGone(house.url, at % 2 === 0, seen))
    await sleep(150 + Math.random() * 300)
    await house.kill()
    await Promise.all(asking)
    house = await startHouse({ ...options, folder: house.folder })
    for (const { id, complete: whole } of seen) {
      const outcome = await outcomeOf(house.url, id)
      if (whole) {
        assert.equal(outcome, 'answered', `${id} was answered in full before the kill`)
        complete++
      } else if (outcome === 'interrupted') interrupted++
      else assert.ok(outcome !== undefined, `${id} had begun to answer and left no record`)
    }
  }
  await house.stop()
  assert.ok(
    complete > ROUNDS && interrupted > 0,
    `the kills met ${complete} complete answers and ${interrupted} open ones`,
  )
  t.diagnostic(
    `${ROUNDS} kills: ${complete} complete answers all on record, ${interrupted} open ones closed as interrupted`,
  )
})

test('after kill -9 while it reads, the run goes on: every document once, none half', async (t) => {
  const documents = Object.fromEntries(
    Array.from({ length: 300 }, (_, at) => [
      `${at}.md`,
      `# Ship ${at}\n\nThe ship number ${at} carries ${at * 7} barrels.\n\n${'She sails with the tide and returns with the wind. '.repeat(400)}`,
    ]),
  )
  let folder: string | undefined
  for (let round = 0; round < 3; round++) {
    // Waits for the listener alone, so that the kill falls into the reading.
    const house = await startHouse({ documents, untilRead: false, ...(folder === undefined ? {} : { folder }) })
    await sleep(100 + Math.random() * 400)
    await house.kill()
    folder = house.folder
  }
  const house = await startHouse({ documents, ...(folder === undefined ? {} : { folder }) })
  t.after(() => house.stop())
  const found = await fetch(`${house.url}/api/collections/handbook`, { headers: AUTH })
  assert.equal(((await found.json()) as { documents: number }).documents, 300)
  for (const at of [0, 150, 299]) {
    const answer = await fetch(`${house.url}/api/collections/handbook/search`, {
      method: 'POST',
      headers: AUTH,
      body: JSON.stringify({ query: `ship number ${at} barrels`, k: 100 }),
    })
    const { passages } = (await answer.json()) as { passages: { uri: string; text: string }[] }
    assert.equal(passages.filter(({ text }) => text.includes(`number ${at} carries`)).length, 1)
  }
})
