/** Byte-pair encoding of one piece of text (Sennrich et al. 2016): the pair of least rank is joined,
 *  the leftmost of several first, until no pair has a rank. Time is quadratic in the piece's length,
 *  so pieces are kept short. */

/** Of one piece, in UTF-16 units. Words are shorter; longer runs of one kind are taken at their bytes. */
export const PIECE_UNITS_MAX = 64

export interface Ranks {
  /** The rank of joining `text[start, middle)` with `text[middle, end)`; Infinity: never. */
  rankOf(text: string, start: number, middle: number, end: number): number
}

/** Ranks as tiktoken has them: by what comes of the pair. */
export class JoinedRanks implements Ranks {
  readonly #ranks: ReadonlyMap<string, number>

  constructor(ranks: ReadonlyMap<string, number>) {
    this.#ranks = ranks
  }

  rankOf(text: string, start: number, _middle: number, end: number): number {
    return this.#ranks.get(text.slice(start, end)) ?? Infinity
  }
}

/** Ranks as a `tokenizer.json` has them: by the pair, its parts separated by a space. */
export class PairRanks implements Ranks {
  readonly #ranks: ReadonlyMap<string, number>

  constructor(ranks: ReadonlyMap<string, number>) {
    this.#ranks = ranks
  }

  rankOf(text: string, start: number, middle: number, end: number): number {
    return this.#ranks.get(`${text.slice(start, middle)} ${text.slice(middle, end)}`) ?? Infinity
  }
}

/** Where the parts of a piece begin after all joins, and its end. `starts`: where its symbols do,
 *  and its end; changed in place. */
export function joinPairs(text: string, starts: number[], ranks: Ranks): readonly number[] {
  const at = (part: number): number => {
    const end = starts[part + 2]
    return end === undefined ? Infinity : ranks.rankOf(text, starts[part] ?? 0, starts[part + 1] ?? 0, end)
  }
  const joins = starts.slice(0, -1).map((_, part) => at(part))
  for (;;) {
    let least = Infinity
    let found = -1
    for (let part = 0; part < joins.length; part++) {
      const rank = joins[part] ?? Infinity
      if (rank < least) {
        least = rank
        found = part
      }
    }
    if (found < 0) return starts
    starts.splice(found + 1, 1)
    joins.splice(found + 1, 1)
    joins[found] = at(found)
    if (found > 0) joins[found - 1] = at(found - 1)
  }
}
