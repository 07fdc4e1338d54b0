import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock, settled } from '../../tests/kit/clock.ts'
import { completion } from '../../tests/kit/engine.ts'
import { closing, openGateway, USAGE } from '../../tests/kit/gateway.ts'
import { Refusal } from '../base/errors.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import { Prompts } from '../prompt/prompts.ts'
import { readTemplate } from '../prompt/template.ts'

async function open() {
  const rows = new MemoryRows()
  const clock = new ManualClock()
  const prompts = new Prompts({ rows, clock })
  for (const content of ['Be kind to {{name}}.', 'Be brief with {{name}}.']) {
    const template = readTemplate({ messages: [{ role: 'system', content }], settings: { temperature: 0.2 } })
    if (template instanceof Refusal) throw new Error(JSON.stringify(template))
    await prompts.create('support', template, { by: 'ann', note: '' })
  }
  await prompts.turn('support', 'production', 1, { by: 'ann', reason: '' })
  const opened = openGateway({ rows, clock })
  const put = async (body: object, target?: string) => {
    const reply = await opened.ask({ model: 'chat', ...body }, target)
    await settled()
    await settled()
    return reply
  }
  const answer = async (): Promise<void> => {
    opened.first.last.sink.frame(completion('Hi.'))
    opened.first.last.sink.end({ usage: USAGE })
    await settled()
    await settled()
  }
  return { ...opened, prompts, put, answer }
}

const ANN = { name: 'Ann' }
const messages = [{ role: 'user', content: 'Hello?' }]

test('a request that names a prompt is asked with it, and answer and record say which version that was', async () => {
  const { put, answer, first, events } = await open()
  const reply = await put({ messages, prompt: { id: 'support', variables: ANN } })
  const { body } = first.last.call
  assert.deepEqual(body['messages'], [{ role: 'system', content: 'Be kind to Ann.' }, ...messages])
  assert.deepEqual([body['temperature'], body['prompt']], [0.2, undefined])
  await answer()
  assert.equal(reply.headers['x-headworks-prompt-version'], 'support@1')
  assert.equal((await closing(events, reply))['prompt'], 'support@1')
})

test('a version is named by number or label, what the request sets stands, and messages may be left out', async () => {
  const { put, answer, first } = await open()
  const numbered = await put({ prompt: { id: 'support', version: '2', variables: ANN }, temperature: 1 })
  assert.deepEqual(first.last.call.body['messages'], [{ role: 'system', content: 'Be brief with Ann.' }])
  assert.equal(first.last.call.body['temperature'], 1)
  await answer()
  assert.equal(numbered.headers['x-headworks-prompt-version'], 'support@2')
  const streamed = await put({ messages, stream: true, prompt: { id: 'support@latest', variables: ANN } })
  first.last.say('Hi', 'stop')
  first.last.sink.end({ usage: USAGE })
  await settled()
  await settled()
  assert.equal(streamed.headers['x-headworks-prompt-version'], 'support@2')
})

test("OpenAI's Responses name prompts likewise", async () => {
  const { put, answer, first } = await open()
  const reply = await put({ input: 'Hello?', prompt: { id: 'support', version: '1', variables: ANN } }, '/v1/responses')
  assert.deepEqual(first.last.call.body['messages'], [{ role: 'system', content: 'Be kind to Ann.' }, ...messages])
  await answer()
  assert.equal(reply.status, 200)
})

test('a turned label holds for the next request', async () => {
  const { put, answer, first, prompts, clock } = await open()
  await put({ messages, prompt: { id: 'support', variables: ANN } })
  await answer()
  await prompts.turn('support', 'production', 2, { by: 'ann', reason: '' })
  clock.advance(501)
  await put({ messages, prompt: { id: 'support', variables: ANN } })
  assert.match(JSON.stringify(first.last.call.body), /Be brief/)
  await answer()
})

test('what names no prompt, or says its variables wrongly, is refused before anything is called', async () => {
  const { put, first } = await open()
  for (const [prompt, status] of [
    ['Support!', 400],
    ['nobody', 404],
    ['support@9', 404],
    [{ id: 'support', version: {} }, 400],
    [{ version: '1' }, 400],
    [{ id: 'support', variables: [] }, 400],
    ['support', 400],
    [{ id: 'support', variables: { name: 'Ann', other: 1 } }, 400],
    [7, 400],
  ] as const)
    assert.equal((await put({ messages, prompt })).status, status, JSON.stringify(prompt))
  assert.equal(first.calls.length, 0)
})
