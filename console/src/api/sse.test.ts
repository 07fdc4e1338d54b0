import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EventReader } from './sse.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const readAll = (text: string) => new EventReader().push(bytes(text))

test('events end at an empty line; comments, names and ids are passed over', () => {
  assert.deepEqual(readAll(': hello\n\nevent: x\nid: 1\ndata: {"a":1}\n\ndata: [DONE]\n\n'), ['{"a":1}', '[DONE]'])
})

test('several data lines are one event, and one leading space is dropped', () => {
  assert.deepEqual(readAll('data:  two spaces\ndata:none\ndata\n\n'), [' two spaces\nnone\n'])
})

test('LF, CRLF and CR end lines', () => {
  assert.deepEqual(readAll('data: a\n\ndata: b\r\n\r\ndata: c\r\r\n'), ['a', 'b', 'c'])
})

test('an event that the stream did not end is not an event', () => {
  assert.deepEqual(readAll('data: whole\n\ndata: half'), ['whole'])
  assert.deepEqual(readAll('data: half\n'), [])
})

test('a byte order mark is no part of the first field', () => {
  assert.deepEqual(readAll('\uFEFFdata: a\n\n'), ['a'])
})

test('packets may split anywhere: inside a character, between CR and LF, between events', () => {
  const text = 'data: {"text":"Wehr über 3 m – 堰 🌊"}\r\n\r\n: ping\n\ndata: two\ndata: lines\n\ndata: [DONE]\n\n'
  const whole = bytes(text)
  const expected = readAll(text)
  assert.equal(expected.length, 3)
  fc.assert(
    fc.property(fc.array(fc.nat(whole.length), { maxLength: 12 }), (cuts) => {
      const reader = new EventReader()
      const seen: string[] = []
      let from = 0
      for (const to of [...cuts.sort((a, b) => a - b), whole.length]) {
        seen.push(...reader.push(whole.slice(from, to)))
        from = to
      }
      assert.deepEqual(seen, expected)
    }),
  )
})

test('an event without end is refused before it fills the memory', () => {
  const reader = new EventReader()
  const mebibyte = bytes('x'.repeat(1_048_576))
  reader.push(bytes('data: '))
  assert.throws(() => {
    for (let i = 0; i < 20; i++) reader.push(mebibyte)
  }, RangeError)
})
