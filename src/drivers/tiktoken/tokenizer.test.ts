import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { countTokens as countCl100k } from 'gpt-tokenizer/encoding/cl100k_base'
import { countTokens as countO200k } from 'gpt-tokenizer/encoding/o200k_base'
import { hardText, plainText } from '../../../tests/kit/texts.ts'
import { PublishedTokenizer } from './tokenizer.ts'

const fail = (reason: string): never => assert.fail(reason)
const AS_TEXT = { disallowedSpecial: new Set<string>() }
const AS_SPECIAL = { allowedSpecial: 'all' as const }

const ENCODINGS = [
  { name: 'o200k_base', reference: countO200k },
  { name: 'cl100k_base', reference: countCl100k },
] as const

for (const { name, reference } of ENCODINGS) {
  const tokenizer = new PublishedTokenizer(name, fail)

  test(`${name}: until its ranks are there, bytes are counted`, async () => {
    const fresh = new PublishedTokenizer(name, fail)
    assert.deepEqual([fresh.count('a long word'), fresh.countMax('a long word'), fresh.spacesMax(8)], [3, 11, 8])
    await fresh.load()
    assert.deepEqual([fresh.count('a long word'), fresh.spacesMax(8) < 8], [3, true])
    assert(fresh.countMax('a long word, and some more') < 20)
  })

  test(`${name}: counts as the package that brings the ranks`, async () => {
    await tokenizer.load()
    const handbook = await readFile(join(import.meta.dirname, '../../../docs/retrieval.md'), 'utf8')
    assert.equal(tokenizer.count(handbook), reference(handbook, AS_TEXT))
    fc.assert(
      fc.property(plainText, (text) => assert.equal(tokenizer.count(text), reference(text, AS_TEXT))),
      { numRuns: 500 },
    )
  })

  test(`${name}: no text adds more than its bound, wherever it stands`, async () => {
    await tokenizer.load()
    fc.assert(
      fc.property(fc.array(hardText, { minLength: 1, maxLength: 5 }), (texts) => {
        const bound = texts.reduce((sum, text) => sum + tokenizer.countMax(text), 0)
        const prompt = texts.join('').toWellFormed()
        assert(bound >= reference(prompt, AS_TEXT), 'as text')
        assert(bound >= reference(prompt, AS_SPECIAL), 'special tokens read as such')
        const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
        assert(tokenizer.count(prompt) <= Buffer.byteLength(prompt))
        assert(bound <= bytes)
      }),
      { numRuns: 1_000 },
    )
  })

  test(`${name}: the bound of prose is near its count`, async () => {
    await tokenizer.load()
    const handbook = await readFile(join(import.meta.dirname, '../../../docs/getting-started.md'), 'utf8')
    const ratio = tokenizer.countMax(handbook) / reference(handbook, AS_TEXT)
    assert(ratio >= 1 && ratio < 1.1, String(ratio))
  })
}

test('what looks like a special token, and what came late to Unicode, is taken at its bytes', async () => {
  const tokenizer = new PublishedTokenizer('o200k_harmony', fail)
  await tokenizer.load()
  const plain = 'Some words that are counted, and not a few of them, so that it shows.'
  assert(tokenizer.countMax(plain) < 30)
  for (const odd of ['<|call|>', '\u{31350}', '\ud800', '\u0085'])
    assert.equal(tokenizer.countMax(plain + odd), Buffer.byteLength(plain + odd), JSON.stringify(odd))
})

test('a run too long to encode in little time is taken at its bytes, and what is around it is counted', async () => {
  const tokenizer = new PublishedTokenizer('o200k_base', fail)
  await tokenizer.load()
  const around = 'The words before the run are counted, '
  const bound = tokenizer.countMax(`${around}${'q'.repeat(5_000)}, and so are those behind it.`)
  assert(bound > 5_000 && bound < 5_040, String(bound))
})

test('indentation counts as the run it is', async () => {
  const tokenizer = new PublishedTokenizer('cl100k_base', fail)
  await tokenizer.load()
  for (let spaces = 1; spaces < 64; spaces++) {
    const lines = `"a",\n${' '.repeat(spaces)}"b"`
    assert(countCl100k(lines) <= countCl100k('"a",') + tokenizer.spacesMax(spaces) + 1 + countCl100k('"b"'))
  }
})
