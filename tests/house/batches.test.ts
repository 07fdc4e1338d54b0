/** Batches of a house that runs: by the OpenAI client, and over its sudden death. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI, { BadRequestError, NotFoundError, toFile } from 'openai'
import { ADMIN_KEY, startHouse, type RunningHouse } from '../kit/house.ts'
import { answers, startUpstream, type Upstream } from './upstream.ts'

const PARALLEL = 4

const configOf = (upstream: Upstream, more: object = {}): { readonly [section: string]: unknown } => ({
  engines: { far: { kind: 'openai', url: upstream.url } },
  models: {
    chat: {
      deployments: [{ engine: 'far', model: 'weights', price: { inputUsd: '1', outputUsd: '2' } }],
      admission: {},
    },
  },
  batches: { parallel: PARALLEL },
  ...more,
})

const clientOf = ({ url }: RunningHouse, apiKey = ADMIN_KEY): OpenAI =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 })

const lineOf = (n: number, more: object = {}): string =>
  JSON.stringify({
    custom_id: `line-${n}`,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'chat', messages: [{ role: 'user', content: `Say ${n}.` }] },
    ...more,
  })

async function begin(client: OpenAI, lines: readonly string[]): Promise<OpenAI.Batch> {
  const file = await client.files.create({
    file: await toFile(Buffer.from(lines.join('\n')), 'in.jsonl'),
    purpose: 'batch',
  })
  const asked = { input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' } as const
  return client.batches.create({ ...asked, metadata: { nightly: 'yes' } })
}

const OVER: ReadonlySet<string> = new Set(['completed', 'failed', 'expired', 'cancelled'])

async function ended(client: OpenAI, id: string): Promise<OpenAI.Batch> {
  for (let turn = 0; turn < 1_000; turn++) {
    const batch = await client.batches.retrieve(id)
    if (OVER.has(batch.status)) return batch
    await sleep(50)
  }
  return assert.fail('the batch does not end')
}

async function linesOf(
  client: OpenAI,
  file: string | null | undefined,
): Promise<{ custom_id: string; response: { status_code: number } }[]> {
  const text = await (await client.files.content(file ?? '')).text()
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { custom_id: string; response: { status_code: number } })
}

test('the OpenAI client runs, lists and cancels batches, which are charged as any request', async () => {
  const upstream = await startUpstream()
  const house = await startHouse({ config: configOf(upstream), untilRead: false })
  try {
    const client = clientOf(house)
    const lines = Array.from({ length: 40 }, (_, at) => lineOf(at))
    const wrong = lineOf(40, { body: { model: 'nowhere', messages: [{ role: 'user', content: 'Hello?' }] } })
    const made = await begin(client, [...lines, wrong])
    assert.deepEqual([made.object, made.status, made.metadata], ['batch', 'validating', { nightly: 'yes' }])
    const batch = await ended(client, made.id)
    assert.equal(batch.status, 'completed', JSON.stringify(batch))
    assert.deepEqual(batch.request_counts, { total: 41, completed: 40, failed: 1 })
    assert.deepEqual([batch.usage?.input_tokens, batch.usage?.output_tokens], [280, 120])
    const output = await linesOf(client, batch.output_file_id)
    assert.equal(new Set(output.map(({ custom_id: id }) => id)).size, 40)
    assert.ok(output.every(({ response }) => response.status_code === 200))
    const [error] = await linesOf(client, batch.error_file_id)
    assert.deepEqual([error?.custom_id, error?.response.status_code], ['line-40', 404])
    const usage = await fetch(`${house.url}/api/usage?by=model`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
    const { rows } = (await usage.json()) as { rows: { model: string; requests: number; costNanoUsd: string }[] }
    const chat = rows.find(({ model }) => model === 'chat')
    // 7 tokens in at a dollar a million, 3 out at two.
    assert.deepEqual([chat?.requests, Number(chat?.costNanoUsd)], [40, 40 * 13_000])

    upstream.behave(() => {})
    const stuck = await begin(client, lines)
    while ((await client.batches.retrieve(stuck.id)).status === 'validating') await sleep(20)
    const cancelling = await client.batches.cancel(stuck.id)
    assert.equal(cancelling.status, 'cancelling')
    const ids: string[] = []
    for await (const { id } of client.batches.list({ limit: 1 })) ids.push(id)
    assert.deepEqual(ids, [stuck.id, made.id])

    const bad = await ended(client, (await begin(client, [lineOf(1), lineOf(1), '{'])).id)
    assert.equal(bad.status, 'failed')
    assert.deepEqual(
      bad.errors?.data?.map(({ line }) => line),
      [2, 3],
    )
    await assert.rejects(client.batches.retrieve('batch_none'), NotFoundError)
    const asked = { input_file_id: made.input_file_id, completion_window: '24h' } as const
    // @ts-expect-error -- No such endpoint.
    const elsewhere = client.batches.create({ ...asked, endpoint: '/v1/nowhere' })
    await assert.rejects(elsewhere, (error) => error instanceof BadRequestError && error.param === 'endpoint')
    const answer = await fetch(`${house.url}/api/keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'other' }),
    })
    const other = clientOf(house, ((await answer.json()) as { key: string }).key)
    await assert.rejects(other.batches.retrieve(made.id), NotFoundError)
    await assert.rejects(other.files.content(String(batch.output_file_id)), NotFoundError)
    assert.deepEqual((await other.batches.list()).data, [])
  } finally {
    await house.stop()
    await upstream.stop()
  }
})

test("Anthropic's client runs message batches over an engine of the other dialect", async () => {
  const upstream = await startUpstream()
  const house = await startHouse({ config: configOf(upstream), untilRead: false })
  try {
    const client = new Anthropic({ baseURL: house.url, apiKey: ADMIN_KEY, maxRetries: 0 })
    const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'Hello?' }]
    const requestOf = (id: string, model: string): Anthropic.Messages.BatchCreateParams.Request => ({
      custom_id: id,
      params: { model, max_tokens: 10, messages },
    })
    const requests = [
      ...Array.from({ length: 9 }, (_, at) => requestOf(`m-${at}`, 'chat')),
      requestOf('bad', 'nowhere'),
    ]
    const made = await client.messages.batches.create({ requests })
    assert.deepEqual([made.type, made.processing_status], ['message_batch', 'in_progress'])
    let batch = made
    for (let turn = 0; turn < 1_000 && batch.processing_status !== 'ended'; turn++) {
      await sleep(20)
      batch = await client.messages.batches.retrieve(made.id)
    }
    assert.deepEqual(batch.request_counts, { processing: 0, succeeded: 9, errored: 1, canceled: 0, expired: 0 })
    const told = new Map<string, string>()
    for await (const { custom_id: id, result } of await client.messages.batches.results(made.id)) {
      told.set(id, result.type)
      if (result.type === 'succeeded') assert.equal(result.message.role, 'assistant')
      if (result.type === 'errored') assert.equal(result.error.error.type, 'not_found_error')
    }
    assert.equal(told.size, 10)
    assert.equal(told.get('bad'), 'errored')
    const ids: string[] = []
    for await (const { id } of client.messages.batches.list({ limit: 1 })) ids.push(id)
    assert.deepEqual(ids, [made.id])
    const twice = client.messages.batches.create({ requests: [requestOf('a', 'chat'), requestOf('a', 'chat')] })
    await assert.rejects(
      twice,
      (error) => error instanceof Anthropic.BadRequestError && /requests\.1/.test(error.message),
    )
    await assert.rejects(client.messages.batches.retrieve('batch_none'), Anthropic.NotFoundError)
  } finally {
    await house.stop()
    await upstream.stop()
  }
})

test('a batch goes on after SIGKILL, and asks again at most what was in flight', async () => {
  const LINES = 120
  const KILLS = 3
  const upstream = await startUpstream()
  upstream.behave((response, body) => void setTimeout(() => answers(response, body), 30))
  let house = await startHouse({ config: configOf(upstream), untilRead: false })
  try {
    const { id } = await begin(
      clientOf(house),
      Array.from({ length: LINES }, (_, at) => lineOf(at)),
    )
    for (let kills = 1; kills <= KILLS; kills++) {
      const enough = (LINES / (KILLS + 1)) * kills
      for (;;) {
        const { request_counts: counts } = await clientOf(house).batches.retrieve(id)
        if ((counts?.completed ?? 0) >= enough) break
        await sleep(10)
      }
      await house.kill()
      house = await startHouse({ config: configOf(upstream), folder: house.folder, untilRead: false })
    }
    const client = clientOf(house)
    const batch = await ended(client, id)
    assert.deepEqual([batch.status, batch.request_counts], ['completed', { total: LINES, completed: LINES, failed: 0 }])
    const output = await linesOf(client, batch.output_file_id)
    assert.deepEqual([output.length, new Set(output.map(({ custom_id: one }) => one)).size], [LINES, LINES])
    assert.ok(upstream.asked <= LINES + KILLS * PARALLEL, `${upstream.asked} calls for ${LINES} lines`)
  } finally {
    await house.stop()
    await upstream.stop()
  }
})
