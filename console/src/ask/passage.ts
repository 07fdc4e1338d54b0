import type { Range } from '../api/answer.ts'

/** Text cut where a highlight begins or ends. */
interface Piece {
  readonly text: string
  readonly quoted: boolean
}

/** Cuts `text` at the ranges, which may overlap and come in any order. */
export function piecesOf(text: string, ranges: readonly Range[]): Piece[] {
  const pieces: Piece[] = []
  let from = 0
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start)) {
    const begin = Math.max(start, from)
    const until = Math.min(end, text.length)
    if (until <= begin) continue
    if (begin > from) pieces.push({ text: text.slice(from, begin), quoted: false })
    pieces.push({ text: text.slice(begin, until), quoted: true })
    from = until
  }
  if (from < text.length) pieces.push({ text: text.slice(from), quoted: false })
  return pieces
}

const AROUND_CHARS = 140
const EXCERPT_CHARS_MAX = 420

/** The part of a passage to show first: the quoted sentences and a little around them, or its
 *  beginning. Cut at spaces; the whole passage when that is hardly longer. */
export function excerptOf(text: string, quotes: readonly Range[]): Range {
  const first = Math.min(...quotes.map((quote) => quote.start))
  const last = Math.max(...quotes.map((quote) => quote.end))
  const [start, end] = quotes.length === 0 ? [0, EXCERPT_CHARS_MAX / 2] : [first - AROUND_CHARS, last + AROUND_CHARS]
  const from = start <= AROUND_CHARS / 2 ? 0 : text.indexOf(' ', start) + 1
  const space = text.lastIndexOf(' ', end)
  const to = end >= text.length - AROUND_CHARS / 2 || space <= last ? text.length : space
  return { start: Math.min(from, quotes.length === 0 ? 0 : first), end: to }
}

/** A whole document in sections, so that the browser lays out only those in view. */
interface Section extends Range {
  /** Whether the passage begins here: where to scroll. */
  readonly holdsStart: boolean
}

const SECTION_CHARS = 6000

export function sectionsOf(text: string, passageStart: number): Section[] {
  const sections: Section[] = []
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start + SECTION_CHARS)
    const end = newline < 0 ? text.length : newline + 1
    sections.push({ start, end, holdsStart: passageStart >= start && passageStart < end })
    start = end
  }
  return sections
}

/** The part of `range` inside `window`, counted from the window's start; undefined: none of it. */
export function within(range: Range, window: Range): Range | undefined {
  const start = Math.max(range.start, window.start) - window.start
  const end = Math.min(range.end, window.end) - window.start
  return end > start ? { start, end } : undefined
}
