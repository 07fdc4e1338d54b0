import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { read, refused, texts } from '../../tests/kit/parse.ts'

// CSV and TSV

test('CSV: rows are lines that carry the names of their columns', async () => {
  const parsed = await read('people.csv', 'Name,City,Born\r\nAda,"London, UK",1815\r\n"Charles ""C."" B.",,1791\r\n')
  assert.equal(parsed.mediaType, 'text/csv')
  assert.deepEqual(texts(parsed), ['table: Name: Ada; City: London, UK; Born: 1815\nName: Charles "C." B.; Born: 1791'])
})

test('CSV: whatever separates, cells of several lines, no header, one column', async () => {
  assert.equal((await read('a.csv', 'k;v\n1,5;x\n')).text, 'k: 1,5; v: x')
  assert.equal((await read('a.tsv', 'k\tv\n1\t2, 3\n')).text, 'k: 1; v: 2, 3')
  assert.equal((await read('a.csv', 'k|v\n1|2\n')).text, 'k: 1; v: 2')
  assert.equal((await read('a.csv', 'k,v\n1,"two\nlines"\n')).text, 'k: 1; v: two lines')
  assert.equal((await read('a.csv', '1,2\n3,4\n')).text, '1 | 2\n3 | 4')
  assert.equal((await read('a.csv', 'name\nAda\nBob\n')).text, 'name: Ada\nname: Bob')
  assert.equal((await read('a.csv', 'a,b\n')).text, 'a | b')
  assert.equal((await read('a.csv', 'a,b\r1,2\r')).text, 'a: 1; b: 2')
})

test('CSV: quotes that are never closed, rubbish after a quote, rows of other lengths', async () => {
  assert.equal((await read('a.csv', 'a,b\n1,"open\n2,3')).text, 'a: 1; b: open 2,3')
  assert.equal((await read('a.csv', 'a,b\n"1"x,2')).text, 'a: 1x; b: 2')
  assert.equal((await read('a.csv', 'a,b\n1,2,3\n4')).text, 'a: 1; b: 2; 3\na: 4')
  await refused('a.csv', ',,,\n,,', 'document_empty', /no text/)
})

test('CSV: every cell of any table is found again', async () => {
  const cell = fc.string({ unit: fc.constantFrom('a', 'b', ' ', ',', '"', '\n', 'ü'), minLength: 1, maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(cell, { minLength: 2, maxLength: 3 }), { minLength: 1, maxLength: 6 }),
      async (rows) => {
        const quoted = rows.map((row) => row.map((text) => `"${text.replaceAll('"', '""')}"`).join(',')).join('\n')
        if (rows.flat().every((text) => text.trim() === '')) return
        const { text } = await read('a.csv', `"one","two","three"\n${quoted}`)
        for (const one of rows.flat()) assert.ok(text.includes(one.replace(/\s+/g, ' ').trim()))
      },
    ),
  )
})

// JSON

test('JSON: members that hold others are headings, the rest are lines', async () => {
  const parsed = await read(
    'config.json',
    JSON.stringify({
      name: 'demo',
      tags: ['a', 'b'],
      none: null,
      server: { port: 80, tls: { on: true } },
      users: [{ id: 1, address: { city: 'Köln' } }, { id: 2 }],
    }),
  )
  assert.equal(parsed.mediaType, 'application/json')
  assert.deepEqual(texts(parsed), [
    'list: name: demo\ntags: a, b',
    'heading: server',
    'list: port: 80',
    'heading: tls',
    'list: on: true',
    'heading: users',
    'list: id: 1\naddress.city: Köln',
    'list: id: 2',
  ])
  assert.deepEqual(parsed.blocks.map(({ level }) => level).filter(Boolean), [1, 2, 1])
})

test('JSON: deep parts are paths, scalars are text, settings may have comments', async () => {
  const deep = '{"a":{"b":{"c":{"d":{"e":{"f":{"g":1}}}}}}}'
  assert.match((await read('a.json', deep)).text, /e\n\nf\.g: 1$/)
  assert.equal((await read('a.json', '"just text"')).text, 'just text')
  assert.equal((await read('a.json', '// c\n{"a": "x // y", /* , } */ "b": [1, 2,],\n}')).text, 'a: x // y\nb: 1, 2')
})

test('JSON Lines: every line a record, also where the name says JSON', async () => {
  const lines = '{"q":"one","n":{"m":1}}\n\n{"q":"two"}\n'
  for (const name of ['a.jsonl', 'a.ndjson', 'a.json'])
    assert.deepEqual(texts(await read(name, lines)), ['list: q: one\nn.m: 1', 'list: q: two'])
  await refused('a.jsonl', '{"a":1}\n{"b":', 'document_unreadable', /line 2 of it is not JSON/)
})

test('JSON: what is none is refused', async () => {
  await refused('a.json', '{"a": 1', 'document_unreadable', /not JSON/)
  await refused('a.json', 'hello', 'document_unreadable', /not JSON/)
  await refused('a.json', '{}', 'document_empty', /no text/)
})

test('JSON: every text in any value is found again', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue({ maxDepth: 8 }), async (value) => {
      const words: string[] = []
      JSON.stringify(value, (_, inner: unknown) => {
        if (typeof inner === 'string' && /^[\w ]+$/.test(inner) && inner.trim() !== '') words.push(inner.trim())
        return inner
      })
      if (words.length === 0) return
      const { text } = await read('a.json', JSON.stringify(value))
      for (const word of words) assert.ok(text.includes(word))
    }),
  )
})
