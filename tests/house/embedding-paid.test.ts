/** The real program, in one process and in several: whoever asks pays for the vector of the question, and
 *  who owns a collection for what is read into it. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_KEY, type RunningHouse, startHouse } from '../kit/house.ts'
import { type Scripted, scriptedServer } from '../kit/scripted-server.ts'

const WAIT_MS_MAX = 20_000

interface Row {
  readonly [name: string]: string | number | null
}

for (const gateways of [1, 2])
  describe(`with ${gateways} gateways`, () => {
    let house: RunningHouse
    let server: Scripted

    before(async () => {
      server = await scriptedServer(({ path, body }) => {
        if (path === '/v1/chat/completions') {
          const choice = { index: 0, message: { role: 'assistant', content: 'A note.' }, finish_reason: 'stop' }
          const usage = { prompt_tokens: 50, completion_tokens: 5, total_tokens: 55 }
          return { body: { id: 'c', object: 'chat.completion', choices: [choice], usage } }
        }
        const inputs = body['input'] as string[]
        const data = inputs.map((text, index) => ({ index, embedding: [text.length % 7, 1 + (text.length % 5), 1] }))
        return {
          body: {
            object: 'list',
            data,
            usage: { prompt_tokens: 10 * inputs.length, total_tokens: 10 * inputs.length },
          },
        }
      })
      const priced = { price: { inputUsd: 1_000, outputUsd: 1_000 } }
      house = await startHouse({
        config: {
          gateways,
          engines: { local: { kind: 'openai', url: `${server.url}/v1` } },
          models: {
            e5: { deployments: [{ engine: 'local', model: 'e5', ...priced }] },
            small: { deployments: [{ engine: 'local', model: 'w', ...priced }] },
          },
          collections: { notes: { embedding: 'e5', context: 'small', tenant: 'acme' } },
          workflows: { ask: { collection: 'notes', evidenceMin: 0 } },
          budgets: [
            { id: 'poor', scope: 'user', match: 'poor', limit: { tokens: 1 }, window: 'lifetime' },
            { id: 'notes', scope: 'tag', match: 'collection:notes', limit: { tokens: 1_000_000 }, window: 'lifetime' },
          ],
        },
      })
      const sent = await call('/api/collections/notes/documents', { id: 'n', text: 'Swallows migrate to the south.' })
      assert.equal(sent.status, 200, await sent.text())
    })
    after(async () => {
      await house?.stop()
      await server?.close()
    })

    const call = (path: string, body?: object, key = ADMIN_KEY): Promise<Response> =>
      fetch(house.url + path, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', connection: 'close' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })

    async function keyOf(user: string): Promise<string> {
      const made = (await (await call('/api/keys', { name: user, user, tenant: 'acme' })).json()) as { key: string }
      return made.key
    }

    /** Usage by these, once it holds as many rows of the operation. */
    async function usage(operation: string, least: number): Promise<readonly Row[]> {
      for (let waited = 0; ; waited += 100) {
        const answer = await call(`/api/usage?by=operation,model,user,tenant,tag`)
        const { rows = [] } = (await answer.json()) as { rows?: readonly Row[] }
        const found = rows.filter((row) => row['operation'] === operation)
        if (found.length >= least) return found
        assert.ok(waited < WAIT_MS_MAX, JSON.stringify(rows))
        await sleep(100)
      }
    }

    test('ingest is on the account of who owns the collection, embeddings and sentences', async () => {
      for (const [operation, model] of [
        ['embed', 'e5'],
        ['chat', 'small'],
      ] as const) {
        const row = (await usage(operation, 1)).find((one) => one['model'] === model)
        assert.deepEqual([row?.['tenant'], row?.['tag']], ['acme', 'collection:notes'], operation)
        assert.ok(Number(row?.['costNanoUsd']) > 0)
      }
      const { budgets } = (await (await call('/api/budgets')).json()) as {
        budgets: readonly { id: string; posted?: number }[]
      }
      assert.ok(JSON.stringify(budgets).includes('notes'), JSON.stringify(budgets))
    })

    test('a question to a workflow costs its caller, once', async () => {
      const key = await keyOf('ada')
      const ask = async (text: string): Promise<string | null> => {
        const answer = await call(
          '/v1/chat/completions',
          { model: 'ask', messages: [{ role: 'user', content: text }] },
          key,
        )
        assert.equal(answer.status, 200, await answer.clone().text())
        return answer.headers.get('x-headworks-cost-nanousd')
      }
      // Ten tokens at a thousand dollars a million.
      assert.equal(await ask('Where do swallows go?'), '10000000')
      assert.equal(await ask('Where do swallows go?'), '0', 'the vector is known')
    })

    test('a search costs who searches, and is on record', async () => {
      const key = await keyOf('bob')
      const found = await call('/api/collections/notes/search', { query: 'birds of autumn' }, key)
      assert.equal(found.status, 200, await found.clone().text())
      const store = await call('/v1/vector_stores/notes/search', { query: 'birds of spring' }, key)
      assert.equal(store.status, 200, await store.clone().text())
      const row = (await usage('embed', 2)).find((one) => one['user'] === 'bob')
      assert.deepEqual([row?.['tenant'], row?.['requests']], ['acme', 2], JSON.stringify(row))
    })

    test('a spent budget refuses the question before the model is asked', async () => {
      const key = await keyOf('poor')
      const asked = server.asked.length
      const question = { model: 'ask', messages: [{ role: 'user', content: 'What is this about, then?' }] }
      for (const [path, body] of [
        ['/v1/chat/completions', question],
        ['/api/collections/notes/search', { query: 'what is it about' }],
        ['/v1/vector_stores/notes/search', { query: 'what is it about' }],
      ] as const) {
        const answer = await call(path, body, key)
        assert.equal(answer.status, 429, path)
        assert.match(await answer.text(), /budget/)
      }
      assert.equal(server.asked.length, asked)
    })
  })
