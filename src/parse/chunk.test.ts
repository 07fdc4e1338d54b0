import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chunk, CHUNK_TOKENS_MAX, type Chunking, estimateTokens } from './chunk.ts'
import { parseMarkdown } from './markdown.ts'
import { parseText } from './text.ts'
import type { Block, Chunk } from './document.ts'

const ofMarkdown = (text: string): Chunk[] => chunk(text, parseMarkdown(text).blocks)
const words = (count: number, word = 'word'): string => Array.from({ length: count }, (_, i) => `${word}${i}`).join(' ')

/** The law every document must obey, whatever stands in it. */
function assertPartition(text: string, blocks: readonly Block[], chunks: readonly Chunk[]): void {
  let end = 0
  for (const one of chunks) {
    assert.ok(one.start >= end && one.end > one.start, 'ordered, not overlapping, not empty')
    assert.equal(one.text, text.slice(one.start, one.end))
    assert.ok(
      estimateTokens(one.text) <= CHUNK_TOKENS_MAX + 1e-6,
      `at most ${CHUNK_TOKENS_MAX} tokens, not ${estimateTokens(one.text)}`,
    )
    end = one.end
  }
  const covered = new Uint8Array(text.length)
  for (const one of chunks) covered.fill(1, one.start, one.end)
  for (const block of blocks) {
    for (let at = block.start; at < block.end; at++) {
      if (covered[at] === 0)
        assert.ok(
          text.charCodeAt(at) <= 0x20,
          `character ${at} of a block is in no chunk: ${JSON.stringify(text.slice(at, at + 20))}`,
        )
    }
  }
}

const line = fc.oneof(
  fc.constantFrom(
    '',
    '',
    '# Title',
    '## Part ##',
    '- item',
    '1. one',
    '  - inner',
    '```',
    '~~~js',
    '| a | b |',
    '|---|---|',
    '> quoted',
    '---',
    '===',
    '    code',
    '<div>',
    '<!-- x',
    '-->',
    '\tx',
  ),
  fc.nat(400).map((count) => words(count)),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.nat(3000).map((count) => 'x'.repeat(count)),
  fc.nat(900).map((count) => '漢'.repeat(count)),
  fc.nat(300).map((count) => '😀'.repeat(count)),
  fc.nat(2000).map((count) => `a${' '.repeat(count)}b`),
  fc.nat(60).map((count) => 'A sentence. '.repeat(count)),
)

test('chunks partition any Markdown and any text', () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 30 }), fc.constantFrom('\n', '\r\n', '\r'), (lines, eol) => {
      const text = lines.join(eol)
      const { blocks } = parseMarkdown(text)
      assertPartition(text, blocks, chunk(text, blocks))
      const plain = parseText(text)
      assertPartition(text, plain, chunk(text, plain))
    }),
    { numRuns: 300 },
  )
})

test('no character is cut in two', () => {
  const text = '😀'.repeat(2000)
  for (const one of chunk(text, parseText(text))) assert.ok(one.text.isWellFormed())
})

test('the estimate of a whole is at most the sum of its parts', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.nat(200), (text, at) => {
      const cut = Math.min(at, text.length)
      assert.ok(estimateTokens(text) <= estimateTokens(text, 0, cut) + estimateTokens(text, cut) + 1e-9)
    }),
  )
})

test('the headings above a chunk are kept, outermost first', () => {
  const chunks = ofMarkdown(
    `# Guide\n\n${words(250)}\n\n## Install\n\n${words(250)}\n\n### On Debian\n\n${words(250)}\n\n## Use\n\n${words(250)}\n`,
  )
  assert.deepEqual(
    chunks.map((one) => one.headings),
    [['Guide'], ['Guide', 'Install'], ['Guide', 'Install', 'On Debian'], ['Guide', 'Use']],
  )
  assert.ok(chunks[1]?.text.startsWith('## Install'), 'a heading stands at the beginning of its chunk')
})

test('a heading is not left at the end of a chunk', () => {
  const chunks = ofMarkdown(`# A\n\n${words(180)}\n\n## B\n\n${words(300)}\n`)
  assert.equal(chunks.length, 2)
  assert.ok(chunks[1]?.text.startsWith('## B'))
  assert.deepEqual(chunks[1]?.headings, ['A', 'B'])
})

test('small sections share a chunk', () => {
  assert.equal(
    ofMarkdown(Array.from({ length: 10 }, (_, i) => `## Part ${i}\n\nA line of text.\n`).join('\n')).length,
    1,
  )
})

test('a code fence that fits is not cut, though the text before it must end early', () => {
  const code = ['```js', ...Array.from({ length: 60 }, (_, i) => `const value${i} = compute(${i})`), '```'].join('\n')
  const chunks = ofMarkdown(`# A\n\n${words(200)}\n\n${code}\n\nAfter.\n`)
  assert.equal(chunks.filter((one) => one.text.includes('```js') && one.text.includes('value59')).length, 1)
})

test('a table too long for one chunk is cut between rows', () => {
  const rows = Array.from({ length: 300 }, (_, i) => `| row ${i} | some value | another |`)
  const chunks = ofMarkdown(['| a | b | c |', '|---|---|---|', ...rows].join('\n'))
  assert.ok(chunks.length > 3)
  for (const one of chunks) for (const row of one.text.split('\n')) assert.match(row, /^\|.*\|$/)
})

