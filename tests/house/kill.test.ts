/** `kill -9` of the real program at random moments, while it answers and while it reads. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_KEY, type HouseOptions, type RunningHouse, startHouse } from '../kit/house.ts'
import { answers, startUpstream, talks } from './upstream.ts'

const ROUNDS = 5
const ASKERS = 8
const GATEWAY_KILLS = 5
const POLL_MS = 20
const PATIENCE_MS = 400
/** A connection for each request: one that is kept may be to a process that is dead by now. */
const AUTH = { authorization: `Bearer ${ADMIN_KEY}`, connection: 'close' }

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

/** Asks until told to stop, whoever dies meanwhile, and leaves an answer that does not end; what it learnt of each request. */
async function askUntil(url: string, stream: boolean, seen: Seen[], stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted) {
    let id = ''
    try {
      const answer = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: AUTH,
        body: JSON.stringify({ model: 'm', stream, messages: [{ role: 'user', content: 'Hello?' }] }),
        signal: AbortSignal.any([stopped, AbortSignal.timeout(PATIENCE_MS)]),
      })
      id = answer.headers.get('x-request-id') ?? ''
      const text = await answer.text()
      const complete = answer.status === 200 && text.endsWith(stream ? 'data: [DONE]\n\n' : '}')
      seen.push({ id, complete })
    } catch {
      if (id !== '') seen.push({ id, complete: false })
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

test('while gateways are killed again and again every complete answer is on record, and nothing stays open', async (t) => {
  const upstream = await startUpstream()
  t.after(() => upstream.stop())
  const house = await startHouse({
    documents: {},
    config: {
      gateways: 2,
      engines: { up: { kind: 'openai', url: upstream.url } },
      models: { m: { deployments: [{ engine: 'up', model: 'weights' }] } },
    },
  })
  t.after(() => house.stop())
  const gateways = async () => {
    const found = await fetch(`${house.url}/api/status`, { headers: AUTH })
    return ((await found.json()) as { gateways: { pid: number | null; restarts: number }[] }).gateways
  }
  upstream.behave((response, body) => (Math.random() < 0.2 ? talks : answers)(response, body))
  const seen: Seen[] = []
  const stop = new AbortController()
  const asking = Array.from({ length: ASKERS }, (_, at) => askUntil(house.url, at % 2 === 0, seen, stop.signal))
  for (let kill = 1; kill <= GATEWAY_KILLS + 1; kill++) {
    await sleep(50 + Math.random() * 150)
    for (let waited = 0; ; waited += POLL_MS) {
      const running = await gateways().catch(() => [])
      const restarts = running.reduce((sum, one) => sum + one.restarts, 0)
      const pid = running[Math.floor(Math.random() * running.length)]?.pid ?? undefined
      if (restarts === kill - 1 && pid !== undefined) {
        if (kill <= GATEWAY_KILLS) process.kill(pid, 'SIGKILL')
        break
      }
      assert.ok(waited < 20_000, `after ${kill - 1} kills there were ${restarts} restarts`)
      await sleep(POLL_MS)
    }
  }
  stop.abort()
  await Promise.all(asking)
  const outcomes = new Map<string, number>()
  for (const { id, complete } of seen) {
    // What the clients left a moment ago is being closed.
    let outcome = await outcomeOf(house.url, id)
    for (let waited = 0; outcome === undefined; waited += POLL_MS) {
      assert.ok(waited < 20_000, `${id} stays open`)
      await sleep(POLL_MS)
      outcome = await outcomeOf(house.url, id)
    }
    if (complete) assert.equal(outcome, 'answered', `${id} was answered in full`)
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  assert.ok((outcomes.get('answered') ?? 0) > GATEWAY_KILLS && (outcomes.get('interrupted') ?? 0) > 0)
  t.diagnostic(`${GATEWAY_KILLS} kills: ${[...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', ')}`)
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
