/** BM25 (Robertson and Zaragoza 2009) in the form Lucene has used since version 8: the constant
 *  factor k1 + 1, which changes no ranking, is left out. Stated once, so that every index ranks alike. */

/** How soon repeating a term stops to count. */
const K1 = 1.2
/** How much a long text is held against it: 0 not at all, 1 in full proportion. */
const B = 0.75

/** What a term is worth by its rarity; never negative. */
export const inverseDocumentFrequency = (texts: number, textsWith: number): number =>
  Math.log(1 + (texts - textsWith + 0.5) / (textsWith + 0.5))

/** The part of the formula that depends on the text alone. */
export const lengthNorm = (length: number, lengthMean: number): number => K1 * (1 - B + (B * length) / lengthMean)

/** What `count` occurrences add, to be multiplied by the term's worth and weight: 0 to 1. */
export const saturation = (count: number, norm: number): number => count / (count + norm)

/** A power of two above every sum of what terms of these worths add. */
export function sumCeiling(worths: Iterable<number>): number {
  let sum = 0
  for (const worth of worths) sum += worth
  return 2 ** Math.min(1 + Math.ceil(Math.log2(sum)), CEILING_EXPONENT_MAX)
}
const CEILING_EXPONENT_MAX = 1023

/** Rounds what a term adds to a multiple of 2 ** -52 of the ceiling. Sums of such numbers lose
 *  nothing, so they come out the same in whatever order an index adds them up, and of two bounds
 *  the larger stays the larger. */
export const onGrid = (added: number, ceiling: number): number => added + ceiling - ceiling
