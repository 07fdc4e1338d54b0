import type { Range } from '../api/answer.ts'
import { piecesOf } from './passage.ts'

interface Props {
  readonly text: string
  readonly quotes: readonly Range[]
  /** How many characters were cut off in front of `text` since the ranges were counted. */
  readonly shift?: number
}

/** Text with its quoted ranges marked. */
export function Marked({ text, quotes, shift = 0 }: Props) {
  const ranges = quotes.map(({ start, end }) => ({ start: start - shift, end: end - shift }))
  return piecesOf(text, ranges).map((piece, at) => (piece.quoted ? <mark key={at}>{piece.text}</mark> : piece.text))
}
