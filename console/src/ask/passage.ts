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
const BEGINNING_CHARS = 120
/** Less than this is not worth leaving out. */
const REST_CHARS = 70

/** How much of a passage is the Markdown heading it begins with: its card has it in the head. */
export const headingLength = (text: string): number => /^#{1,6}\s[^\n]*\n\s*/.exec(text)?.[0].length ?? 0

/** The part of a passage to show first: the quoted sentences and a little around them, or its
 *  beginning. Cut at spaces. */
export function excerptOf(text: string, quotes: readonly Range[]): Range {
  const lead = headingLength(text)
  const first = Math.min(...quotes.map((quote) => quote.start), text.length)
  const last = Math.max(...quotes.map((quote) => quote.end), lead)
  const start = quotes.length === 0 ? lead : first - AROUND_CHARS
  const end = quotes.length === 0 ? lead + BEGINNING_CHARS : last + AROUND_CHARS
  const from = start <= lead + REST_CHARS ? lead : text.indexOf(' ', start) + 1
  const space = text.lastIndexOf(' ', end)
  const to = end >= text.length - REST_CHARS || space <= last ? text.length : space
  return { start: Math.min(from, first), end: to }
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
