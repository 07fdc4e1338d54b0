import type { Hit } from '../../store/index.ts'
import type { Leg, Legs } from '../passage.ts'

/** Several rankings made one. */

export interface LegHits {
  readonly leg: Leg
  /** Best first. */
  readonly hits: readonly Hit[]
}

export interface Fused {
  readonly segment: string
  readonly chunk: number
  readonly score: number
  readonly legs: Legs
}

/** How scores of one leg lie in one collection, as far as it is known. */
export interface Spread {
  readonly mean: number
  /** Above 0. */
  readonly deviation: number
}

/** The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009). */
export const RRF_K = 60

/** Reciprocal rank fusion: a hit scores 1 / (60 + rank) in each leg. Needs nothing known of scores. */
export const fuseByRank = (legs: readonly LegHits[]): Fused[] => fuse(legs, () => (_, rank) => 1 / (RRF_K + rank))

/** The sum of z-scores: how many deviations a hit lies above the mean of its leg. One that a leg did
 *  not find counts there as the last that it found: it can be no better. */
export function fuseByScore(legs: readonly LegHits[], spreads: ReadonlyMap<Leg, Spread>): Fused[] {
  const zOf = (leg: Leg): ((score: number) => number) => {
    const { mean, deviation } = spreads.get(leg) ?? { mean: 0, deviation: 1 }
    return (score) => (score - mean) / deviation
  }
  const floors = legs.map(({ leg, hits }) => Math.min(0, ...hits.slice(-1).map(({ score }) => zOf(leg)(score))))
  const missing = floors.reduce((sum, floor) => sum + floor, 0)
  // Each hit starts with what it has if no leg found it, and is lifted by those that did.
  return fuse(legs, (leg, at) => (score) => zOf(leg)(score) - (floors[at] ?? 0), missing)
}

/** One leg alone: its own order and scores. */
export const fuseOne = ({ leg, hits }: LegHits): Fused[] => fuse([{ leg, hits }], () => (score) => score)

function fuse(
  legs: readonly LegHits[],
  worth: (leg: Leg, at: number) => (score: number, rank: number) => number,
  base = 0,
): Fused[] {
  const found: { segment: string; chunk: number; score: number; legs: Legs }[] = []
  // By segment and then by chunk: a text made of both for each hit costs more than all the rest.
  const bySegment = new Map<string, Map<number, (typeof found)[number]>>()
  for (const [at, { leg, hits }] of legs.entries()) {
    const value = worth(leg, at)
    for (const [place, { segment, chunk, score }] of hits.entries()) {
      const ofSegment = bySegment.get(segment) ?? new Map<number, (typeof found)[number]>()
      if (ofSegment.size === 0) bySegment.set(segment, ofSegment)
      const worthHere = value(score, place + 1)
      const standing = { score, rank: place + 1 }
      const known = ofSegment.get(chunk)
      if (known === undefined) {
        const one = { segment, chunk, score: base + worthHere, legs: { [leg]: standing } }
        ofSegment.set(chunk, one)
        found.push(one)
      } else {
        known.score += worthHere
        known.legs = { ...known.legs, [leg]: standing }
      }
    }
  }
  // Ties as they were met: by the first leg's order.
  return found.sort((a, b) => b.score - a.score)
}
