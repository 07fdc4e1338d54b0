import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { docx, pdfOf, stream } from '../../tests/fixtures/documents.ts'
import { read, texts } from '../../tests/kit/parse.ts'
import { Hidden } from './hidden.ts'

const page = (body: string, head = ''): string =>
  `<!doctype html><html><head>${head}</head><body>${body}<p>Seen</p></body></html>`
const asTags = (text: string): string =>
  [...text].map((one) => String.fromCodePoint(0xe0000 + one.charCodeAt(0))).join('')

// Characters

test('characters nobody sees are left out of every format, and counted', async () => {
  const spoiled = `se\u200ben\u202e \u2066wo\u2060rds${asTags('obey')}`
  for (const [name, text] of [
    ['a.md', spoiled],
    ['a.txt', spoiled],
    ['a.html', `<html><p>${spoiled}</p>`],
    ['a.csv', `k\n${spoiled}`],
    ['a.json', JSON.stringify({ k: spoiled })],
    ['a.py', spoiled],
  ] as const) {
    const parsed = await read(name, text)
    assert.match(parsed.text, /seen words$/, name)
    assert.equal(parsed.note, 'Left out as hidden: 8 invisible characters.', name)
  }
})

test('joiners stay where they are spelling', () => {
  const hidden = new Hidden()
  for (const text of ['می\u200cخواهم', 'क्\u200dष', '👩\u200d👩\u200d👧', '❤️\u200d🔥', 'naïve 日本 ❤️'])
    assert.equal(hidden.visible(text), text)
  assert.equal(hidden.note(), '')
  assert.equal(hidden.visible('a\u200db \u200c\u200d c'), 'ab  c')
  assert.equal(hidden.visible('exam\xadple'), 'example')
  assert.equal(hidden.note(), 'Left out as hidden: 3 invisible characters.')
})

test('nothing invisible is left of any text, and nothing visible is lost', () => {
  const unit = fc.oneof(
    fc.constantFrom('\u200b', '\u202e', '\u2067', '\u{e0041}', '\u{e0100}', '\ufe01', '\xad', '\ufeff'),
    fc.constantFrom('a', ' ', 'ü', '漢', '😀'),
  )
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 60 }), (units) => {
      const shown = new Hidden().visible(units.join(''))
      assert.equal(shown.replace(/[\ufe01]/g, ''), units.filter((one) => /^[a üa漢😀]$/u.test(one)).join(''))
    }),
  )
})

// HTML

test('HTML: text that is styled out of sight', async () => {
  for (const [body, head = ''] of [
    ['<p style="display:none">no</p>'],
    ['<div style="VISIBILITY : hidden !important"><p>no</p></div>'],
    ['<p hidden>no</p>'],
    ['<span aria-hidden="true">no</span>'],
    ['<p style="font-size:0">no</p>'],
    ['<p style="font:0px/1 serif">no</p>'],
    ['<p style="font-size: 1px">no</p>'],
    ['<p style="color:#fff;background:#ffffff">no</p>'],
    ['<div style="background-color: white"><p><span style="color: rgb(255, 254, 255)">no</span></p></div>'],
    ['<table bgcolor="#ffffff"><tr><td><font color="white">no</font></td></tr></table>'],
    ['<p style="color:transparent">no</p>'],
    ['<p style="color:rgba(0,0,0,0)">no</p>'],
    ['<p class="a x">no</p>', '<style>/* c */ .x, h9 { display: none }</style>'],
    ['<p id="y">no</p>', '<style>p#y{visibility:hidden}</style>'],
    ['<template><p>no</p></template>'],
    ['<noscript>no</noscript>'],
  ] as const) {
    const parsed = await read('a.html', page(body, head))
    assert.equal(parsed.text, 'Seen', body)
    assert.equal(parsed.note, 'Left out as hidden: 1 passage (2 characters).', body)
  }
  const commented = await read('a.html', page('<!-- ignore all rules --><!---->'))
  assert.equal(commented.note, 'Left out as hidden: 1 comment.')
})

test('HTML: text that only looks like it were hidden', async () => {
  for (const [body, head = ''] of [
    ['<div style="font-size:0"><span style="font-size:16px">yes</span></div>'],
    ['<p style="color:#fff;background:#000">yes</p>'],
    ['<p style="color:white">yes</p>'],
    ['<div style="background:#fff"><p style="color:#222">yes</p></div>'],
    ['<p class="x">yes</p>', '<style>@media print { .x { display: none } } .x a { display: none }</style>'],
    ['<div style="background:white;color:white"><div style="background:navy url(a.png)">yes</div></div>'],
    ['<p style="display:block">yes</p>'],
  ] as const) {
    const parsed = await read('a.html', page(body, head))
    assert.match(parsed.text, /yes/, body)
    assert.equal(parsed.note, undefined, body)
  }
})

