import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateSync } from 'node:zlib'
import { docx, paragraph, pdf, pdfOf, stream, zip } from '../../tests/fixtures/documents.ts'
import { read, refused, soon, texts } from '../../tests/kit/parse.ts'
import { Refusal } from '../base/errors.ts'
import { FILE_BYTES_MAX, type Deadline } from './limits.ts'
import { parse } from './parse.ts'

const over: Deadline = { limitMs: 1, passed: () => true }

// Kinds and encodings

test('what is in the file decides, not its name', async () => {
  assert.equal((await read('page.txt', '<!doctype html><p>Hi</p>')).mediaType, 'text/html')
  assert.equal((await read('page.md', '\n<!-- x -->\n<html><p>Hi</p></html>')).mediaType, 'text/html')
  assert.equal((await read('paper.txt', pdf(['Words on a page']))).mediaType, 'application/pdf')
  assert.match((await read('letter', docx(paragraph('Dear all')))).mediaType, /wordprocessingml/)
  assert.equal((await read('notes.html', 'no tag at all, 3 < 4')).mediaType, 'text/plain')
  assert.equal((await read('readme.md', 'About the mark %PDF-1.7 and others')).mediaType, 'text/markdown')
})

test('a wrong extension that promises more than the file holds is refused', async () => {
  await refused('report.pdf', '<html>404 not found</html>', 'document_unreadable', /named \.pdf/)
  await refused('report.docx', 'just text', 'document_unreadable', /named \.docx/)
})

test('foreign formats are refused by name', async () => {
  await refused('photo.md', Buffer.from('\x89PNG\r\n\x1a\n\0\0', 'latin1'), 'document_unsupported', /image\/png/)
  await refused('old.doc', Buffer.from('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', 'latin1'), 'document_unsupported', /msword/)
  await refused('tool', Buffer.from('\x7fELF\x02\x01', 'latin1'), 'document_unsupported', /elf/)
  await refused(
    'text.odt',
    zip([{ name: 'mimetype', data: 'application/vnd.oasis.opendocument.text', stored: true }]),
    'document_unsupported',
    /opendocument/,
  )
  await refused('data.bin', Buffer.from([1, 2, 0, 3, 65, 66]), 'document_unsupported', /binary/)
  await refused('nulls.txt', `text${'\0'.repeat(10)}text`, 'document_unsupported', /binary/)
  await refused('control.txt', '\x01\x02\x03\x04'.repeat(50), 'document_unsupported', /binary/)
})

test('encodings', async () => {
  assert.equal((await read('a.txt', '\ufeffGrüße')).text, 'Grüße')
  assert.equal((await read('a.txt', Buffer.from('Grüße aus Köln', 'latin1'))).text, 'Grüße aus Köln')
  assert.equal(
    (await read('a.txt', Buffer.from([0x93, 0x48, 0x69, 0x94, 0x20, 0x80, 0x35, 0x20, 0x6f, 0x6b, 0x20, 0x6f, 0x6b])))
      .text,
    '“Hi” €5 ok ok',
  )
  assert.equal((await read('a.txt', Buffer.from('\ufeffGrüße', 'utf16le'))).text, 'Grüße')
  assert.equal((await read('a.txt', Buffer.from('\ufeffGrüße', 'utf16le').swap16())).text, 'Grüße')
  assert.equal(
    (await read('a.html', Buffer.from('<html><meta charset="shift_jis"><p>\x93\xfa\x96\x7b</p></html>', 'latin1')))
      .text,
    '日本',
  )
})

test('a damaged byte in UTF-8 costs one character, not the file', async () => {
  const bytes = Buffer.concat([
    Buffer.from('Größe und Länge überall, schön für Bücher. '.repeat(5)),
    Buffer.from([0xc3]),
    Buffer.from(' Ende'),
  ])
  assert.match((await read('a.txt', bytes)).text, /Größe.*\ufffd Ende$/s)
})

test('bytes that are no known encoding are refused', async () => {
  await refused(
    'a.txt',
    Buffer.from([0x81, 0x8d, 0xf0, 0x41, 0x90, 0x9d, 0xff, 0xfe, 0xc0]),
    'document_unreadable',
    /encoding/,
  )
})

