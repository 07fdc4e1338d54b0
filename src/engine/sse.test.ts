import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SSE_EVENT_UNITS_MAX, type SseEvent, SseParser } from './sse.ts'

function read(...pieces: Uint8Array[]): SseEvent[] {
  const events: SseEvent[] = []
  const parser = new SseParser((event) => events.push(event))
  for (const piece of pieces) assert.ok(parser.push(piece))
  return events
}

const bytes = (text: string): Uint8Array => Buffer.from(text)
const data = (...texts: string[]): SseEvent[] => texts.map((text) => ({ event: 'message', data: text }))

test('events, comments, names, several data lines and every line end', () => {
  assert.deepEqual(
    read(bytes('data: a\n\n: comment\n\ndata:b\r\n\r\ndata: c\r\rdata: d\ndata: e\n\n')),
    data('a', 'b', 'c', 'd\ne'),
  )
  assert.deepEqual(read(bytes('event: error\ndata: x\n\ndata: y\n\n')), [
    { event: 'error', data: 'x' },
    { event: 'message', data: 'y' },
  ])
  assert.deepEqual(read(bytes('data\n\ndata:\n\nid: 1\nretry: 5\ndata:  two spaces\n\n')), data(' two spaces'))
})

test('an event that has not ended is not an event', () => {
  assert.deepEqual(read(bytes('data: a\n\ndata: b\n')), data('a'))
})

test('however the bytes are split, the events are the same', () => {
  const piece = fc.constantFrom('data: ', 'a', 'é', '🌊', '\n', '\r', '\r\n', '\n\n', ': ', 'event: x', ':')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.array(fc.nat(200), { maxLength: 10 }), (parts, cuts) => {
      const whole = bytes(parts.join('') + '\n\n')
      const at = [...new Set(cuts.map((cut) => cut % whole.length))].toSorted((a, b) => a - b)
      const pieces = [...at, whole.length].map((end, i) => whole.subarray(at[i - 1] ?? 0, end))
      assert.deepEqual(read(...pieces), read(whole))
    }),
  )
})

test('an event without end is refused instead of filling memory', () => {
  const parser = new SseParser(() => assert.fail('nothing ended'))
  const piece = bytes('x'.repeat(1024 * 1024))
  assert.ok(parser.push(bytes('data: ')))
  let taken = 0
  while (parser.push(piece)) taken += piece.length
  assert.ok(taken <= SSE_EVENT_UNITS_MAX)
  const lines = new SseParser(() => assert.fail('nothing ended'))
  const line = bytes(`data: ${'x'.repeat(1024 * 1024)}\n`)
  taken = 0
  while (lines.push(line)) taken += line.length
  assert.ok(taken <= SSE_EVENT_UNITS_MAX + line.length)
})
