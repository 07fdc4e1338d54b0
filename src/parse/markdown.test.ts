import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseMarkdown } from './markdown.ts'

const shown = (text: string): string[] =>
  parseMarkdown(text).blocks.map(({ kind, start, end, level, text: heading }) =>
    kind === 'heading' ? `${level}: ${heading}` : `${kind}: ${text.slice(start, end)}`,
  )

const cases: readonly (readonly [what: string, text: string, blocks: readonly string[]])[] = [
  [
    'headings',
    '# One\n##Two\n## Three ##\n####### x\n#\n',
    ['1: One', 'paragraph: ##Two', '2: Three', 'paragraph: ####### x', '1: '],
  ],
  ['a heading keeps a sharp that belongs to it', '## C#\n## F# ##', ['2: C#', '2: F#']],
  ['inline markup in headings', '# The `run` of [this](x) *is* **it** \\# <b>x</b>', ['1: The run of this is it # x']],
  ['underlined headings', 'One\nmore\n===\n\nTwo\n---\nText', ['1: One more', '2: Two', 'paragraph: Text']],
  ['rules', 'a\n\n---\n\n* * *\nb\n***\nc', ['paragraph: a', 'paragraph: b', 'paragraph: c']],
  ['paragraphs', 'a\nb\n\nc\n   d', ['paragraph: a\nb', 'paragraph: c\n   d']],
  ['a year is no list', 'born in\n1984. It was', ['paragraph: born in\n1984. It was']],
  [
    'lists',
    '- a\n- b\n\n- c\n  more\n\n  part of c\n\nnot',
    ['list: - a\n- b\n\n- c\n  more\n\n  part of c', 'paragraph: not'],
  ],
  ['numbered and nested lists', '1. a\n   - b\n2) c\nlazy', ['list: 1. a\n   - b\n2) c\nlazy']],
  ['a list after a paragraph', 'text\n- a\n+ b', ['paragraph: text', 'list: - a\n+ b']],
  [
    'code in a list is not its end',
    '- a\n\n  ```\n  # no\n\n  - no\n  ```\n- b\n# H',
    ['list: - a\n\n  ```\n  # no\n\n  - no\n  ```\n- b', '1: H'],
  ],
  ['fences', '```js\n# no heading\n\n~~~\n```\nafter', ['code: ```js\n# no heading\n\n~~~\n```', 'paragraph: after']],
  ['a fence closes with one as long', '````\n```\n````\n# H', ['code: ````\n```\n````', '1: H']],
  ['an unclosed fence goes to the end', '~~~\n# no\n\nno', ['code: ~~~\n# no\n\nno']],
  ['inline code is no fence', '```x``` is code', ['paragraph: ```x``` is code']],
  ['indented code', 'a\n\n    code\n\n    more\nb', ['paragraph: a', 'code:     code\n\n    more', 'paragraph: b']],
  [
    'tables',
    'text\n\n| a | b |\n|---|:-:|\n| 1 | 2 |\n\nafter',
    ['paragraph: text', 'table: | a | b |\n|---|:-:|\n| 1 | 2 |', 'paragraph: after'],
  ],
  ['a table without outer bars', 'a | b\n--|--\n1 | 2', ['table: a | b\n--|--\n1 | 2']],
  ['a bar is no table', 'a | b\nc', ['paragraph: a | b\nc']],
  ['quotes', '> a\n> # b\nlazy\n\nc', ['paragraph: > a\n> # b\nlazy', 'paragraph: c']],
  ['HTML', '<div>\n# no\n</div>\n\n# yes', ['paragraph: <div>\n# no\n</div>', '1: yes']],
  ['an address is no tag', '<https://a.b> is\nhere', ['paragraph: <https://a.b> is\nhere']],
  [
    'comments, scripts and styles are left out',
    '<!-- a\n\n# b -->\n<script>\n\nx</script>\n<style>y</style>\nc',
    ['paragraph: c'],
  ],
  ['front matter', '---\ntitle: x\n---\n# H', ['1: H']],
  ['a rule at the beginning is no front matter', '---\n\ntext', ['paragraph: text']],
  ['carriage returns', '# A\r\n\r\nb\r\nc\r\n', ['1: A', 'paragraph: b\r\nc']],
  ['carriage returns alone', '# A\r\rb\rc', ['1: A', 'paragraph: b\rc']],
  ['tabs', '-\ta\n\n\tb\n\n\n\tc', ['list: -\ta\n\n\tb\n\n\n\tc']],
]

for (const [what, text, blocks] of cases) test(what, () => assert.deepEqual(shown(text), blocks))

test('the title: front matter, else the first heading', () => {
  assert.equal(parseMarkdown('---\nauthor: me\ntitle: "The: Title"\n---\n# Other').title, 'The: Title')
  assert.equal(parseMarkdown("+++\ntitle = 'Toml'\n+++\n").title, 'Toml')
  assert.equal(parseMarkdown('text\n\n## Second\n# First').title, 'Second')
  assert.equal(parseMarkdown('no heading').title, undefined)
})

test('any text: blocks are in order, do not overlap, and are not empty', () => {
  const unit = fc.constantFrom(
    ...'#-=*_`~>|<! \t\n\n\r[]x1.)+/'.split(''),
    '    ',
    '```',
    '<!--',
    '-->',
    '---\n',
    '| a |\n|---|\n',
    '<pre>',
    '</pre>',
  )
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 80 }), (units) => {
      const text = units.join('')
      let at = 0
      for (const { start, end, kind } of parseMarkdown(text).blocks) {
        assert.ok(start >= at && end > start, `${kind} ${start} to ${end} after ${at} in ${JSON.stringify(text)}`)
        at = end
      }
      assert.ok(at <= text.length)
    }),
    { numRuns: 3000 },
  )
})

test('hostile shapes take time in proportion to their length', () => {
  for (const shape of [
    '> ',
    '- ',
    '[',
    '`',
    '*',
    '<',
    '|',
    '#',
    '-',
    '\t',
    ' ',
    '~',
    '<!--',
    '|-|\n',
    '```\n',
    '>\n',
    '=\n',
    '- \n\n',
    '1.\n',
  ]) {
    const text = shape.repeat(Math.ceil(300_000 / shape.length))
    assert.ok(parseMarkdown(text).blocks.length <= text.length)
  }
})
