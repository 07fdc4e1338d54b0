import fc from 'fast-check'

/** Texts on which tokenizers differ from one another, and bounds from counts: words, runs, contractions,
 *  marks, scripts without spaces, special tokens, halves of surrogate pairs, late characters. */

const WORDS = ['the', ' quick', ' don', "'t", "'LL", 'Größe', ' naïve', 'hello world', ' a', 'x', 'I', ' HTTPServer']
const SIGNS = ['.', ', ', '...', '//', '{"a":', '"', '\\', '_', "'", '&', '<', '・', '。', '，', '👍🏽', '—', '=====']
const BLANKS = [' ', '  ', '\n', '\r\n', '\t', '\n\n    ', ' '.repeat(70), '\u00a0', '\u2028', '\u0085', '\ufeff']
const NUMBERS = ['1', '23', '4567', ' 2026', '٣', '½']
const SCRIPTS = ['机器学习', 'の', 'ア', 'हिन्दी', 'ไทย', 'Ελλάδα', 'ﷺ', '\u0301', 'ǅ', 'ʰ', 'é', '\u0958', '\u{1d160}']
const SPECIAL = ['<|', '|>', '<|endoftext|>', '<|im_', 'end|>', '<|im_end|>', 'endof', 'text']
const RARE = ['\ud800', '\udc00', '\u{1f6dd}', '\u{31350}', '\u{1e4d0}', '\u017f', '\u212a', '\0', 'a'.repeat(80)]

const piece = fc.constantFrom(...WORDS, ...WORDS, ...SIGNS, ...BLANKS, ...NUMBERS, ...SCRIPTS, ...SPECIAL, ...RARE)

export const hardText: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join('')) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
)

/** Only what every tokenizer reads alike. */
export const plainText: fc.Arbitrary<string> = fc
  .array(fc.constantFrom(...WORDS, ...SIGNS, ...NUMBERS, ' ', '\n', '机器学习', 'の', 'Ελλάδα', 'é', 'ไทย'), {
    maxLength: 24,
  })
  .map((pieces) => pieces.join(''))
