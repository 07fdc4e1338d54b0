import assert from 'node:assert/strict'
import { test } from 'node:test'
import { docx, epub, message, paragraph, pptx, shape, zip } from '../../tests/fixtures/documents.ts'
import { hostile, overlapping, samples } from '../../tests/fixtures/samples.ts'
import { read, refused, soon } from '../../tests/kit/parse.ts'
import { Refusal, sentenceOf } from '../base/errors.ts'
import { parse } from './parse.ts'

const files = hostile()

for (const [name, bytes] of files)
  test(`hostile: ${name} is refused with a reason`, async () => {
    const parsed = await parse(name, bytes, soon())
    assert.ok(parsed instanceof Refusal, 'it was read')
    assert.match(parsed.code, /^document_(?:unreadable|too_large)$/, sentenceOf(parsed))
  })

test('what each is refused for', async () => {
  const reasons: Readonly<Record<string, RegExp>> = {
    'bomb.xlsx': /zip bomb/,
    'overlap.epub': /document type|package|zip bomb/,
    'entities.pptx': /document type/,
    'deep.json': /nests deeper than 1000/,
    'deep.eml': /parts nest deeper than 50/,
    'deep.epub': /nests deeper than 1000/,
    'circle.epub': /circle/,
    'headers.eml': /more than 1000 header lines/,
    'parts.eml': /more than 1000 parts/,
    'cell.csv': /of text/,
  }
  for (const [name, reason] of Object.entries(reasons)) {
    const parsed = await parse(name, files.get(name) ?? new Uint8Array(), soon())
    assert.ok(parsed instanceof Refusal)
    assert.match(sentenceOf(parsed), reason, name)
  }
})

test('entries of an archive that are the same bytes count each time they are read', async () => {
  const chapters = Array.from({ length: 500 }, (_, i) => `c${i}`)
  const names = ['META-INF/container.xml', 'b', ...chapters]
  // One text that is a container, a package and a chapter at once.
  const items = chapters
    .map((name) => `<item id="${name}" href="${name}" media-type="text/html"/><itemref idref="${name}"/>`)
    .join('')
  const text = `<?xml version="1.0"?><x><rootfile full-path="b"/>${items}${' '.repeat(1_000_000)}</x>`
  for (const packed of [true, false])
    await refused('b.epub', overlapping(names, Buffer.from(text), { packed }), 'document_too_large', /zip bomb/)
})

test('archives within archives are not opened, wherever they stand', async () => {
  let inner = zip([{ name: 'x', data: 'x'.repeat(1000) }])
  for (let i = 0; i < 20; i++) inner = zip([{ name: `${i}.zip`, data: inner }])
  await refused('nested.epub', inner, 'document_unsupported', /zip/)
  const body = [
    '--b',
    'Content-Type: application/zip; name=n.zip',
    'Content-Transfer-Encoding: base64',
    '',
    Buffer.from(inner).toString('base64'),
    '--b--',
  ].join('\r\n')
  const mail = await read('a.eml', message(['Content-Type: multipart/mixed; boundary=b'], body))
  assert.match(mail.note ?? '', /n\.zip was left out: Files of the type application\/zip/)
  const ignored = await read('a.docx', docx(paragraph('text'), [{ name: 'word/embeddings/n.zip', data: inner }]))
  assert.equal(ignored.text, 'text')
})

test('a bomb that is attached costs the attachment, not the message', async () => {
  const bomb = docx(paragraph(' '.repeat(20_000_000)))
  const body = [
    '--b',
    '',
    'Hello',
    '--b',
    'Content-Disposition: attachment; filename=b.docx',
    'Content-Type: x/y',
    'Content-Transfer-Encoding: base64',
    '',
    Buffer.from(bomb).toString('base64'),
    '--b--',
  ].join('\r\n')
  const mail = await read('a.eml', message(['Content-Type: multipart/mixed; boundary=b'], body))
  assert.match(mail.text, /Hello$/)
  assert.match(mail.note ?? '', /b\.docx was left out: .*zip bomb/)
})

test('parts that refer to themselves', async () => {
  const rels = '<Relationships><Relationship Id="r" Type="x/notesSlide" Target="slide1.xml"/></Relationships>'
  const parsed = await read(
    'a.pptx',
    pptx([{ shapes: shape(['once']) }], [{ name: 'ppt/slides/_rels/slide1.xml.rels', data: rels }]),
  )
  assert.equal(parsed.text, 'once')
  const manifest = '<item id="c0" href="../OEBPS/book.opf" media-type="application/xhtml+xml"/>'
  const book = await parse('a.epub', epub({ chapters: ['x'], manifest }), soon())
  assert.ok(book instanceof Refusal ? book.code === 'document_empty' : book.text.length < 1000)
})

