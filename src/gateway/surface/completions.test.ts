import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '../../../tests/kit/clock.ts'
import { completion } from '../../../tests/kit/engine.ts'
import { openGateway, USAGE } from '../../../tests/kit/gateway.ts'
import type { JsonObject } from '../../base/json.ts'

const PATH = '/v1/completions'
const ASK = { model: 'chat', prompt: 'Once upon' }

test('a prompt is answered by a chat, in the older shape', async () => {
  const { first, ask } = openGateway()
  const reply = await ask({ ...ASK, max_tokens: 5, logprobs: 2, temperature: 0 }, PATH)
  assert.deepEqual(first.last.call.body, {
    model: 'chat',
    max_tokens: 5,
    temperature: 0,
    messages: [{ role: 'user', content: 'Once upon' }],
    logprobs: true,
    top_logprobs: 2,
  })
  const content = [
    { token: 'a', logprob: -1, top_logprobs: [{ token: 'a', logprob: -1 }] },
    { token: ' time', logprob: -2 },
  ]
  const [choice] = completion('a time')['choices'] as JsonObject[]
  first.last.sink.frame({ ...completion(''), choices: [{ ...choice, logprobs: { content } }] })
  first.last.sink.end({ usage: USAGE })
  await settled()
  assert.equal(reply.json().object, 'text_completion')
  assert.equal(reply.json().usage.total_tokens, 16)
  assert.deepEqual(reply.json().choices, [
    {
      text: 'a time',
      index: 0,
      logprobs: {
        tokens: ['a', ' time'],
        token_logprobs: [-1, -2],
        top_logprobs: [{ a: -1 }, {}],
        text_offset: [0, 1],
      },
      finish_reason: 'stop',
    },
  ])
})

test('a stream has texts, usage where it was asked for, and [DONE]', async () => {
  const { first, ask } = openGateway()
  const reply = await ask({ ...ASK, prompt: ['Once'], stream: true, stream_options: { include_usage: true } }, PATH)
  first.last.say('upon ')
  first.last.say('a time', 'stop')
  first.last.sink.end({ usage: USAGE })
  await settled()
  await settled()
  const events = reply.events()
  assert.equal(events.at(-1), '[DONE]')
  assert.deepEqual(
    events.slice(0, -1).map((event) => [event.object, event.choices[0]?.text, event.usage?.total_tokens]),
    [
      ['text_completion', 'upon ', undefined],
      ['text_completion', 'a time', undefined],
      ['text_completion', undefined, 16],
    ],
  )
})

test('what a chat cannot do is refused', async () => {
  const { first, ask } = openGateway()
  for (const [fields, field] of [
    [{ prompt: undefined }, 'prompt'],
    [{ prompt: ['a', 'b'] }, 'prompt'],
    [{ prompt: [1, 2] }, 'prompt'],
    [{ echo: true }, 'echo'],
    [{ best_of: 3 }, 'best_of'],
    [{ suffix: 'end' }, 'suffix'],
    [{ logprobs: 6 }, 'logprobs'],
    [{ logprobs: 'x' }, 'logprobs'],
    [{ model: '' }, 'model'],
    [{ max_tokens: 0 }, 'max_tokens'],
  ] as const) {
    const refused = await ask({ ...ASK, ...fields }, PATH)
    assert.deepEqual([refused.status, refused.json().error.param], [400, field])
  }
  assert.equal((await ask('[]', PATH)).status, 400)
  assert.equal(first.calls.length, 0)
})
