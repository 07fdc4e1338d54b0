import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { excerptOf, headingLength, piecesOf, sectionsOf, within } from './passage.ts'

const range = fc.tuple(fc.nat(60), fc.nat(60)).map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) + 1 }))

test('pieces: in order, quoted where a range says so', () => {
  assert.deepEqual(
    piecesOf('abcdef', [
      { start: 4, end: 5 },
      { start: 1, end: 3 },
      { start: 2, end: 3 },
    ]),
    [
      { text: 'a', quoted: false },
      { text: 'bc', quoted: true },
      { text: 'd', quoted: false },
      { text: 'e', quoted: true },
      { text: 'f', quoted: false },
    ],
  )
})

test('pieces put together are the text, and quoted is exactly what the ranges cover', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 50 }), fc.array(range, { maxLength: 6 }), (text, ranges) => {
      const pieces = piecesOf(text, ranges)
      assert.equal(pieces.map((piece) => piece.text).join(''), text)
      const flags = pieces.flatMap((piece) => Array.from({ length: piece.text.length }, () => piece.quoted))
      const expected = Array.from({ length: text.length }, (_, at) =>
        ranges.some(({ start, end }) => at >= start && at < end),
      )
      assert.deepEqual(flags, expected)
    }),
  )
})

test('an excerpt holds every quote and begins and ends at words', () => {
  const text = Array.from({ length: 300 }, (_, at) => `word${at}`).join(' ')
  const start = text.indexOf('word150')
  const excerpt = excerptOf(text, [{ start, end: start + 7 }])
  const shown = text.slice(excerpt.start, excerpt.end)
  assert.match(shown, /^word\d+ .*word150 .*word\d+$/)
  assert.ok(shown.length < 350)
  fc.assert(
    fc.property(
      fc.string({ minLength: 61, maxLength: 900, size: 'max' }),
      fc.array(range, { maxLength: 4 }),
      (passage, quotes) => {
        const { start: from, end: to } = excerptOf(passage, quotes)
        assert.ok(from >= 0 && to <= passage.length && from <= to)
        for (const quote of quotes) assert.ok(quote.start >= from && quote.end <= to)
      },
    ),
  )
})

test('a passage without quotes is shown by its beginning, without the heading its card has already', () => {
  const text = `## Time limits\n\n${'Some words on limits. '.repeat(20)}`
  const { start, end } = excerptOf(text, [])
  assert.match(text.slice(start, end), /^Some words .{80,120}$/)
  assert.equal(headingLength(text), 16)
  assert.equal(excerptOf(text, [{ start: 3, end: 14 }]).start, 3, 'unless the heading is quoted')
  assert.deepEqual(excerptOf('x'.repeat(1000), []), { start: 0, end: 1000 }, 'no space, no cut')
})

test('a short passage is shown whole', () => {
  assert.deepEqual(excerptOf('Water flows.', []), { start: 0, end: 12 })
  assert.deepEqual(excerptOf('Water flows.', [{ start: 6, end: 12 }]), { start: 0, end: 12 })
})

test('sections cover the document once, and one holds the start of the passage', () => {
  const text = `${'line of text\n'.repeat(2000)}last`
  const sections = sectionsOf(text, 20_000)
  assert.equal(sections.map(({ start, end }) => text.slice(start, end)).join(''), text)
  assert.equal(sections.filter((section) => section.holdsStart).length, 1)
  assert.deepEqual(sectionsOf('', 0), [])
})

test('a range is cut to a window', () => {
  assert.deepEqual(within({ start: 5, end: 15 }, { start: 10, end: 20 }), { start: 0, end: 5 })
  assert.equal(within({ start: 5, end: 10 }, { start: 10, end: 20 }), undefined)
})
