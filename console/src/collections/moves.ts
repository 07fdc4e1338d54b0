import type { Found } from '../api/collections.ts'

/** What moved from one list of ranks to another. */

export interface Move {
  readonly key: string
  readonly title: string
  /** 1 is the best; undefined: not among those compared. */
  readonly before: number | undefined
  readonly after: number | undefined
}

/** In the order of the list before, then those that are new. */
export function movesOf(before: readonly Found[], after: readonly Found[]): Move[] {
  const moves = new Map<string, Move>()
  for (const [at, found] of before.entries())
    moves.set(keyOf(found), { key: keyOf(found), title: found.title, before: at + 1, after: undefined })
  for (const [at, found] of after.entries()) {
    const key = keyOf(found)
    moves.set(key, { key, title: found.title, before: moves.get(key)?.before, after: at + 1 })
  }
  return [...moves.values()]
}

const keyOf = ({ document, start, end }: Found): string => `${document} ${start} ${end}`

export function moveText({ before, after }: Move): string {
  if (before === undefined) return 'new'
  if (after === undefined) return 'gone'
  const up = before - after
  if (up === 0) return 'same'
  return up > 0 ? `up ${up}` : `down ${-up}`
}