test('every format, cut off at every tenth, is read in part or refused', async () => {
  for (const [name, whole] of samples()) {
    for (let tenth = 1; tenth < 10; tenth++) {
      const parsed = await parse(name, whole.subarray(0, Math.floor((whole.length * tenth) / 10)), soon())
      if (parsed instanceof Refusal)
        assert.match(parsed.code, /^document_(?:unreadable|empty)$/, `${name} at ${tenth}/10`)
    }
  }
})

test('every format under the name of every other is read as what it is, or refused', async () => {
  for (const [name, bytes] of samples()) {
    const { mediaType } = await read(name, bytes)
    const isMagic = /pdf|openxml|epub|rfc822|html/.test(mediaType)
    for (const other of samples().keys()) {
      const parsed = await parse(`b${other.slice(1)}`, bytes, soon())
      if (isMagic && !(parsed instanceof Refusal && parsed.code === 'document_unreadable'))
        assert.equal(parsed instanceof Refusal ? parsed.code : parsed.mediaType, mediaType, `${name} as ${other}`)
      else if (parsed instanceof Refusal) assert.equal(parsed.code, 'document_unreadable', `${name} as ${other}`)
    }
  }
})

/** Short inputs repeated: what makes patterns go over the same text again and again. */
const REPEATED: readonly (readonly [name: string, unit: string])[] = [
  ['a.md', '<!-- '],
  ['a.md', '<p hidden>'],
  ['a.md', '`'],
  ['a.md', '[//]: # '],
  ['a.md', '<a style="'],
  ['a.md', '| '],
  ['a.md', '> '],
  ['a.html', '<p style="color:red'],
  ['a.html', '<style>'],
  ['a.html', '<style>a{'],
  ['a.html', '<!--'],
  ['a.html', '<p hidden>'],
  ['a.html', '&#8203;'],
  ['a.html', '<table>'],
  ['a.json', '/*'],
  ['a.json', '"'],
  ['a.json', ',\n'],
  ['a.json', '//\n'],
  ['a.json', '[1,'],
  ['a.csv', '"'],
  ['a.csv', '""",'],
  ['a.csv', '\n'],
  ['a.csv', '\u200b'],
  ['a.ts', 'function '],
  ['a.ts', '  '],
  ['a.ts', '\n \n'],
  ['a.ts', 'a('],
  ['a.ts', 'export '],
  ['a.ts', 'a: a '],
  ['a.mk', 'a '],
  ['Makefile', 'a b '],
  ['a.yaml', 'a:\n'],
  ['a.sql', 'create '],
  ['a.txt', '\u200d'],
  ['a.txt', '\ufe0f'],
  ['a.txt', '\u{e0041}'],
]

for (const [name, unit] of REPEATED)
  test(`hostile: ${JSON.stringify(unit)} a million times in ${name} takes no longer than reading it`, async () => {
    const text = unit.repeat(Math.ceil(1_000_000 / unit.length))
    const parsed = await parse(name, Buffer.from(text), soon())
    assert.ok(!(parsed instanceof Refusal) || parsed.code !== 'document_timeout')
    const mail = await parse('a.eml', message(['Content-Type: text/html'], text), soon())
    assert.ok(!(mail instanceof Refusal) || mail.code !== 'document_timeout')
  })

test('hostile: lines and headers of a message that repeat', async () => {
  for (const unit of [' ', '=?utf-8?q?', '=', '--b', '; a*0*=b', ' \t', '"', '<'])
    for (const header of [
      `Subject: ${unit.repeat(100_000)}`,
      `Content-Type: multipart/mixed; boundary=b${unit.repeat(1_000)}`,
    ]) {
      const body = `${unit.repeat(200_000)}\r\n${`${unit}\r\n`.repeat(50_000)}`
      for (const encoding of ['quoted-printable', 'base64', '7bit']) {
        const parsed = await parse('a.eml', message([header, `Content-Transfer-Encoding: ${encoding}`], body), soon())
        assert.ok(!(parsed instanceof Refusal) || parsed.code !== 'document_timeout')
      }
    }
})
