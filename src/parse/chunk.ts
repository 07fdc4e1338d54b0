import type { Block, Chunk } from './document.ts'
import { headingText } from './extract.ts'

/** Cuts a document into chunks along its structure.
 *
 *  Tokens are estimated, since every model counts its own way: 1.3 to a word, plus one to every
 *  four letters of a word beyond twelve, one to every ideograph, and a little for white space.
 *  The estimate of a whole is at most the sum over its parts, which is what keeps the bound. */

/** How documents are cut. */
export interface Chunking {
  /** No chunk has more, by the estimate. */
  readonly tokensMax: number
  /** Of the text before a chunk, as much stands in it too, at most; not across a heading. */
  readonly overlapTokens: number
}

/** No chunk has more, unless told otherwise. */
export const CHUNK_TOKENS_MAX = 512
export const CHUNKING: Chunking = { tokensMax: CHUNK_TOKENS_MAX, overlapTokens: 0 }
/** Of the most: a heading begins a new chunk once the present one has this share, and a last chunk of
 *  less takes from the one before. */
const LEAST_SHARE = 1 / 2
/** Of the most: a chunk of less joins the one before where both fit. */
const REMAINDER_SHARE = 1 / 8

const HEADING_DEPTH_MAX = 6

const WORD_TOKENS = 1.3
const WORD_UNITS = 12
const SPACE_TOKENS = 1 / 32
/** From here on, scripts without spaces: CJK, kana, hangul, and the halves of surrogate pairs. */
const IDEOGRAPHS_FROM = 0x2e80

/** What one character adds, given the length so far of the run without white space it stands in. */
function tokensOf(code: number, run: number): number {
  if (code <= 0x20 || code === 0xa0) return SPACE_TOKENS
  if (code >= IDEOGRAPHS_FROM) return 1
  return run === 0 ? WORD_TOKENS : run < WORD_UNITS ? 0 : 0.25
}

const runAfter = (code: number, run: number): number =>
  code <= 0x20 || code === 0xa0 || code >= IDEOGRAPHS_FROM ? 0 : run + 1

/** The estimate for `text[start, end)`. */
export function estimateTokens(text: string, start = 0, end = text.length): number {
  let words = 0
  let spaces = 0
  let rest = 0
  let run = 0
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at)
    if (code <= 0x20 || code === 0xa0) {
      spaces++
      run = 0
    } else if (code >= IDEOGRAPHS_FROM) {
      rest += 1
      run = 0
    } else {
      if (run === 0) words++
      else if (run >= WORD_UNITS) rest += 0.25
      run++
    }
  }
  return words * WORD_TOKENS + spaces * SPACE_TOKENS + rest
}

/** A range that is kept whole, with the headings above it. */
interface Atom {
  readonly start: number
  readonly end: number
  readonly tokens: number
  readonly headings: readonly string[]
  readonly isHeading: boolean
  /** A table's header: nothing without the row after it. */
  readonly leads: boolean
}

/** Chunks in reading order. They hold every character of every block but white space, overlap by no
 *  more than they may, and each is at most `tokensMax` long. What begins inside of a table has the
 *  table's header row as its last heading. */
export function chunk(text: string, blocks: readonly Block[], chunking: Chunking = CHUNKING): Chunk[] {
  const tokensMax = chunking.tokensMax - chunking.overlapTokens
  const packer = new Packer(text, tokensMax)
  const path: { readonly level: number; readonly text: string }[] = []
  let headings: readonly string[] = []
  for (const block of blocks) {
    const isHeading = block.kind === 'heading'
    if (isHeading) {
      const level = block.level ?? 1
      while (path.length > 0 && (path.at(-1)?.level ?? 0) >= level) path.pop()
      if (path.length < HEADING_DEPTH_MAX && block.text) path.push({ level, text: block.text })
      headings = path.map((heading) => heading.text)
      packer.heading()
    }
    const { headerEnd = block.start } = block
    const below = headerEnd > block.start ? [...headings, columnsOf(text, block.start, headerEnd)] : headings
    for (const [start, end, tokens] of pieces(text, block, tokensMax)) {
      const leads = start < headerEnd && end <= headerEnd
      packer.add({ start, end, tokens, headings: start > block.start ? below : headings, isHeading, leads })
    }
  }
  return overlapping(text, packer.finish(), chunking.overlapTokens)
}

interface Cut extends Omit<Chunk, 'text'> {
  readonly beginsSection: boolean
}