test('an odd number of bytes and a lone surrogate in UTF-16 become replacement characters', async () => {
  const parsed = await read('a.txt', Buffer.from([0xff, 0xfe, 0x41, 0x00, 0x00, 0xd8, 0x42, 0x00, 0x43]))
  assert.ok(parsed.text.isWellFormed())
  assert.match(parsed.text, /^A\ufffdB/)
})

test('a file without bytes, or with white space alone, is empty', async () => {
  await refused('a.md', '', 'document_empty', /no bytes/)
  await refused('a.md', ' \n\n\t ', 'document_empty', /no text/)
  await refused('a.html', '<html><script>x</script></html>', 'document_empty', /no text/)
})

test('sizes', async () => {
  await refused('big.txt', Buffer.alloc(FILE_BYTES_MAX + 1, 'a'), 'document_too_large', /67108864/)
  await refused('line.txt', Buffer.alloc(50_000_000, 'word '), 'document_too_large', /of text/)
  assert.equal((await read('line.txt', Buffer.alloc(10_000_000, 'word '))).blocks.length, 1)
})

// HTML

test('HTML: what can be read, and nothing else', async () => {
  const parsed = await read(
    'page.html',
    `<!doctype html><html><head><title>The &amp; Title</title><style>p{}</style><script>var x="<p>no</p>"</script></head><body>
     <nav><a href=/>Home</a></nav><h1>Guide</h1><p>One&nbsp;two<br>three &lt;tag&gt; &eacute;</p>
     <div hidden>no</div><p style="display: none">no</p><span aria-hidden="true">no</span>
     <ul><li>first<li>second<ol><li>inner</ol></ul>
     <table><tr><th>a<th>b</tr><tr><td>1<td><p>2</p></tr></table>
     <pre>  code
    kept</pre>loose text<template>no</template></body></html>`,
  )
  assert.equal(parsed.title, 'The & Title')
  assert.deepEqual(texts(parsed), [
    'heading: Guide',
    'paragraph: One two\nthree <tag> é',
    'list: - first\n- second\n  1. inner',
    'table: a | b\n1 | 2',
    'code:   code\n    kept',
    'paragraph: loose text',
  ])
})

test('HTML: the main part alone, where the page has one', async () => {
  const parsed = await read(
    'page.html',
    `<html><body><header>Site</header><main><h2>Topic</h2><p>${'word '.repeat(40)}</p></main><footer>Imprint</footer></body></html>`,
  )
  assert.doesNotMatch(parsed.text, /Site|Imprint/)
  assert.equal(parsed.title, 'Topic')
})

test('HTML: 100,000 elements inside one another are refused, unclosed ones too', async () => {
  await refused('deep.html', `<html>${'<div>'.repeat(100_000)}x`, 'document_unreadable', /nests deeper/)
  await refused(
    'deep.html',
    `<html>${'<b>'.repeat(100_000)}x${'</i>'.repeat(100_000)}`,
    'document_unreadable',
    /nests deeper/,
  )
})

test('HTML: broken markup is read as far as it goes', async () => {
  assert.match((await read('a.html', '<html><p>one</b><table><td>cell</p><p>two <a href="x')).text, /one[^]*cell/)
  assert.equal((await read('a.html', '<html>&#0;&#xD800;&bogus; x')).text.isWellFormed(), true)
})

test('a parser that runs out of time says so', async () => {
  await refused('slow.html', '<html><p>x</p>', 'document_timeout', /longer than 1 ms/, over)
  await refused('slow.pdf', pdf(['x']), 'document_timeout', /longer/, over)
  await refused('slow.docx', docx(paragraph('x')), 'document_timeout', /longer/, over)
})

// DOCX

