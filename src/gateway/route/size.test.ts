import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sizeOfChat, sizeOfTexts, tokensOf } from './size.ts'

const say = (content: string, role = 'user') => ({ role, content })

test('a short request is guessed at four characters a token, parts included', () => {
  const parts = [
    { type: 'text', text: 'x'.repeat(80) },
    { type: 'image_url', image_url: { url: 'data:' } },
  ]
  const size = sizeOfChat({ messages: [say('x'.repeat(400)), { role: 'user', content: parts }] }, 50)
  assert.deepEqual([size, tokensOf(size)], [{ inputTokens: 120, outputTokens: 50 }, 170])
  assert.deepEqual(sizeOfTexts(['x'.repeat(30), 'x'.repeat(10)]), { inputTokens: 10, outputTokens: 0 })
})

test('of a long conversation some messages stand for all, whoever speaks longer', () => {
  const messages = Array.from({ length: 10_000 }, (_, at) =>
    at % 2 === 0 ? say('x'.repeat(40)) : say('x'.repeat(400), 'assistant'),
  )
  const { inputTokens } = sizeOfChat({ messages }, 0)
  assert.ok(Math.abs(inputTokens / (10_000 * 55) - 1) < 0.05, String(inputTokens))
})

test('what has no shape has no size', () => {
  for (const messages of ['text', null, [], [null, 3, { content: 7 }, { content: [null, {}] }]])
    assert.equal(sizeOfChat({ messages }, 0).inputTokens, 0)
})
