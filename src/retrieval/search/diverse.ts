/** Fewer passages that say the same. */

/** Passages sharing this part of their words say the same. */
const DUPLICATE_OVERLAP = 0.9

/** The first of every group that shares nearly all its words, until there are `count`. */
export function withoutDuplicates<Item>(
  items: readonly Item[],
  termsOf: (item: Item) => ReadonlySet<string>,
  count: number,
): Item[] {
  const kept: { readonly item: Item; readonly terms: ReadonlySet<string> }[] = []
  for (const item of items) {
    if (kept.length === count) break
    const terms = termsOf(item)
    if (!kept.some((other) => isDuplicate(terms, other.terms))) kept.push({ item, terms })
  }
  return kept.map(({ item }) => item)
}

/** Maximal marginal relevance (Carbonell and Goldstein 1998): each next one is as relevant as may be
 *  and as unlike those before it. `lambda` 1 asks for relevance alone, 0 for variety alone. Relevance
 *  is the score's place between the worst and the best given; likeness is Jaccard's index of words. */
export function byMarginalRelevance<Item extends { readonly score: number }>(
  items: readonly Item[],
  termsOf: (item: Item) => ReadonlySet<string>,
  lambda: number,
  count: number,
): Item[] {
  const scores = items.map(({ score }) => score)
  const [least, most] = [Math.min(...scores), Math.max(...scores)]
  const left = items.map((item) => ({
    item,
    terms: termsOf(item),
    relevance: most === least ? 1 : (item.score - least) / (most - least),
    likeness: 0,
  }))
  const chosen: Item[] = []
  while (chosen.length < count && left.length > 0) {
    let best = 0
    const worth = (at: number): number => {
      const { relevance = 0, likeness = 0 } = left[at] ?? {}
      return lambda * relevance - (1 - lambda) * likeness
    }
    for (const at of left.keys()) if (worth(at) > worth(best)) best = at
    const [next] = left.splice(best, 1)
    if (next === undefined) break
    chosen.push(next.item)
    for (const other of left) other.likeness = Math.max(other.likeness, jaccard(next.terms, other.terms))
  }
  return chosen
}

function isDuplicate(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  // No need to compare what differs in size alone.
  if (Math.min(a.size, b.size) < DUPLICATE_OVERLAP * Math.max(a.size, b.size)) return false
  return a.size + b.size === 0 || jaccard(a, b) >= DUPLICATE_OVERLAP
}

function jaccard(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const shared = a.intersection(b).size
  const together = a.size + b.size - shared
  return together === 0 ? 0 : shared / together
}
