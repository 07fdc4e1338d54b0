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
