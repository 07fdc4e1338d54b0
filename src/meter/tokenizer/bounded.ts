import type { TextTokenizer } from './tokenizer.ts'
import { PIECE_UNITS_MAX } from './pairs.ts'
import { isSettled } from './settled.ts'

/** A tokenizer as a bound.
 *
 *  Byte-pair encoding is greedy: a text may have more tokens than its halves have together, so
 *  counts of arbitrary windows bound nothing. What can be added up are parts between which no token
 *  can lie. Behind a letter, before a character that is neither letter, mark nor apostrophe, every
 *  encoding read here has such a seam: no alternative of its pattern goes on there, whatever the
 *  context. So a text's inside, from its first seam to its last, has as many tokens in any prompt as
 *  by itself, and is counted; what is before and behind may join with its surroundings, and is taken
 *  at its bytes. Text that looks like a special token, or has characters on which Unicode tables
 *  differ, is taken at its bytes as a whole; so is a piece too long to encode in little time. */
export interface Encoding {
  readonly name: string
  /** The pieces that are encoded one by one, in order, without gaps. From `from`, a seam or 0. */
  pieces(text: string, from: number): readonly string[]
  /** Tokens of one piece of at most `PIECE_UNITS_MAX`. */
  tokensOf(piece: string): number
  /** Tokens that are written as text; each without a blank. */
  readonly special: readonly string[]
  /** Composes characters first. */
  readonly composes: boolean
  /** Only before a space is there a seam, not before other characters. */
  readonly seamsAtSpaces: boolean
}

const LETTER = /^\p{L}$/u
/** What may go on in the token of a letter before it; the last four in patterns for kana. */
const JOINS = /^[\p{L}\p{M}'\ud800-\udfff\u309b\u309c\u30a0\u30fb]$/u

/** Beyond it an own count is taken from this much of the text. */
const COUNTED_UNITS_MAX = 65_536
/** Of an indentation. Patterns split it off as one piece, the line's end with it or not, but for its
 *  last space. */
const SPACES_MAX = 256

/** Words come again. V8 copies so short a part of a text; a longer one would keep the whole text. */
const REMEMBERED_UNITS_MAX = 12
const REMEMBERED_MAX = 16_384

export class BoundedTokenizer implements TextTokenizer {
  readonly #encoding: Encoding
  readonly #special: RegExp
  /** A special token may lie across the ends of two texts: no seam before what occurs in one. */
  readonly #specialCharacters: ReadonlySet<string>
  readonly #spaces: readonly number[]
  /** Tokens of short pieces; forgotten all at once when full. */
  readonly #remembered = new Map<string, number>()

  constructor(encoding: Encoding) {
    this.#encoding = encoding
    const { special } = encoding
    this.#special = new RegExp(special.length === 0 ? '(?!)' : special.map((one) => RegExp.escape(one)).join('|'))
    this.#specialCharacters = new Set(special.join(''))
    let most = 0
    this.#spaces = Array.from({ length: encoding.seamsAtSpaces ? 0 : SPACES_MAX }, (_, length) => {
      const run = ' '.repeat(length)
      most = Math.max(most, encoding.tokensOf(run), encoding.tokensOf(`\n${run}`))
      return most + 1
    })
  }

  get name(): string {
    return this.#encoding.name
  }

  count(text: string): number {
    const { length } = text
    const part = length > COUNTED_UNITS_MAX ? text.slice(0, COUNTED_UNITS_MAX) : text
    let tokens = 0
    for (const piece of this.#encoding.pieces(this.#composed(part), 0))
      for (let at = 0; at < piece.length; at += PIECE_UNITS_MAX)
        tokens += this.#tokensOf(piece.slice(at, at + PIECE_UNITS_MAX))
    return part === text ? tokens : Math.ceil((tokens * length) / COUNTED_UNITS_MAX)
  }

  countMax(given: string): number {
    if (this.#special.test(given) || !isSettled(given)) return this.#bytes(given)
    const text = this.#composed(given)
    const first = this.#firstSeam(text)
    const last = first === undefined ? undefined : this.#lastSeam(text, first)
    if (first === undefined || last === undefined) return Buffer.byteLength(text)
    let tokens = Buffer.byteLength(text.slice(0, first)) + Buffer.byteLength(text.slice(last))
    let at = first
    for (const piece of this.#encoding.pieces(text, first)) {
      at += piece.length
      // A pattern that leaves a gap or reaches over a seam is not one of those the proof is for.
      if (at > last) return Buffer.byteLength(text)
      tokens += piece.length > PIECE_UNITS_MAX ? Buffer.byteLength(piece) : this.#tokensOf(piece)
      if (at === last) return tokens
    }
    return Buffer.byteLength(text)
  }

  spacesMax(length: number): number {
    return this.#spaces[length] ?? length
  }

  #tokensOf(piece: string): number {
    const known = this.#remembered.get(piece)
    if (known !== undefined) return known
    const tokens = this.#encoding.tokensOf(piece)
    if (piece.length <= REMEMBERED_UNITS_MAX) {
      if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear()
      this.#remembered.set(piece, tokens)
    }
    return tokens
  }

  #composed(text: string): string {
    return this.#encoding.composes ? text.normalize('NFC') : text
  }

  #bytes(text: string): number {
    return Math.max(Buffer.byteLength(text), Buffer.byteLength(this.#composed(text)))
  }

  #firstSeam(text: string): number | undefined {
    for (let at = 1; at < text.length; at++) if (this.#isSeam(text, at)) return at
    return undefined
  }

  #lastSeam(text: string, first: number): number {
    for (let at = text.length - 1; at > first; at--) if (this.#isSeam(text, at)) return at
    return first
  }

  #isSeam(text: string, at: number): boolean {
    const next = text.charAt(at)
    if (this.#encoding.seamsAtSpaces ? next !== ' ' : JOINS.test(next) || this.#specialCharacters.has(next))
      return false
    return LETTER.test(text.charAt(at - 1))
  }
}