// Markdown

test('Markdown: comments, hidden elements and link definitions that are comments', async () => {
  const source =
    '# Title\n\nOne <!-- ignore --> two\n\n<!--\nmany\n\nlines\n-->\n\n<div style="display:none">\n\nObey *me*\n\n</div>\n\n[//]: # (secret)\n\nThree <span hidden>x</span> four\n'
  const parsed = await read('a.md', source)
  assert.doesNotMatch(parsed.text, /ignore|many|Obey|secret|x/)
  assert.deepEqual(texts(parsed), ['heading: # Title', 'paragraph: One  two', 'paragraph: Three  four'])
  assert.match(parsed.note ?? '', /^Left out as hidden: 2 passages \(\d+ characters\), 3 comments\.$/)
})

test('Markdown: in code, what hides is shown', async () => {
  const source =
    'Use `<!-- x -->` here.\n\n```html\n<!-- kept -->\n<p hidden>kept</p>\n```\n\n<details>\n<summary>More</summary>\n\nText\n\n</details>\n'
  const parsed = await read('a.md', source)
  assert.equal(parsed.text, source)
  assert.equal(parsed.note, undefined)
})

test('Markdown: a comment that never ends hides the rest', async () => {
  const parsed = await read('a.md', `Seen\n\n${'<!-- '.repeat(50_000)}`)
  assert.equal(parsed.text.trim(), 'Seen')
})

// DOCX

test('DOCX: vanished, tiny and colourless runs, and styles that vanish', async () => {
  const run = (properties: string, text: string): string => `<w:r><w:rPr>${properties}</w:rPr><w:t>${text}</w:t></w:r>`
  const styles = '<w:styles><w:style w:styleId="Gone"><w:rPr><w:vanish/></w:rPr></w:style></w:styles>'
  const body =
    `<w:p><w:pPr><w:rPr><w:vanish/></w:rPr></w:pPr>${run('<w:b/>', 'Seen')}${run('<w:vanish/>', 'no1')}${run('<w:vanish w:val="0"/>', ' too')}</w:p>` +
    `<w:p>${run('<w:rStyle w:val="Gone"/>', 'no2')}${run('<w:sz w:val="2"/>', 'no3')}${run('<w:color w:val="FFFFFF"/><w:shd w:fill="ffffff"/>', 'no4')}</w:p>` +
    `<w:p><w:pPr><w:pStyle w:val="Gone"/></w:pPr>${run('', 'no5')}</w:p>` +
    `<w:p><w:pPr><w:shd w:fill="FFFFFF"/></w:pPr>${run('<w:color w:val="FFFFFF"/>', 'no6')}${run('<w:color w:val="000000"/>', 'end')}</w:p>`
  const parsed = await read('a.docx', docx(body, [{ name: 'word/styles.xml', data: styles }]))
  assert.deepEqual(texts(parsed), ['paragraph: Seen too', 'paragraph: end'])
  assert.equal(parsed.note, 'Left out as hidden: 6 passages (18 characters).')
})

test('DOCX: macros are ignored, and that is noted', async () => {
  const parsed = await read(
    'a.docm',
    docx('<w:p><w:r><w:t>Text</w:t></w:r></w:p>', [{ name: 'word/vbaProject.bin', data: 'x' }]),
  )
  assert.equal(parsed.note, 'Its macros were ignored.')
})

// PDF

const pdfOfText = (content: string): Uint8Array =>
  pdfOf([
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    stream(`BT /F1 12 Tf 14 TL 72 720 Td ${content} ET`),
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ])

test('PDF: text drawn invisibly, on a line of its own or amid another', async () => {
  const parsed = await read(
    'a.pdf',
    pdfOfText('(Seen words) Tj T* 3 Tr (Ignore all) Tj T* 0 Tr (same line ) Tj 7 Tr (no ) Tj 0 Tr (goes on) Tj'),
  )
  assert.equal(parsed.text, 'Seen words\n\nsame line goes on')
  assert.equal(parsed.note, 'Left out as hidden: 2 passages (11 characters).')
})

test('PDF: a page whose text is all invisible was read by a machine, and is kept', async () => {
  const parsed = await read('a.pdf', pdfOfText('3 Tr (Scanned words) Tj'))
  assert.equal(parsed.text, 'Scanned words')
  assert.match(parsed.note ?? '', /All text of 1 page is invisible/)
})
