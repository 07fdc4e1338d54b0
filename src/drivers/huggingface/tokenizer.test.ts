import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tokenizer as Reference } from '@huggingface/tokenizers'
import fc from 'fast-check'
import { hardText, plainText } from '../../../tests/kit/texts.ts'
import { byteLevelFile, characterFile } from '../../../tests/kit/tokenizer.ts'
import type { TextTokenizer } from '../../meter/tokenizer/tokenizer.ts'
import { readTokenizer, UnreadTokenizer } from './tokenizer.ts'

const SPECIAL = ['<|endoftext|>', '<|im_end|>']
const byteLevel = await byteLevelFile(4_000, SPECIAL)
const characters = characterFile(['the', 'quick', 'hello', 'world', 'don', 'HTTP', '机器', 'naïve', 'a'])
const composing = { ...byteLevel, normalizer: { type: 'NFC' } }

const bytesOf = (file: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(file))

function read(file: unknown): TextTokenizer {
  const tokenizer = readTokenizer('/house/tokenizer.json', bytesOf(file))
  if (tokenizer instanceof UnreadTokenizer) assert.fail(`${tokenizer.wrong} ${tokenizer.remedy}`)
  return tokenizer
}

for (const [form, file] of Object.entries({ byteLevel, characters, composing })) {
  const tokenizer = read(file)
  const reference = new Reference(file, {})
  const count = (text: string): number => reference.encode(text, { add_special_tokens: false }).ids.length

  test(`${form}: counts as Hugging Face's own library`, () => {
    fc.assert(
      fc.property(plainText, (text) => assert.equal(tokenizer.count(text), count(text))),
      { numRuns: 500 },
    )
  })

  test(`${form}: no text adds more than its bound, wherever it stands`, () => {
    fc.assert(
      fc.property(fc.array(hardText, { minLength: 1, maxLength: 5 }), (texts) => {
        const bound = texts.reduce((sum, text) => sum + tokenizer.countMax(text), 0)
        const tokens = count(texts.join('').toWellFormed())
        assert(bound >= tokens, `${bound} for ${tokens}`)
      }),
      { numRuns: 1_000 },
    )
  })
}

test('the bound of prose is near its count', () => {
  const prose = 'The quick brown fox jumps over the lazy dog, and the dog does not mind. '.repeat(20)
  const tokenizer = read(byteLevel)
  assert(tokenizer.countMax(prose) < 1.05 * tokenizer.count(prose))
})

function wrongWith(file: unknown): string {
  const read = readTokenizer('t', file instanceof Uint8Array ? file : bytesOf(file))
  assert(read instanceof UnreadTokenizer, 'read')
  assert(read.remedy.length > 20)
  return read.wrong
}

test('a file that is broken is refused', () => {
  assert.match(wrongWith(Buffer.from('{"model":')), /not valid JSON/)
  assert.match(wrongWith(Buffer.from([0xff])), /not valid JSON/)
  assert.match(wrongWith([]), /no tokenizer/)
  assert.match(wrongWith({ ...byteLevel, model: { type: 'BPE', vocab: {}, merges: [] } }), /missing or broken/)
  assert.match(wrongWith({ ...byteLevel, model: { ...byteLevel.model, merges: ['ab'] } }), /missing or broken/)
  assert.match(wrongWith({ ...byteLevel, model: { ...byteLevel.model, merges: undefined } }), /missing or broken/)
  assert.match(wrongWith({ ...byteLevel, added_tokens: [{ content: 5 }] }), /`added_tokens` are broken/)
})

test('a tokenizer of which no bound is known is refused', () => {
  const model = (fields: object) => ({ ...byteLevel, model: { ...byteLevel.model, ...fields } })
  assert.match(wrongWith({ ...byteLevel, model: { type: 'Unigram', vocab: [] } }), /of the type Unigram/)
  assert.match(wrongWith(model({ dropout: 0.1 })), /`model\.dropout`/)
  assert.match(wrongWith(model({ continuing_subword_prefix: '##' })), /continuing_subword_prefix/)
  assert.match(wrongWith({ ...byteLevel, normalizer: { type: 'NFKC' } }), /the normalizer NFKC/)
  assert.match(wrongWith({ ...byteLevel, pre_tokenizer: null }), /pieces that are not bytes/)
  const own = { type: 'Split', pattern: { Regex: '\\w+ ' }, behavior: 'Isolated', invert: false }
  assert.match(wrongWith({ ...byteLevel, pre_tokenizer: own }), /a pattern of its own/)
  assert.match(wrongWith({ ...byteLevel, pre_tokenizer: { type: 'BertPreTokenizer' } }), /BertPreTokenizer/)
  assert.match(wrongWith({ ...characters, normalizer: { type: 'Lowercase' } }), /the step Lowercase/)
  assert.match(wrongWith({ ...characters, normalizer: null }), /spaces that stand for themselves/)
  const vocab = { ...characters.model.vocab, 'a▁b': 9_999 }
  assert.match(wrongWith({ ...characters, model: { ...characters.model, vocab } }), /tokens across words/)
  const { '<0x00>': _, ...fewer } = characters.model.vocab
  assert.match(wrongWith({ ...characters, model: { ...characters.model, vocab: fewer } }), /lacks tokens for single/)
})