/** Each chunk with the end of the one before it. */
function overlapping(text: string, cuts: readonly Cut[], overlapTokens: number): Chunk[] {
  return cuts.map(({ start: own, end, headings, beginsSection }, at) => {
    const before = cuts[at - 1]
    const start =
      overlapTokens === 0 || before === undefined || beginsSection
        ? own
        : overlapStart(text, before, own, overlapTokens)
    return { start, end, text: text.slice(start, end), headings }
  })
}

/** Where the overlap begins: at a sentence of the chunk before, or at a word where no sentence begins
 *  late enough. */
function overlapStart(text: string, before: Cut, own: number, overlapTokens: number): number {
  let [word, sentence] = [own, own]
  let tokens = 0
  for (let at = own - 1; at > before.start; at--) {
    const isWide = '\u3002\uff01\uff1f'.includes(text.charAt(at - 1))
    const isBegin = isWide || (text.charCodeAt(at - 1) <= 0x20 && text.charCodeAt(at) > 0x20)
    if (!isBegin) continue
    tokens += estimateTokens(text, at, word)
    if (tokens > overlapTokens) break
    word = at
    if (isWide || /[.!?\u2026\n]["')\]]*\s*$/.test(text.slice(Math.max(before.start, at - MARK_UNITS), at)))
      sentence = at
  }
  return sentence < own ? sentence : word
}

/** The marks and spaces between two sentences. */
const MARK_UNITS = 8

/** The first line of a table's header, without the bars around it. */
const columnsOf = (text: string, start: number, end: number): string =>
  headingText((text.slice(start, end).split(/[\r\n]/, 1)[0] ?? '').replace(/^[\s|]+|[\s|]+$/g, ''))

interface Packed extends Chunk {
  readonly tokens: number
  readonly atoms: readonly Atom[]
}

class Packer {
  readonly #text: string
  readonly #chunks: Packed[] = []
  #atoms: Atom[] = []
  #tokens = 0
  readonly #tokensMax: number
  readonly #tokensLeast: number
  readonly #remainderTokens: number

  constructor(text: string, tokensMax: number) {
    this.#text = text
    this.#tokensMax = tokensMax
    this.#tokensLeast = tokensMax * LEAST_SHARE
    this.#remainderTokens = tokensMax * REMAINDER_SHARE
  }

  /** A heading follows: a good place to end, if there is enough. */
  heading(): void {
    if (this.#tokens >= this.#tokensLeast) this.#end(this.#atoms.length)
  }

  add(atom: Atom): void {
    const last = this.#atoms.at(-1)
    const gap = last === undefined ? 0 : estimateTokens(this.#text, last.end, atom.start)
    if (this.#tokens + gap + atom.tokens > this.#tokensMax && last !== undefined) {
      // Headings at the end, also those of tables, belong to what follows.
      let keep = this.#atoms.length
      while (keep > 0 && (this.#atoms[keep - 1]?.isHeading || this.#atoms[keep - 1]?.leads)) keep--
      this.#end(keep > 0 ? keep : this.#atoms.length)
      return this.add(atom)
    }
    this.#atoms.push(atom)
    this.#tokens += gap + atom.tokens
  }

  finish(): Cut[] {
    this.#end(this.#atoms.length)
    this.#balance()
    return this.#chunks.map(({ start, end, headings, atoms }) => ({
      start,
      end,
      headings,
      beginsSection: atoms[0]?.isHeading === true,
    }))
  }

  /** Makes a chunk of the first `count` atoms and keeps the others. */
  #end(count: number): void {
    const done = this.#atoms.slice(0, count)
    if (done.length === 0) return
    this.#atoms = this.#atoms.slice(count)
    const packed = this.#pack(done)
    const before = this.#chunks.at(-1)
    const joined =
      before === undefined || packed.tokens >= this.#remainderTokens ? undefined : this.#join(before, packed)
    if (joined !== undefined) this.#chunks.pop()
    this.#chunks.push(joined ?? packed)
    const [first] = this.#atoms
    this.#tokens = first === undefined ? 0 : estimateTokens(this.#text, first.start, this.#atoms.at(-1)?.end)
  }

  #pack(atoms: readonly Atom[]): Packed {
    const start = atoms[0]?.start ?? 0
    const end = atoms.at(-1)?.end ?? start
    // The headings are those of what stands under them, not those half-way down.
    const headings = (atoms.find((atom) => !atom.isHeading) ?? atoms.at(-1))?.headings ?? []
    const text = this.#text.slice(start, end)
    return { start, end, text, headings, tokens: estimateTokens(this.#text, start, end), atoms }
  }

  /** Both as one, where that is not too long. */
  #join(before: Packed, after: Packed): Packed | undefined {
    if (before.tokens + after.tokens > this.#tokensMax) return undefined
    const joined = this.#pack([...before.atoms, ...after.atoms])
    return joined.tokens <= this.#tokensMax ? joined : undefined
  }

  /** A short end of a document joins the chunk before, or takes of the same section's text until
   *  both are long enough. */
  #balance(): void {
    const last = this.#chunks.at(-1)
    const before = this.#chunks.at(-2)
    if (last === undefined || before === undefined || last.tokens >= this.#tokensLeast) return
    const joined = this.#join(before, last)
    if (joined !== undefined) {
      this.#chunks.splice(-2, 2, joined)
      return
    }
    if (last.atoms[0]?.isHeading === true) return
    const atoms = [...before.atoms, ...last.atoms]
    for (let cut = before.atoms.length - 1; cut > 0; cut--) {
      if (atoms[cut - 1]?.isHeading === true || atoms[cut - 1]?.leads === true) continue
      const [left, right] = [this.#pack(atoms.slice(0, cut)), this.#pack(atoms.slice(cut))]
      if (right.tokens > this.#tokensMax || left.tokens <= (this.#chunks.at(-1)?.tokens ?? 0)) return
      // What was too short has more than before, and the other is no shorter than that.
      this.#chunks.splice(-2, 2, left, right)
      if (right.tokens >= this.#tokensLeast) return
    }
  }
}

type Piece = readonly [start: number, end: number, tokens: number]

/** The block itself where it fits, else its lines (code, tables, lists) or sentences, and where
 *  one of those does not fit, as many words as do. */
function pieces(text: string, { kind, start, end }: Block, tokensMax: number): Piece[] {
  if (start >= end) return []
  const tokens = estimateTokens(text, start, end)
  if (tokens <= tokensMax) return [[start, end, tokens]]
  const byLine = kind === 'code' || kind === 'table' || kind === 'list'
  const found: Piece[] = []
  let at = start
  while (at < end) {
    const stop = byLine ? lineEnd(text, at, end) : sentenceEnd(text, at, end)
    const trimmed = trimEnd(text, at, stop)
    if (trimmed > at) {
      const size = estimateTokens(text, at, trimmed)
      if (size <= tokensMax) found.push([at, trimmed, size])
      else splitWords(text, at, trimmed, tokensMax, found)
    }
    at = byLine ? stop : skipSpace(text, stop, end)
  }
  return found
}

function lineEnd(text: string, at: number, end: number): number {
  const found = text.indexOf('\n', at)
  return found === -1 || found >= end ? end : found + 1
}

/** After the mark that ends a sentence, or at a blank line. */
function sentenceEnd(text: string, at: number, end: number): number {
  for (let i = at; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x3002 || code === 0xff01 || code === 0xff1f) return i + 1
    if (code !== 0x2e && code !== 0x21 && code !== 0x3f && code !== 0x2026) continue
    let after = i + 1
    while (after < end && '"\')]”’»'.includes(text.charAt(after))) after++
    if (after >= end || text.charCodeAt(after) <= 0x20) return after
  }
  return end
}

function splitWords(text: string, start: number, end: number, tokensMax: number, into: Piece[]): void {
  let from = start
  while (from < end) {
    let tokens = 0
    let run = 0
    let lastSpace = -1
    let at = from
    for (; at < end; at++) {
      const code = text.charCodeAt(at)
      tokens += tokensOf(code, run)
      if (tokens > tokensMax) break
      run = runAfter(code, run)
      if (code <= 0x20 && at > from) lastSpace = at
    }
    let cut = at
    if (at < end) {
      if (lastSpace > from) cut = lastSpace
      // Never between the halves of a surrogate pair.
      else if ((text.charCodeAt(at) & 0xfc00) === 0xdc00) cut = at - 1
    }
    const trimmed = trimEnd(text, from, cut)
    if (trimmed > from) into.push([from, trimmed, estimateTokens(text, from, trimmed)])
    from = skipSpace(text, cut, end)
  }
}

function trimEnd(text: string, start: number, end: number): number {
  while (end > start && text.charCodeAt(end - 1) <= 0x20) end--
  return end
}

function skipSpace(text: string, at: number, end: number): number {
  while (at < end && text.charCodeAt(at) <= 0x20) at++
  return at
}
