import { BoundedTokenizer, type Encoding } from '../../meter/tokenizer/bounded.ts'
import { joinPairs, PairRanks } from '../../meter/tokenizer/pairs.ts'
import { GPT2, KNOWN_PATTERNS, split } from '../../meter/tokenizer/patterns.ts'
import type { TextTokenizer } from '../../meter/tokenizer/tokenizer.ts'

/** A model's `tokenizer.json`, the form of Hugging Face's library `tokenizers`. Read are byte-pair
 *  encodings in the two forms that chat models have: over bytes behind a published pattern (GPT-2,
 *  Llama 3, Qwen, Mistral's Tekken, DeepSeek, gpt-oss), and over characters with byte fallback and
 *  spaces as `▁` (Llama 2, Gemma, Mistral 7B). */

/** Why a file is not read, and what to do. */
export class UnreadTokenizer {
  readonly wrong: string
  readonly remedy: string

  constructor(wrong: string, remedy: string) {
    this.wrong = wrong
    this.remedy = remedy
  }
}

/** Of the whole file; the largest known have 35 MB. */
const FILE_BYTES_MAX = 128 * 1024 * 1024

const BROKEN = 'Copy the `tokenizer.json` of the model again.'
const LEAVE_OUT = 'Leave `tokenizer` out: input is then bounded by its bytes.'

export function readTokenizer(name: string, bytes: Uint8Array): TextTokenizer | UnreadTokenizer {
  if (bytes.length > FILE_BYTES_MAX)
    return new UnreadTokenizer(
      `names a file larger than ${FILE_BYTES_MAX} bytes`,
      'Name the `tokenizer.json` of a model.',
    )
  let file: unknown
  try {
    file = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return new UnreadTokenizer('names a file that is not valid JSON', BROKEN)
  }
  const fields = fieldsOf(file)
  const model = fieldsOf(fields['model'])
  if (model['type'] !== 'BPE') {
    const type = typeof model['type'] === 'string' ? `a tokenizer of the type ${model['type']}` : 'no tokenizer'
    return new UnreadTokenizer(`names a file with ${type}`, `Byte-pair encodings (BPE) are read. ${LEAVE_OUT}`)
  }
  for (const field of ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix'])
    if (![undefined, null, '', 0].includes(model[field] as null)) return unsupported(`\`model.${field}\``)
  const vocabulary = vocabularyOf(model['vocab'])
  const ranks = ranksOf(model['merges'])
  if (vocabulary === undefined || ranks === undefined)
    return new UnreadTokenizer('names a file whose `model.vocab` or `model.merges` is missing or broken', BROKEN)
  const special = listOf(fields['added_tokens']).map((token) => fieldsOf(token)['content'])
  if (!special.every((one) => typeof one === 'string' && one !== ''))
    return new UnreadTokenizer('names a file whose `added_tokens` are broken', BROKEN)
  const parts: Parts = { name, fields, vocabulary, ranks, special: special as string[], model }
  const encoding = model['byte_fallback'] === true ? characters(parts) : byteLevel(parts)
  return encoding instanceof UnreadTokenizer ? encoding : new BoundedTokenizer(encoding)
}

interface Parts {
  readonly name: string
  readonly fields: Fields
  readonly model: Fields
  readonly vocabulary: ReadonlySet<string>
  readonly ranks: ReadonlyMap<string, number>
  readonly special: readonly string[]
}

const unsupported = (what: string): UnreadTokenizer =>
  new UnreadTokenizer(`names a tokenizer with ${what}, which is not read`, LEAVE_OUT)

// Over bytes

function byteLevel({ name, fields, model, vocabulary, ranks, special }: Parts): Encoding | UnreadTokenizer {
  const normalizer = typesOf(fields['normalizer'], 'normalizers')
  if (!normalizer.every(({ type }) => type === 'NFC')) return unsupported(`the normalizer ${namesOf(normalizer)}`)
  const stages: RegExp[] = []
  let isBytes = false
  for (const stage of typesOf(fields['pre_tokenizer'], 'pretokenizers')) {
    if (stage['type'] === 'ByteLevel') {
      isBytes = true
      if (stage['use_regex'] !== false) stages.push(new RegExp(GPT2, 'gu'))
    } else if (stage['type'] === 'Digits' && !isBytes) {
      stages.push(stage['individual_digits'] === true ? /\p{N}/gu : /\p{N}+/gu)
    } else if (stage['type'] === 'Split' && !isBytes) {
      const pattern = fieldsOf(stage['pattern'])['Regex']
      const plain = stage['behavior'] === 'Isolated' && stage['invert'] !== true
      // An inverted pattern that is removed keeps its matches, and these match everywhere.
      const kept = stage['behavior'] === 'Removed' && stage['invert'] === true
      if (typeof pattern !== 'string' || !KNOWN_PATTERNS.has(pattern) || !(plain || kept))
        return unsupported('a pattern of its own')
      stages.push(new RegExp(pattern, 'gu'))
    } else return unsupported(`the pre-tokenizer ${String(stage['type'])}`)
  }
  if (!isBytes) return unsupported('pieces that are not bytes')
  const whole = model['ignore_merges'] === true
  const pairs = new PairRanks(ranks)
  return {
    name,
    special,
    composes: normalizer.length > 0,
    seamsAtSpaces: false,
    pieces: (text, from) => stages.reduce<readonly string[]>(split, [from === 0 ? text : text.slice(from)]),
    tokensOf(piece) {
      const letters = BYTE_LETTERS.test(piece) ? piece : lettersOf(piece)
      if (letters === '') return 0
      if (whole && vocabulary.has(letters)) return 1
      const starts = Array.from({ length: letters.length + 1 }, (_, at) => at)
      return joinPairs(letters, starts, pairs).length - 1
    },
  }
}

/** Bytes that stand for themselves. */
const BYTE_LETTERS = /^[!-~]*$/

/** GPT-2's letters for bytes: the printable ones of Latin-1, and from U+0100 the others in order. */
const LETTERS: readonly string[] = (() => {
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
    return String.fromCharCode(printable ? byte : next++)
  })
})()

