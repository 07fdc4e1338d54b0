import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { zip, type ZipEntry } from '../../tests/fixtures/documents.ts'
import { samples } from '../../tests/fixtures/samples.ts'
import { soon } from '../../tests/kit/parse.ts'
import { Refusal } from '../base/errors.ts'
import { chunk } from './chunk.ts'
import { parse } from './parse.ts'

/** Sound files with damage done to them: whatever comes of it is a document that obeys the rules
 *  for documents, or a refusal. */

const RUNS = 60

type Damage = (bytes: Uint8Array) => Uint8Array

const damage: fc.Arbitrary<Damage> = fc
  .tuple(
    fc.constantFrom('set', 'insert', 'delete', 'double', 'swap'),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          ...'< > & " \' { } [ ] , ; : = \\ / # \r\n \n \t <!-- --> <![CDATA[ ]]> &#0; &#x110000; -- =? ?= %00 \0 \u202e 1e999 -1 99999999'.split(
            ' ',
          ),
        )
        .map((text) => Buffer.from(text)),
    ),
  )
  .map(([how, from, to, patch]) => (bytes) => {
    const [a, b] = [Math.floor(from * bytes.length), Math.floor(to * bytes.length)].sort((x, y) => x - y) as [
      number,
      number,
    ]
    const [before, middle, after] = [bytes.subarray(0, a), bytes.subarray(a, b), bytes.subarray(b)]
    switch (how) {
      case 'set':
        return Buffer.concat([before, patch, bytes.subarray(Math.min(bytes.length, a + patch.length))])
      case 'insert':
        return Buffer.concat([before, patch, bytes.subarray(a)])
      case 'delete':
        return Buffer.concat([before, after])
      case 'double':
        return Buffer.concat([before, middle, middle, after])
      default:
        return Buffer.concat([middle, before, after])
    }
  })

const damages = fc.array(damage, { minLength: 1, maxLength: 4 })

async function assertReads(name: string, bytes: Uint8Array): Promise<void> {
  const parsed = await parse(name, bytes, soon())
  if (parsed instanceof Refusal) {
    assert.match(parsed.code, /^document_(?:unreadable|too_large|unsupported|empty)$/)
    return
  }
  assert.ok(parsed.text.isWellFormed() || parsed.mediaType.startsWith('text/'))
  let end = 0
  for (const block of parsed.blocks) {
    assert.ok(block.start >= end && block.end >= block.start && block.end <= parsed.text.length)
    end = block.end
  }
  for (const one of chunk(parsed.text, parsed.blocks)) assert.equal(one.text, parsed.text.slice(one.start, one.end))
}

for (const [name, whole] of samples())
  test(`fuzz: ${name} with its bytes damaged`, async () => {
    await fc.assert(
      fc.asyncProperty(damages, async (list) => {
        await assertReads(
          name,
          list.reduce((bytes: Uint8Array, one) => one(bytes), whole),
        )
      }),
      { numRuns: RUNS },
    )
  })

/** The entries of an archive that `zip` made. */
function entriesOf(bytes: Uint8Array): ZipEntry[] {
  const data = Buffer.from(bytes)
  const entries: ZipEntry[] = []
  for (let at = 0; data.readUInt32LE(at) === 0x04034b50;) {
    const [method, packed, nameLength] = [
      data.readUInt16LE(at + 8),
      data.readUInt32LE(at + 18),
      data.readUInt16LE(at + 26),
    ]
    const name = data.toString('utf8', at + 30, at + 30 + nameLength)
    const content = data.subarray(at + 30 + nameLength, at + 30 + nameLength + packed)
    entries.push({ name, data: method === 8 ? inflateRawSync(content) : content })
    at += 30 + nameLength + packed
  }
  return entries
}

for (const name of ['a.docx', 'a.pptx', 'a.xlsx', 'a.epub'])
  test(`fuzz: ${name} with one of its parts damaged`, async () => {
    const entries = entriesOf(samples().get(name) ?? new Uint8Array())
    await fc.assert(
      fc.asyncProperty(fc.nat(entries.length - 1), damages, async (at, list) => {
        const damaged = entries.map((entry, i) =>
          i === at
            ? { ...entry, data: list.reduce((bytes: Uint8Array, one) => one(bytes), Buffer.from(entry.data)) }
            : entry,
        )
        await assertReads(name, zip(damaged))
      }),
      { numRuns: RUNS * 2 },
    )
  })