test('a piece of a long table has the names of its columns as its last heading', () => {
  const rows = Array.from({ length: 300 }, (_, i) => `| row ${i} | some value | another |`)
  const chunks = ofMarkdown(['# Prices', '', '| item | price | remark |', '|---|---|---|', ...rows].join('\n'))
  assert.deepEqual(chunks[0]?.headings, ['Prices'])
  for (const one of chunks.slice(1)) assert.deepEqual(one.headings, ['Prices', 'item | price | remark'])
})

test('the header of a table is not left at the end of a chunk', () => {
  const rows = Array.from({ length: 60 }, (_, i) => `| row ${i} | ${words(8)} |`)
  const chunks = ofMarkdown([words(370), '', '| item | price |', '|---|---|', ...rows].join('\n'))
  assert.doesNotMatch(chunks[0]?.text ?? '', /item/)
  assert.ok(chunks[1]?.text.startsWith('| item | price |\n|---|---|\n| row 0'))
})

test('every chunk of a long text has from 256 to 512 tokens, the last one too, give or take a sentence', () => {
  const SENTENCE = 14
  for (let sentences = 40; sentences < 160; sentences++) {
    const text = Array.from({ length: sentences }, (_, i) => `Sentence number ${i} has a few more words in it.`).join(
      ' ',
    )
    const sizes = chunk(text, parseText(text)).map((one) => estimateTokens(one.text))
    for (const size of sizes)
      assert.ok(size >= 256 - SENTENCE && size <= CHUNK_TOKENS_MAX, `${sentences}: ${sizes.join(' ')}`)
  }
})

test('a short end joins the chunk before, where both fit', () => {
  const chunks = ofMarkdown(`# A\n\n${words(250)}\n\n## B\n\n${words(100)}\n`)
  assert.equal(chunks.length, 1)
})

test('a long paragraph is cut after a sentence', () => {
  const text = Array.from({ length: 100 }, (_, i) => `Sentence number ${i} says "nothing new."`).join(' ')
  const chunks = chunk(text, parseText(text))
  assert.ok(chunks.length > 1)
  for (const one of chunks) assert.match(one.text, /^Sentence.*"$/)
})

test('one endless word is cut to size', () => {
  const text = 'x'.repeat(100_000)
  const chunks = chunk(text, parseText(text))
  assert.equal(chunks.map((one) => one.text).join(''), text)
})

test('nothing makes no chunk', () => {
  assert.deepEqual(chunk('', []), [])
  assert.deepEqual(ofMarkdown('\n \n\t\n'), [])
})

const prose = (sentences: number): string =>
  Array.from({ length: sentences }, (_, at) => `Sentence ${at} says ${words(8, `w${at}x`)}.`).join(' ')

test('smaller chunks are more, and hold the same', () => {
  const text = prose(200)
  const blocks = parseText(text)
  for (const tokensMax of [64, 128, 1_024]) {
    const chunks = chunk(text, blocks, { tokensMax, overlapTokens: 0 })
    for (const one of chunks) assert.ok(estimateTokens(one.text) <= tokensMax)
    assert.equal(chunks.map((one) => one.text).join(' '), text)
  }
})

test('chunks overlap by whole sentences, and by no more than they may', () => {
  const text = prose(200)
  const chunks = chunk(text, parseText(text), { tokensMax: 256, overlapTokens: 60 })
  assert.ok(chunks.length > 5)
  for (const [at, one] of chunks.entries()) {
    assert.equal(one.text, text.slice(one.start, one.end))
    const before = chunks[at - 1]
    if (before === undefined) continue
    assert.ok(one.start < before.end, 'it overlaps')
    assert.ok(estimateTokens(text, one.start, before.end) <= 60)
    assert.match(one.text, /^Sentence /)
  }
})

test('what stands under a heading of its own does not begin with what stands above it', () => {
  const text = `# A\n\n${prose(20)}\n\n# B\n\n${prose(20)}`
  const chunks = chunk(text, parseMarkdown(text).blocks, { tokensMax: 512, overlapTokens: 100 })
  assert.ok(chunks.some((one) => one.text.startsWith('# B')))
})

test('whatever the size and overlap, nothing of any document is lost and nothing is too long', () => {
  const chunking = fc.record({
    tokensMax: fc.integer({ min: 64, max: 700 }),
    share: fc.double({ min: 0, max: 0.5, noNaN: true }),
  })
  fc.assert(
    fc.property(fc.array(line, { maxLength: 30 }), chunking, (lines, { tokensMax, share }) => {
      const text = lines.join('\n')
      const { blocks } = parseMarkdown(text)
      const how: Chunking = { tokensMax, overlapTokens: Math.floor(tokensMax * share) }
      const chunks = chunk(text, blocks, how)
      const covered = new Uint8Array(text.length)
      let end = 0
      for (const one of chunks) {
        assert.equal(one.text, text.slice(one.start, one.end))
        assert.ok(estimateTokens(one.text) <= tokensMax + 1e-6)
        assert.ok(
          one.end > end && estimateTokens(text, one.start, Math.max(one.start, end)) <= how.overlapTokens + 1e-6,
        )
        covered.fill(1, one.start, one.end)
        end = one.end
      }
      for (const block of blocks)
        for (let at = block.start; at < block.end; at++)
          assert.ok(covered[at] === 1 || text.charCodeAt(at) <= 0x20, `character ${at} is in no chunk`)
    }),
  )
})