test('DOCX: paragraphs, headings by style name, lists, tables, deletions', async () => {
  const styles = `<w:styles><w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style><w:style w:styleId="Own"><w:name w:val="Own"/><w:basedOn w:val="berschrift1"/></w:style></w:styles>`
  const body =
    paragraph('The plan', 'berschrift1') +
    '<w:p><w:r><w:t>Keep </w:t></w:r><w:del><w:r><w:delText>old</w:delText><w:t>old</w:t></w:r></w:del><w:r><w:t>this &amp; that</w:t><w:br/><w:t>next</w:t></w:r></w:p>' +
    '<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/></w:numPr></w:pPr><w:r><w:t>one</w:t></w:r></w:p>' +
    '<w:p><w:pPr><w:numPr><w:ilvl w:val="1"/></w:numPr></w:pPr><w:r><w:t>two</w:t></w:r></w:p>' +
    `<w:tbl><w:tr><w:tc>${paragraph('a')}</w:tc><w:tc>${paragraph('b')}${paragraph('c')}</w:tc></w:tr></w:tbl>` +
    paragraph('Details', 'Own')
  const parsed = await read('plan.docx', docx(body, [{ name: 'word/styles.xml', data: styles }]))
  assert.equal(parsed.title, 'The plan')
  assert.deepEqual(texts(parsed), [
    'heading: The plan',
    'paragraph: Keep this & that\nnext',
    'list: - one\n  - two',
    'table: a | b c',
    'heading: Details',
  ])
  assert.deepEqual(parsed.blocks.map((block) => block.level).filter(Boolean), [1, 1])
})

test('DOCX: footnotes and endnotes are read after the text', async () => {
  const part = (name: string, text: string) => ({
    name: `word/${name}s.xml`,
    data: `<w:${name}s><w:${name} w:type="separator"><w:p/></w:${name}><w:${name}>${paragraph(text)}</w:${name}></w:${name}s>`,
  })
  const parsed = await read('x.docx', docx(paragraph('text'), [part('endnote', 'Late'), part('footnote', 'Low')]))
  assert.deepEqual(texts(parsed), ['paragraph: text', '# Notes', 'paragraph: Low', '# Notes', 'paragraph: Late'])
})

test('DOCX: the title of its properties comes first', async () => {
  const core = {
    name: 'docProps/core.xml',
    data: '<cp:coreProperties><dc:title>Plan &amp; more</dc:title></cp:coreProperties>',
  }
  assert.equal((await read('x.docx', docx(paragraph('text'), [core]))).title, 'Plan & more')
  assert.equal((await read('x.docx', docx(paragraph('text')))).title, 'x')
})

test('DOCX: a zip bomb costs its first bytes', async () => {
  await refused(
    'bomb.docx',
    docx(`<w:p><w:r><w:t>${' '.repeat(80_000_000)}</w:t></w:r></w:p>`),
    'document_too_large',
    /zip bomb/,
  )
})

test('DOCX: a bomb that lies in its directory is limited by what comes out', async () => {
  const bytes = Buffer.from(docx(`<w:p>${' '.repeat(80_000_000)}</w:p>`))
  const directory = bytes.indexOf('word/document.xml', bytes.indexOf('PK\x01\x02')) - 46
  bytes.writeUInt32LE(100, directory + 24)
  await refused('bomb.docx', bytes, 'document_too_large', /zip bomb/)
})

test('DOCX: an archive within an archive is not opened', async () => {
  let inner = zip([{ name: 'x', data: 'x'.repeat(1000) }])
  for (let i = 0; i < 20; i++) inner = zip([{ name: `${i}.zip`, data: inner }])
  await refused('nested.docx', inner, 'document_unsupported', /zip/)
})

test('DOCX: too many entries', async () => {
  await refused(
    'many.docx',
    zip(Array.from({ length: 10_001 }, (_, i) => ({ name: `${i}`, data: '', stored: true }))),
    'document_unreadable',
    /10000 entries/,
  )
})

test('DOCX: cut off anywhere, it is refused or read, and nothing throws', async () => {
  const whole = docx(paragraph('Some text that is compressed '.repeat(20)))
  for (let length = 4; length < whole.length; length += 7) {
    const parsed = await parse('cut.docx', whole.subarray(0, length), soon())
    assert.ok(parsed instanceof Refusal)
    assert.equal(parsed.code, 'document_unreadable')
  }
})

test('DOCX: any byte changed, it is refused or read, and nothing throws', async () => {
  const whole = Buffer.from(docx(paragraph('Some text that is compressed '.repeat(20))))
  for (let at = 0; at < whole.length; at += 3) {
    const bytes = Buffer.from(whole)
    bytes[at] = (bytes[at] ?? 0) ^ 0xff
    const parsed = await parse('bad.docx', bytes, soon())
    if (parsed instanceof Refusal) assert.match(parsed.code, /^document_/)
  }
})

