import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fenced, plainRow, plainSentence } from './render.ts'
import { countTokens, splitTokens } from './tokens.ts'

test('a sentence keeps its words and loses the marks of its page', () => {
  for (const [raw, plain] of [
    ['Use **bold** and __strong__ and *slanted* and _so_ words.', 'Use bold and strong and slanted and so words.'],
    ['See [the page](../a.md) or [ref][1], <https://x.y>.', 'See the page or ref, https://x.y.'],
    ['See [`Agent`](a.md#b) and [`Pool` event][].', 'See `Agent` and `Pool` event.'],
    ['Wrapped\n> over\n  lines.', 'Wrapped over lines.'],
    ['As shown [3], and [1, 2][^note].', 'As shown (3), and (1, 2).'],
    [
      'Keep `**code** [1] <b>` and snake_case_names and 2 * 3 * 4.',
      'Keep `**code** [1] <b>` and snake_case_names and 2 * 3 * 4.',
    ],
    ['![logo](x.png) A <b>tag</b> and an \\*escape\\*.', 'A tag and an *escape*.'],
    ['Generic<Type> is a < b and b > c.', 'Generic is a < b and b > c.'],
  ] as const) {
    assert.equal(plainSentence(raw), plain)
  }
})

test('a row says its cells with their columns; of a wide one only what tells', () => {
  assert.equal(plainRow('| `a` | 5 |', '| name | size |'), '`a` (size: 5)')
  assert.equal(plainRow('| `a` | yes \\| no |', undefined), '`a` (yes | no)')
  assert.equal(plainRow('| a |  |', '| name | size |'), 'a')
  assert.equal(
    plainRow('| `x` | text | no | what it does in a sentence |', '| n | type | live | what |'),
    '`x` (what: what it does in a sentence)',
  )
})

test('code is fenced so that nothing in it closes the fence, without its indentation', () => {
  assert.equal(fenced('  ```js\n  a\n    b\n  ```'), '```js\na\n  b\n```')
  assert.equal(fenced('    plain\n      more'), '```\nplain\n  more\n```')
  assert.equal(fenced('~~~\n```\n~~~'), '````\n```\n````')
  assert.equal(fenced('```\n```'), '```\n\n```')
})

test('no sentence makes a citation or throws', () => {
  const piece = fc.constantFrom(
    '[1]',
    '[',
    ']',
    '(',
    ')',
    '`',
    '**',
    '_',
    '<',
    '>',
    '\n',
    'word',
    ' ',
    '\\',
    '![',
    '[^1]',
    '\ue000',
    '|',
    '1, 2',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const plain = plainSentence(pieces.join(''))
      assert.equal(/\[\d+\]/.test(plain.replace(/`[^`]+`/g, '')), false)
    }),
    { numRuns: 500 },
  )
})

test('tokens joined are the text, and as many as are counted', () => {
  assert.equal(countTokens('Hello, world!'), 4)
  assert.equal(countTokens('x'.repeat(50)), 3)
  assert.equal(countTokens('日本語 abc'), 4)
  assert.equal(countTokens('  \n '), 0)
  assert.equal(countTokens('a '.repeat(1000), 10), 11)
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const tokens = splitTokens(text)
      assert.equal(tokens.length, countTokens(text))
      if (tokens.length > 0) assert.equal(tokens.join(''), text)
      for (const token of tokens) assert.ok(token.isWellFormed())
    }),
  )
})
