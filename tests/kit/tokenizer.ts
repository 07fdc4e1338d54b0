import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** `tokenizer.json` files made from published ranks, as the well-known converters make them: for each
 *  token, the pair that the ranks below its own leave of it. */

interface TokenizerFile {
  readonly model: {
    readonly [field: string]: unknown
    readonly vocab: { readonly [token: string]: number }
    readonly merges: readonly [string, string][]
  }
  readonly [field: string]: unknown
}

const CL100K_SPLIT =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/** The first `size` tokens of cl100k_base in the form of Llama 3's file. */
export async function byteLevelFile(size: number, special: readonly string[] = []): Promise<TokenizerFile> {
  const tokens = (await publishedTokens()).slice(0, size)
  const ranks = new Map(tokens.map((token, rank) => [token, rank]))
  const vocab: { [token: string]: number } = {}
  const merges: [string, string][] = []
  for (const [rank, token] of tokens.entries()) {
    vocab[letters(token)] = rank
    const parts = partsBelow(token, rank, ranks)
    if (parts.length === 2) merges.push([letters(parts[0] ?? ''), letters(parts[1] ?? '')])
  }
  return {
    version: '1.0',
    added_tokens: special.map((content, at) => ({ id: size + at, content, special: true, normalized: false })),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: CL100K_SPLIT }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab, merges, ignore_merges: true },
  }
}

/** A small one over characters, in the form of Llama 2's and Gemma's files. */
export function characterFile(words: readonly string[]): TokenizerFile {
  const vocab: { [token: string]: number } = {}
  const add = (token: string): void => void (vocab[token] ??= Object.keys(vocab).length)
  add('<unk>')
  for (let byte = 0; byte < 256; byte++) add(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
  add('▁')
  const merges: [string, string][] = []
  for (const word of words) {
    const characters = [...`▁${word}`]
    characters.forEach(add)
    let joined = characters[0] ?? ''
    for (const character of characters.slice(1)) {
      if (!merges.some(([left, right]) => left === joined && right === character)) merges.push([joined, character])
      add((joined += character))
    }
  }
  return {
    version: '1.0',
    added_tokens: [{ id: 0, content: '<unk>', special: true, normalized: false }],
    normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: { type: 'BPE', vocab, merges, byte_fallback: true, fuse_unk: true, unk_token: '<unk>' },
  }
}

async function publishedTokens(): Promise<string[]> {
  const path = fileURLToPath(import.meta.resolve('gpt-tokenizer/data/cl100k_base.tiktoken'))
  const lines = (await readFile(path, 'latin1')).trim().split('\n')
  return lines.map((line) => Buffer.from(line.slice(0, line.indexOf(' ')), 'base64').toString('latin1'))
}

function partsBelow(token: string, limit: number, ranks: ReadonlyMap<string, number>): string[] {
  const parts = [...token]
  for (;;) {
    let least = limit
    let found = -1
    for (let at = 0; at + 1 < parts.length; at++) {
      const rank = ranks.get(`${parts[at]}${parts[at + 1]}`)
      if (rank !== undefined && rank < least) [least, found] = [rank, at]
    }
    if (found < 0) return parts
    parts.splice(found, 2, `${parts[found]}${parts[found + 1]}`)
  }
}

/** GPT-2's letters for bytes. */
function letters(bytes: string): string {
  return [...bytes].map((byte) => BYTE_TO_LETTER.get(byte.charCodeAt(0)) ?? '').join('')
}

const isPrintable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
const others = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !isPrintable(byte))
const BYTE_TO_LETTER = new Map<number, string>([
  ...Array.from({ length: 256 }, (_, byte): [number, string] => [byte, String.fromCharCode(byte)]),
  ...others.map((byte, at): [number, string] => [byte, String.fromCharCode(0x100 + at)]),
])
