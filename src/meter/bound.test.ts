import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { inputTokensBound, outputTokensBound } from './bound.ts'

const text = fc.string({ unit: 'binary', maxLength: 200 })

test('no text has more tokens than its bytes, wherever it stands', () => {
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), text, (contents, tool) => {
      const messages = contents.map((content, i) => ({
        role: 'user',
        content: i % 2 === 0 ? content : [{ type: 'text', text: content }],
      }))
      const bytes = [...contents, tool].reduce((sum, one) => sum + Buffer.byteLength(one.toWellFormed()), 0)
      const bound = inputTokensBound({
        messages,
        tools: [{ type: 'function', function: { name: 'f', description: tool } }],
      })
      assert.ok(bound >= bytes + 16 * contents.length, `${bound} for ${bytes} bytes`)
    }),
  )
})

test('a picture counts by itself, not by the length of its address', () => {
  const picture = { type: 'image_url', image_url: { url: 'http://a.test/b' } }
  const one = inputTokensBound({ messages: [{ role: 'user', content: [picture] }] })
  const two = inputTokensBound({ messages: [{ role: 'user', content: [picture, picture] }] })
  assert.ok(one > 50_000 && two > 100_000)
})

test('every choice may use the whole cap', () => {
  assert.equal(outputTokensBound({}, 100), 100)
  assert.equal(outputTokensBound({ n: 3 }, 100), 300)
})
