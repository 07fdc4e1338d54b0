import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sentences } from './sentences.ts'

const split = (text: string): string[] => sentences(text).map(({ start, end }) => text.slice(start, end))
const kinds = (text: string): string[] =>
  sentences(text).map(
    ({ kind, level, ordered, start, end }) =>
      `${kind}${level > 0 ? level : ''}${ordered ? '#' : ''}: ${text.slice(start, end)}`,
  )

test('prose ends at stops, not at abbreviations, numbers, file names or code', () => {
  for (const [text, expected] of [
    ['One. Two! Three? Four', ['One.', 'Two!', 'Three?', 'Four']],
    [
      'See e.g. Dr. Smith, i.e. J. Smith of Acme Inc. in 1.5 s. Next.',
      ['See e.g. Dr. Smith, i.e. J. Smith of Acme Inc. in 1.5 s.', 'Next.'],
    ],
    ['Apples, pears, etc. The rest is gone.', ['Apples, pears, etc.', 'The rest is gone.']],
    ['Edit main.ts and `a. B c`. `npm start` runs it.', ['Edit main.ts and `a. B c`.', '`npm start` runs it.']],
    ['He said "stop." Then (it was late.) We left.', ['He said "stop."', 'Then (it was late.)', 'We left.']],
    ['Wait... What? Yes', ['Wait...', 'What?', 'Yes']],
    ['Es gilt z. B. Artikel 5. Danach nicht.', ['Es gilt z. B. Artikel 5.', 'Danach nicht.']],
    ['今日は晴れ。明日は雨！そう', ['今日は晴れ。', '明日は雨！', 'そう']],
    ['A line\nthat wraps. And\nanother.', ['A line\nthat wraps.', 'And\nanother.']],
    ['An unclosed ` tick. Then more.', ['An unclosed ` tick.', 'Then more.']],
    ['', []],
    [' \n\t\n ', []],
  ] as const) {
    assert.deepEqual(split(text), expected, text)
  }
})

test('Markdown keeps headings, items, code and tables apart', () => {
  const text = [
    '# Title #',
    'Intro. More:',
    '- first. Still first.',
    '  goes on',
    '- [ ] second',
    '  1. inner',
    '',
    '  belongs to inner',
    '',
    'Prose again',
    '',
    '```sh',
    '# no heading. No sentence.',
    '```',
    'Under',
    '---',
    '| a | b |',
    '|---|:-:|',
    '| 1. One | 2 |',
    '',
    '> Quoted. Twice.',
    '***',
    '    indented code. Yes.',
    '',
    '<!-- hidden. -->',
    '[ref]: http://x.y',
  ].join('\n')
  assert.deepEqual(kinds(text), [
    'heading1: Title',
    'prose: Intro.',
    'prose: More:',
    'item: first.',
    'item: Still first.\n  goes on',
    'item: second',
    'item2#: inner',
    'item2: belongs to inner',
    'prose: Prose again',
    'code: ```sh\n# no heading. No sentence.\n```',
    'heading2: Under',
    'columns: | a | b |',
    'row: | 1. One | 2 |',
    'prose: Quoted.',
    'prose: Twice.',
    'code:     indented code. Yes.',
  ])
})

test('a fence that is never closed reaches to the end', () => {
  assert.deepEqual(kinds('Text.\n~~~\na\nb'), ['prose: Text.', 'code: ~~~\na\nb'])
  assert.deepEqual(kinds('````\n```\nx\n````\nafter'), ['code: ````\n```\nx\n````', 'prose: after'])
})

test('lines that end in CR LF are no different', () => {
  assert.deepEqual(kinds('# T\r\nOne.\r\n\r\n- two\r\n| a | b |\r\n|--|--|\r\n| c | d |\r\n'), [
    'heading1: T',
    'prose: One.',
    'item: two',
    'columns: | a | b |',
    'row: | c | d |',
  ])
})

const piece = fc.constantFrom(
  '# ',
  '- ',
  '1. ',
  '\n',
  '\n\n',
  '```',
  '~~~',
  '|',
  '---',
  '. ',
  '? ',
  '`',
  ' ',
  'Word',
  'e.g. ',
  '> ',
  '    ',
  '😀',
  '。',
  '**',
  '(',
  ')',
)

test('ranges are in order, apart, trimmed, within the text and leave no word out', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 4 })), { maxLength: 60 }), (pieces) => {
      const text = pieces.join('')
      let end = 0
      let read = ''
      for (const sentence of sentences(text)) {
        assert.ok(sentence.start >= end && sentence.end > sentence.start && sentence.end <= text.length)
        end = sentence.end
        read += text.slice(sentence.start, sentence.end)
        if (sentence.kind !== 'code')
          assert.equal(text.slice(sentence.start, sentence.end).trim().length, sentence.end - sentence.start)
      }
      const count = (from: string): number => from.split('Word').length
      const silent = /<!--|\]:|</.test(text)
      if (!silent) assert.equal(count(read), count(text))
    }),
    { numRuns: 150 },
  )
})

test('what has no end is cut, and no pattern takes more than linear time', () => {
  const long = 'word '.repeat(100_000)
  assert.ok(sentences(long).every(({ start, end }) => end - start <= 2000))
  for (const hostile of [
    '.'.repeat(200_000) + 'x',
    '`'.repeat(200_000),
    '# ' + '#'.repeat(200_000) + 'x',
    '|'.repeat(200_000),
    '-'.repeat(200_000) + 'x',
    '> '.repeat(100_000),
    '"'.repeat(200_000),
    'x'.repeat(500_000),
    '- '.repeat(100_000),
    '[a'.repeat(100_000),
    '<a '.repeat(100_000),
    '😀'.repeat(100_000),
  ]) {
    const found = sentences(hostile)
    assert.ok(found.every(({ start, end }) => hostile.slice(start, end).isWellFormed()))
  }
})