test('DOCX: 10,000 levels of nesting', async () => {
  await refused(
    'deep.docx',
    docx('<w:sdt>'.repeat(10_000) + paragraph('x') + '</w:sdt>'.repeat(10_000)),
    'document_unreadable',
    /nests deeper/,
  )
})

test('DOCX: a billion laughs', async () => {
  const entities = Array.from({ length: 10 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`).join('')
  const xml = `<?xml version="1.0"?><!DOCTYPE d [<!ENTITY l0 "lol">${entities}]><w:document><w:body>${paragraph('&l10;')}</w:body></w:document>`
  await refused('laughs.docx', zip([{ name: 'word/document.xml', data: xml }]), 'document_unreadable', /document type/)
})

// PDF

test('PDF: text by page, title, pages as headings, divided words joined', async () => {
  const parsed = await read(
    'report.pdf',
    pdf(['First page with an exam-\nple of hyphens', 'Second page'], 'The report'),
  )
  assert.equal(parsed.title, 'The report')
  assert.equal(parsed.text, 'First page with an example of hyphens\n\nSecond page')
  assert.deepEqual(
    parsed.blocks.map((block) => block.text ?? ''),
    ['Page 1', '', 'Page 2', ''],
  )
})

test('PDF: 1,000 pages', async () => {
  const parsed = await read('long.pdf', pdf(Array.from({ length: 1000 }, (_, i) => `This is page ${i + 1}.`)))
  assert.match(parsed.text, /This is page 1000\./)
  assert.equal(parsed.note, undefined)
})

test('PDF: past the limit the first pages are read, and that is noted', async () => {
  const parsed = await read('long.pdf', pdf(Array.from({ length: 2010 }, (_, i) => `Page text ${i + 1}.`)))
  assert.match(parsed.note ?? '', /first 2000 of 2010/)
  assert.doesNotMatch(parsed.text, /Page text 2001/)
})

test('PDF: cut off, it is refused or read in part', async () => {
  const whole = pdf(Array.from({ length: 5 }, (_, i) => `Text of page ${i + 1}`))
  for (const share of [0.05, 0.3, 0.6, 0.9, 0.99]) {
    const parsed = await parse('cut.pdf', whole.subarray(0, Math.floor(whole.length * share)), soon())
    if (parsed instanceof Refusal) assert.match(parsed.code, /^document_(?:unreadable|empty)$/)
    else assert.match(parsed.text, /Text of page/)
  }
})

test('PDF: page trees and references that run in circles', async () => {
  const circle = pdfOf(['<< /Type /Catalog /Pages 2 0 R >>', '<< /Type /Pages /Kids [2 0 R] /Count 1000000 >>'])
  await refused('circle.pdf', circle, 'document_unreadable', /./)
  const itself = pdfOf(['<< /Type /Catalog /Pages 2 0 R >>', '2 0 R'])
  await refused('itself.pdf', itself, 'document_unreadable', /./)
  const form = pdfOf([
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /XObject << /X 5 0 R >> >> >>',
    stream('/X Do'),
    stream('/X Do', '/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 5 0 R >> >>'),
  ])
  const parsed = await parse('form.pdf', form, soon())
  assert.ok(parsed instanceof Refusal)
})

test('PDF: pictures alone', async () => {
  await refused('scan.pdf', pdf(['']), 'document_empty', /a page of images/)
})

test('PDF: encrypted', async () => {
  const locked = pdfOf(
    [
      '<< /Type /Catalog /Pages 2 0 R >>',
      '<< /Type /Pages /Kids [] /Count 0 >>',
      `<< /Filter /Standard /V 1 /R 2 /O (${'o'.repeat(32)}) /U (${'u'.repeat(32)}) /P -4 >>`,
    ],
    '/Encrypt 3 0 R /ID [(a) (a)]',
  )
  await refused('locked.pdf', locked, 'document_unreadable', /encrypted/)
})

test('PDF: a compressed page that is no text', async () => {
  const packed = deflateSync(Buffer.alloc(1_000_000, '0 0 m ')).toString('latin1')
  const bytes = pdfOf([
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>',
    stream(packed, '/Filter /FlateDecode'),
  ])
  await refused('rubbish.pdf', bytes, 'document_empty', /image/)
})
