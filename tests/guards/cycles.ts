/** Import cycles, of values and of types: Tarjan's strongly connected components (SIAM J. Comput.
 *  1(2), 1972). A file may start as a worker one that imports it: the two never load each other. */
import type { Module } from './modules.ts'

interface Visit {
  readonly order: number
  low: number
  onStack: boolean
}

/** Each group of files that import one another, as `a -> b -> a`. */
export function findCycles(modules: readonly Module[]): string[] {
  const targets = new Map(
    modules.map((module) => [
      module.path,
      module.imports.flatMap(({ target, isWorker }) => (isWorker ? [] : (target ?? []))),
    ]),
  )
  const visits = new Map<string, Visit>()
  const stack: string[] = []
  const cycles: string[] = []
  const visit = (path: string): Visit => {
    const mine: Visit = { order: visits.size, low: visits.size, onStack: true }
    visits.set(path, mine)
    stack.push(path)
    for (const target of targets.get(path) ?? []) {
      if (!targets.has(target)) continue
      const theirs = visits.get(target)
      if (theirs === undefined) mine.low = Math.min(mine.low, visit(target).low)
      else if (theirs.onStack) mine.low = Math.min(mine.low, theirs.order)
    }
    if (mine.low === mine.order) {
      const group = stack.splice(stack.indexOf(path))
      for (const member of group) (visits.get(member) as Visit).onStack = false
      if (group.length > 1 || targets.get(path)?.includes(path))
        cycles.push(shortestLoop(path, new Set(group), targets))
    }
    return mine
  }
  for (const path of targets.keys()) if (!visits.has(path)) visit(path)
  return cycles
}

/** The shortest way from `start` back to itself inside its group, by breadth-first search. */
function shortestLoop(
  start: string,
  group: ReadonlySet<string>,
  targets: ReadonlyMap<string, readonly string[]>,
): string {
  const ways: string[][] = [[start]]
  const seen = new Set<string>()
  for (const way of ways) {
    for (const target of targets.get(way.at(-1) ?? '') ?? []) {
      if (target === start) return [...way, start].join(' -> ')
      if (group.has(target) && !seen.has(target)) ways.push([...way, target])
      seen.add(target)
    }
  }
  return [...group].join(', ')
}
