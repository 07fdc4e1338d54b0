import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseInlines, parseMarkdown, withoutHalfMarker, type Block, type Inline } from './markdown.ts'

const text = (value: string): Inline => ({ kind: 'text', text: value })

test('paragraphs, headings, rules and quotes', () => {
  assert.deepEqual(parseMarkdown('# One\n\nFirst\nline\n\n---\n> said\n> so'), [
    { kind: 'heading', level: 1, inlines: [text('One')] },
    { kind: 'paragraph', inlines: [text('First\nline')] },
    { kind: 'rule' },
    { kind: 'quote', inlines: [text('said\nso')] },
  ])
})

test('citations stand alone, side by side and in lists; a link is no citation', () => {
  assert.deepEqual(parseInlines('Yes [1][2] and [3, 14].'), [
    text('Yes '),
    { kind: 'citation', number: 1 },
    { kind: 'citation', number: 2 },
    text(' and '),
    { kind: 'citation', number: 3 },
    { kind: 'citation', number: 14 },
    text('.'),
  ])
  assert.deepEqual(parseInlines('[1](https://a.example/)'), [
    { kind: 'link', href: 'https://a.example/', inlines: [text('1')] },
  ])
  assert.deepEqual(parseInlines('a[i] [1234] [x]'), [text('a[i] [1234] [x]')])
})

test('inside code nothing is read', () => {
  assert.deepEqual(parseInlines('run `a[1] **b**` now'), [
    text('run '),
    { kind: 'code', text: 'a[1] **b**' },
    text(' now'),
  ])
  assert.deepEqual(parseMarkdown('```yaml\nmodels:\n  - [1]\n\n# no heading\n```\nafter'), [
    { kind: 'code', language: 'yaml', text: 'models:\n  - [1]\n\n# no heading' },
    { kind: 'paragraph', inlines: [text('after')] },
  ])
})

test('a fence that is still open is code to the end', () => {
  assert.deepEqual(parseMarkdown('```\nhalf\n`'), [{ kind: 'code', language: '', text: 'half\n`' }])
})

test('strong and emphasis; names_with_underscores and sums are left alone', () => {
  assert.deepEqual(parseInlines('**bold *both*** and *soft*'), [
    { kind: 'strong', inlines: [text('bold '), { kind: 'emphasis', inlines: [text('both')] }] },
    text(' and '),
    { kind: 'emphasis', inlines: [text('soft')] },
  ])
  assert.deepEqual(parseInlines('snake_case_name, 2 * 3 * 4, a*b'), [text('snake_case_name, 2 * 3 * 4, a*b')])
})

test('only links into the open web are links', () => {
  for (const href of [
    'javascript:alert(1)',
    'data:text/html,x',
    '//host/x',
    '/api/keys',
    'https://',
    'JaVaScRiPt:x',
    'https:///x',
  ]) {
    assert.deepEqual(parseInlines(`[go](${href})`), [text(`[go](${href})`)], href)
  }
})

test('lists: ordered, nested, with continued lines and code inside', () => {
  const [list] = parseMarkdown(
    '3. one\n   more\n4. two\n   - inner [1]\n   - other\n\n5. three\n   ```sh\n   ls\n   ```\n',
  )
  assert.ok(list?.kind === 'list')
  assert.deepEqual([list.ordered, list.start, list.items.length], [true, 3, 3])
  assert.deepEqual(list.items[0]?.inlines, [text('one\nmore')])
  const inner = list.items[1]?.inner[0]
  assert.ok(inner?.kind === 'list' && inner.items.length === 2 && !inner.ordered)
  assert.deepEqual(list.items[2]?.inner, [{ kind: 'code', language: 'sh', text: 'ls' }])
})

test('tables, with escaped bars', () => {
  assert.deepEqual(parseMarkdown('| a | b |\n|---|:-:|\n| 1 | x\\|y |\n\nend'), [
    { kind: 'table', head: [[text('a')], [text('b')]], rows: [[[text('1')], [text('x|y')]]] },
    { kind: 'paragraph', inlines: [text('end')] },
  ])
})

test('markup in an answer is text', () => {
  assert.deepEqual(parseMarkdown('<img src=x onerror=alert(1)>'), [
    { kind: 'paragraph', inlines: [text('<img src=x onerror=alert(1)>')] },
  ])
})

test('half a marker is held back until it is whole', () => {
  assert.equal(withoutHalfMarker('flows. [1'), 'flows.')
  assert.equal(withoutHalfMarker('flows. [1]['), 'flows. [1]')
  assert.equal(withoutHalfMarker('flows. [1]'), 'flows. [1]')
  assert.equal(withoutHalfMarker('a [link'), 'a [link')
})

test('any text whatever is parsed, and no word of it is lost', () => {
  const pieces = fc.constantFrom(
    '- ',
    '1. ',
    '  ',
    '\n',
    '\n\n',
    '```',
    '`',
    '**',
    '*',
    '_',
    '[1]',
    '[a](https://b.example)',
    '|',
    '|---|\n',
    '# ',
    '> ',
    'word',
    'x y',
    '~~~',
  )
  const words = (blocks: readonly Block[]) => JSON.stringify(blocks).match(/word/g)?.length ?? 0
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      const source = parts.join('')
      // The name of a fenced block's language is the one thing that is not drawn as text.
      fc.pre(!/(?:`{3}|~{3})[^\n]*word/.test(source))
      assert.equal(words(parseMarkdown(source)), source.match(/word/g)?.length ?? 0)
    }),
    { numRuns: 2000 },
  )
})
