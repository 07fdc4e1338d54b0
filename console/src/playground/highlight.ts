import type { Range } from '../api/answer.ts'

/** The words of a question in a text: the same, or the same but for an ending. */

const WORD = /[\p{L}\p{N}]+/gu
const LENGTH_MIN = 3
/** Endings that search does not tell apart either, in English. */
const ENDINGS = /(?:ing|ies|ed|es|s|e|y)$/u
/** Asked in every question, and telling nothing. */
const IDLE = new Set(
  'a an and are as at be by can do does for from has have how i if in is it my of on or that the there this to was we what when where which who why will with you your'.split(
    ' ',
  ),
)

export function highlightsOf(text: string, question: string): Range[] {
  const wanted = new Set(wordsOf(question).map(({ word }) => word))
  return wordsOf(text)
    .filter(({ word }) => wanted.has(word))
    .map(({ start, end }) => ({ start, end }))
}

/** Characters that a card shows at once, about. */
const WINDOW_CHARS = 500

/** Which highlight a card opens at: the first of those that stand closest together. Undefined without any. */
export function densestOf(highlights: readonly Range[]): number | undefined {
  let best: number | undefined
  let most = 0
  for (const [first, { start }] of highlights.entries()) {
    const within = highlights.filter((other) => other.start >= start && other.end <= start + WINDOW_CHARS).length
    if (within <= most) continue
    most = within
    best = first
  }
  return best
}

function wordsOf(text: string): { readonly word: string; readonly start: number; readonly end: number }[] {
  const found = []
  for (const match of text.matchAll(WORD)) {
    const lower = match[0].toLowerCase()
    if (IDLE.has(lower)) continue
    const stem = lower.replace(ENDINGS, '')
    const word = stem.length >= LENGTH_MIN ? stem : lower
    found.push({ word, start: match.index, end: match.index + match[0].length })
  }
  return found
}
