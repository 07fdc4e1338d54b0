import { wilson } from '../design/interval.ts'

/** What differs about some of many: shares of what they are, inside and outside. */

export interface Difference {
  readonly what: string
  readonly value: string
  readonly inside: Share
  readonly outside: Share
  /** Of the shares, inside less outside, with its 95 % interval (Newcombe 1998, method 10). */
  readonly mean: number
  readonly low: number
  readonly high: number
}

export interface Share {
  readonly count: number
  readonly n: number
}

/** Values compared of one kind: those that are there most. */
const VALUES_MAX = 50

/** Those whose interval leaves zero out first, and of these the surest: by the end that is nearer to zero. */
export function differencesOf<Item>(
  inside: readonly Item[],
  outside: readonly Item[],
  kinds: readonly { readonly what: string; readonly of: (item: Item) => string }[],
): Difference[] {
  if (inside.length === 0 || outside.length === 0) return []
  return kinds
    .flatMap(({ what, of }) => {
      const within = countsOf(inside, of)
      const without = countsOf(outside, of)
      const total = new Map(
        [...without, ...within].map(([value]) => [value, (within.get(value) ?? 0) + (without.get(value) ?? 0)]),
      )
      const values = [...total].toSorted((a, b) => b[1] - a[1]).slice(0, VALUES_MAX)
      return values.map(([value]) =>
        differenceOf(
          what,
          value,
          { count: within.get(value) ?? 0, n: inside.length },
          { count: without.get(value) ?? 0, n: outside.length },
        ),
      )
    })
    .filter(({ mean }) => mean !== 0)
    .toSorted((a, b) => sureness(b) - sureness(a) || Math.abs(b.mean) - Math.abs(a.mean))
}

function countsOf<Item>(items: readonly Item[], of: (item: Item) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(of(item), (counts.get(of(item)) ?? 0) + 1)
  return counts
}

function differenceOf(what: string, value: string, inside: Share, outside: Share): Difference {
  const [p, q] = [inside.count / inside.n, outside.count / outside.n]
  const [a, b] = [wilson(p, inside.n), wilson(q, outside.n)]
  return {
    what,
    value,
    inside,
    outside,
    mean: p - q,
    low: p - q - Math.hypot(p - a.low, b.high - q),
    high: p - q + Math.hypot(a.high - p, q - b.low),
  }
}

/** How far the interval is from zero; below zero where it holds it. */
const sureness = ({ low, high }: Difference): number => Math.max(low, -high)

export const isSure = (difference: Difference): boolean => sureness(difference) > 0
