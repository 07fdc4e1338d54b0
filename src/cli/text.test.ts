import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { cut, oneLine, printable, StreamWrapper, table, widthOf, wrap } from './text.ts'

test('widths count columns, not code units', () => {
  assert.equal(widthOf('abc'), 3)
  assert.equal(widthOf('日本'), 4)
  assert.equal(widthOf('e\u0301'), 1)
  assert.equal(widthOf('🙂'), 2)
})

test('control characters and direction overrides do not reach the terminal', () => {
  assert.equal(printable('a\x1b[2J\x07b\u202ec\r\nd\te\x9b'), 'a[2Jbc\nd\te')
  assert.equal(oneLine(' a \n\n b '), 'a b')
})

test('cut and wrap never exceed the width, and wrap loses no word', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '日', 'é', '\n'), maxLength: 200 })
  const width = fc.integer({ min: 2, max: 40 })
  fc.assert(fc.property(text, width, (some, most) => assert(widthOf(cut(some.replace(/\n/g, ' '), most)) <= most)))
  fc.assert(
    fc.property(text, width, (some, most) => {
      const wrapped = wrap(some, most, '  ')
      for (const line of wrapped.split('\n')) assert(widthOf(line) <= most || !line.trim().includes(' '))
      assert.deepEqual(wrapped.split(/\s+/).filter(Boolean), some.split(/\s+/).filter(Boolean))
    }),
  )
})

test('a streamed text is wrapped the same however it is cut, and loses nothing', () => {
  const stream = (pieces: readonly string[]): string => {
    let out = ''
    const wrapper = new StreamWrapper(20, (text) => (out += text))
    for (const piece of pieces) wrapper.push(piece)
    wrapper.end()
    return out
  }
  const text =
    'The quick brown fox jumps over the lazy dog.\n```\na line of code that stays as long as it is\n```\nAnd then some more words follow.'
  const whole = stream([text])
  assert.match(whole, /a line of code that stays as long as it is/)
  for (const line of whole.split('\n')) assert(line.length <= 20 || line.startsWith('a line'))
  assert.deepEqual(whole.split(/\s+/), text.split(/\s+/))
  assert.equal(stream([...text]), whole)
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', ' ', '\n', '`', '日') })), (pieces) =>
      assert.equal(stream(pieces), stream([pieces.join('')])),
    ),
  )
})

test('tables line up and cut their last column', () => {
  assert.equal(
    table(
      ['A', 'N', 'LAST'],
      [
        ['x', '1', 'short'],
        ['yyyy', '22', 'a very long text indeed'],
      ],
      20,
      [1],
    ),
    'A      N  LAST\nx      1  short\nyyyy  22  a very lo…',
  )
})
