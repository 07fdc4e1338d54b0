/** What the OpenAI client for Node makes of budgets and rate limits, with the retries it does by itself. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import OpenAI, { RateLimitError } from 'openai'
import { ADMIN_KEY, startHouse, type RunningHouse } from '../kit/house.ts'
import { DOCUMENTS, QUESTION } from './material.ts'

suite('OpenAI for Node under budgets', () => {
  let house: RunningHouse
  let attempts = 0
  const clientOf = (user: string): OpenAI =>
    new OpenAI({
      baseURL: `${house.url}/v1`,
      apiKey: ADMIN_KEY,
      defaultHeaders: { 'x-headworks-user': user },
      fetch: (...args) => {
        attempts++
        return fetch(...args)
      },
    })
  const ask = (client: OpenAI): Promise<OpenAI.ChatCompletion> =>
    client.chat.completions.create({ model: 'docs', messages: [{ role: 'user', content: QUESTION }] })

  before(async () => {
    house = await startHouse({
      documents: DOCUMENTS,
      config: {
        budgets: [
          { id: 'day', scope: 'user', match: 'poor', limit: { tokens: 50 }, window: 'day' },
          { id: 'few', scope: 'user', match: 'few', limit: { requests: 1 }, window: 'day' },
        ],
        rateLimits: [{ id: 'pace', scope: 'user', match: 'fast', limit: { requests: 1 }, per: 'hour' }],
      },
    })
  })
  after(() => house.stop())

  test('a budget that is spent is one attempt, and an error that says why', async () => {
    const client = clientOf('poor')
    attempts = 0
    await assert.rejects(ask(client), (error) => {
      assert.ok(error instanceof RateLimitError)
      assert.deepEqual([error.status, error.type, error.code], [429, 'insufficient_quota', 'budget_too_small'])
      assert.match(error.message, /the budget "day" of the user "poor" allows 50 tokens in all/)
      const { budget } = error.error as { budget: { id: string; limit: number } }
      assert.deepEqual([budget.id, budget.limit], ['day', 50])
      return true
    })
    assert.equal(attempts, 1)
  })

  test('requests are counted, and the second one too many', async () => {
    const client = clientOf('few')
    assert.match((await ask(client)).choices[0]?.message.content ?? '', /Maren Holt/)
    await assert.rejects(ask(client), (error) => error instanceof RateLimitError && error.code === 'budget_spent')
  })

  test('a rate limit that is over in an hour is not retried', async () => {
    const client = clientOf('fast')
    await ask(client)
    attempts = 0
    await assert.rejects(
      ask(client),
      (error) => error instanceof RateLimitError && error.code === 'rate_limit_exceeded',
    )
    assert.equal(attempts, 1)
  })

  test('others are not affected, and learn what is left', async () => {
    const { response } = await clientOf('rich')
      .chat.completions.create({ model: 'docs', messages: [{ role: 'user', content: QUESTION }] })
      .withResponse()
    assert.equal(response.headers.get('x-headworks-budget-remaining'), null, 'no budget binds them')
  })
})
