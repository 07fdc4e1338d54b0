/** An icicle: what makes up a sum, level by level. Each level is a column; within it a part is as high
 *  as it is large, beside what it is a part of. */

export interface Leaf {
  /** One name for each level. */
  readonly names: readonly string[]
  readonly value: number
}

export interface Part {
  readonly name: string
  readonly value: number
  /** Largest first. */
  readonly children: readonly Part[]
  /** Stands for several that are too small to be shown by themselves: its children. */
  readonly isRest?: true
}

/** A part in its place: shares of the height, from the top. */
export interface Rect {
  readonly part: Part
  /** From the whole down to the part itself: positions among the children shown. */
  readonly path: readonly number[]
  readonly level: number
  readonly from: number
  readonly to: number
  /** Of the topmost part it belongs to, in order: for colours. */
  readonly branch: number
}

/** What parts are called that stand for several others. No name of a part. */
export const REST = '\0rest'

export function partsOf(leaves: readonly Leaf[], levels: number): Part {
  return partAt('', leaves, 0, levels)
}

function partAt(name: string, leaves: readonly Leaf[], level: number, levels: number): Part {
  const value = leaves.reduce((sum, leaf) => sum + leaf.value, 0)
  if (level === levels) return { name, value, children: [] }
  const groups = Map.groupBy(leaves, (leaf) => leaf.names[level] ?? '')
  const children = [...groups].map(([child, some]) => partAt(child, some, level + 1, levels))
  return { name, value, children: children.sort(largestFirst) }
}

const largestFirst = (a: Part, b: Part): number => b.value - a.value || (a.name < b.name ? -1 : 1)

/** The same, where children below `valueMin` that are not alone stand together as one. */
export function gathered(part: Part, valueMin: number): Part {
  const small = part.children.filter(({ value }) => value < valueMin)
  const large = part.children.filter(({ value }) => value >= valueMin)
  const children = small.length < 2 ? part.children : [...large, restOf(small)]
  return { ...part, children: children.map((child) => (child.isRest ? child : gathered(child, valueMin))) }
}

const restOf = (parts: readonly Part[]): Part => ({
  name: REST,
  value: parts.reduce((sum, { value }) => sum + value, 0),
  children: parts,
  isRest: true,
})

/** The part of a path of names; undefined where there is none (any more). */
export function partOf(whole: Part, names: readonly string[], shareMin: number): Part | undefined {
  let part = whole
  for (const name of names) {
    const { children } = name === REST ? gathered(part, shareMin * part.value) : part
    const found = children.find((child) => child.name === name)
    if (found === undefined) return undefined
    part = found
  }
  return part
}

/** All parts but the whole, column by column from the top. A part of nothing has no place. */
export function rectsOf(whole: Part, levels: number): Rect[] {
  const rects: Rect[] = []
  const visit = (part: Part, path: readonly number[], from: number, branch: number): void => {
    let at = from
    part.children.forEach((child, position) => {
      const size = whole.value > 0 ? child.value / whole.value : 0
      if (size <= 0 || path.length >= levels) return
      const own = path.length === 0 ? position : branch
      rects.push({ part: child, path: [...path, position], level: path.length, from: at, to: at + size, branch: own })
      // What stands for several is opened by going there.
      if (child.isRest === undefined) visit(child, [...path, position], at, own)
      at += size
    })
  }
  visit(whole, [], 0, 0)
  return rects.sort((a, b) => a.level - b.level || a.from - b.from)
}

/** Where an arrow key leads from a part: to its parent, its first child, its neighbour in the column. */
export function neighbourOf(rects: readonly Rect[], at: number, key: string): number {
  const here = rects[at]
  if (here === undefined) return 0
  const samePath = (path: readonly number[]): number =>
    rects.findIndex((rect) => rect.path.length === path.length && rect.path.every((step, i) => step === path[i]))
  const column = rects.flatMap((rect, i) => (rect.level === here.level ? [i] : []))
  const inColumn = column.indexOf(at)
  const target = {
    ArrowLeft: samePath(here.path.slice(0, -1)),
    ArrowRight: samePath([...here.path, 0]),
    ArrowUp: column[inColumn - 1] ?? at,
    ArrowDown: column[inColumn + 1] ?? at,
    Home: column[0] ?? at,
    End: column.at(-1) ?? at,
  }[key]
  return target === undefined || target < 0 ? at : target
}
