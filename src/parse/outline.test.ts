import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chunk, type Chunking } from './chunk.ts'
import type { Block } from './document.ts'
import { parseMarkdown } from './markdown.ts'
import { outlined, rebuilt } from './outline.ts'

const SENTENCES = 'The pump runs at night. It stops in the morning! Who starts it? Nobody knows. '
const line = fc.oneof(
  fc.constantFrom(
    '',
    '',
    '# Title',
    '## Part',
    '- item',
    '```',
    '| a | b |',
    '|---|---|',
    '| 1 | 2 |',
    '> quoted',
    '    code',
  ),
  fc.integer({ min: 1, max: 60 }).map((count) => SENTENCES.repeat(count)),
)
const chunking: fc.Arbitrary<Chunking> = fc.record({
  tokensMax: fc.integer({ min: 64, max: 600 }),
  overlapTokens: fc.integer({ min: 0, max: 32 }),
})

test('a document that is kept as chunks is cut anew as if it had been read again', () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 40 }), chunking, chunking, (lines, before, after) => {
      const text = lines.join('\n')
      const { blocks } = parseMarkdown(text)
      const kept = outlined(text, blocks, chunk(text, blocks, before))
      const again = rebuilt(kept) ?? assert.fail()
      const ranges = (source: string, of: readonly Block[]): unknown =>
        chunk(source, of, after).map(({ start, end, headings }) => ({ start, end, headings }))
      assert.deepEqual(ranges(again.text, again.blocks), ranges(text, blocks))
      for (const one of kept) assert.equal(again.text.slice(one.start, one.end), one.text)
    }),
  )
})

test('white space between chunks comes back as it was', () => {
  const text = SENTENCES.repeat(100).trim()
  const { blocks } = parseMarkdown(text)
  const kept = outlined(text, blocks, chunk(text, blocks))
  assert.ok(kept.length > 3)
  assert.equal(rebuilt(kept)?.text, text)
})

test('a heading that has no text of its own keeps its place', () => {
  const text = 'First page.\n\nSecond page.'
  const blocks = [
    { kind: 'heading', start: 0, end: 0, level: 2, text: 'Page 1' },
    { kind: 'paragraph', start: 0, end: 11 },
    { kind: 'heading', start: 13, end: 13, level: 2, text: 'Page 2' },
    { kind: 'paragraph', start: 13, end: 25 },
    { kind: 'heading', start: 25, end: 25, level: 2, text: 'Page 3' },
  ] as const
  assert.deepEqual(rebuilt(outlined(text, blocks, chunk(text, blocks)))?.blocks, blocks)
})

test('chunks that were kept without an outline cannot be cut anew', () => {
  const text = SENTENCES.repeat(20)
  const { blocks } = parseMarkdown(text)
  assert.equal(rebuilt(chunk(text, blocks)), undefined)
})

test('no chunks are an empty document', () => {
  assert.deepEqual(rebuilt([]), { text: '', blocks: [] })
})