function lettersOf(piece: string): string {
  let letters = ''
  for (const byte of Buffer.from(piece)) letters += LETTERS[byte] ?? ''
  return letters
}

// Over characters

const SPACE = '▁'

function characters({ name, fields, vocabulary, ranks, special }: Parts): Encoding | UnreadTokenizer {
  const steps = [...typesOf(fields['normalizer'], 'normalizers'), ...typesOf(fields['pre_tokenizer'], 'pretokenizers')]
  const other = steps.find((step) => !SPACING.some((one) => one(step)))
  if (other !== undefined) return unsupported(`the step ${String(other['type'])}`)
  if (!steps.some((step) => isReplace(step) || step['type'] === 'Metaspace'))
    return unsupported('spaces that stand for themselves')
  for (let byte = 0; byte < 256; byte++)
    if (!vocabulary.has(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`))
      return new UnreadTokenizer('names a file whose `model.vocab` lacks tokens for single bytes', BROKEN)
  // No token goes on over a space behind another character: there the text can be taken apart.
  if (!vocabulary.has(SPACE) || [...vocabulary].some((token) => ACROSS.test(token) && !special.includes(token)))
    return unsupported('tokens across words')
  const pairs = new PairRanks(ranks)
  return {
    name,
    special,
    composes: false,
    seamsAtSpaces: true,
    pieces: (text, from) => text.slice(from).split(/(?<=\p{L})(?= )/u),
    tokensOf(piece) {
      const text = piece.replaceAll(' ', SPACE)
      const starts = [0]
      for (const character of text) starts.push((starts.at(-1) ?? 0) + character.length)
      const ends = joinPairs(text, starts, pairs)
      let tokens = 0
      for (let at = 1; at < ends.length; at++) {
        const token = text.slice(ends[at - 1], ends[at])
        tokens += vocabulary.has(token) ? 1 : Buffer.byteLength(token)
      }
      return tokens
    },
  }
}

const ACROSS = /[^▁]▁/

const isReplace = (step: Fields): boolean =>
  step['type'] === 'Replace' && fieldsOf(step['pattern'])['String'] === ' ' && step['content'] === SPACE

/** What makes spaces into `▁`, puts one before the text, and splits at them. */
const SPACING: readonly ((step: Fields) => boolean)[] = [
  isReplace,
  (step) => step['type'] === 'Prepend' && step['prepend'] === SPACE,
  (step) => step['type'] === 'Metaspace' && (step['replacement'] ?? SPACE) === SPACE,
  (step) => step['type'] === 'Split' && fieldsOf(step['pattern'])['String'] === ' ',
]

// What a file holds

type Fields = { readonly [name: string]: unknown }

const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** One step or a sequence of them. */
function typesOf(value: unknown, sequence: string): readonly Fields[] {
  const fields = fieldsOf(value)
  if (fields['type'] === undefined) return []
  return fields['type'] === 'Sequence' ? listOf(fields[sequence]).flatMap((one) => typesOf(one, sequence)) : [fields]
}

const namesOf = (steps: readonly Fields[]): string => steps.map(({ type }) => String(type)).join(', ')

function vocabularyOf(value: unknown): ReadonlySet<string> | undefined {
  const names = Object.keys(fieldsOf(value))
  return names.length === 0 ? undefined : new Set(names)
}

/** `"a b"` or, newer, `["a", "b"]`; in both the place is the rank. */
function ranksOf(value: unknown): ReadonlyMap<string, number> | undefined {
  if (!Array.isArray(value)) return undefined
  const ranks = new Map<string, number>()
  for (const [rank, merge] of (value as readonly unknown[]).entries()) {
    const pair = Array.isArray(merge) && merge.length === 2 ? merge.join(' ') : merge
    if (typeof pair !== 'string' || !pair.includes(' ')) return undefined
    if (!ranks.has(pair)) ranks.set(pair, rank)
  }
  return ranks
}
