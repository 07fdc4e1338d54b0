/** Where the bars of a waterfall stand. */

export interface Span {
  readonly name: string
  /** Position of the parent in the list; -1: none. */
  readonly parent: number
  readonly startMs: number
  readonly endMs: number
  readonly attributes: { readonly [name: string]: unknown }
}

export interface Row {
  readonly span: Span
  readonly depth: number
  /** A stage that holds others: drawn as a dimension line, for its time is theirs. */
  readonly isOuter: boolean
  /** 1 to 8, one per name in order of appearance; 0 for outer stages. */
  readonly category: number
}

const CATEGORIES = 8

/** The spans as a tree, in order of their start, children beneath their parent. Whatever names a
 *  parent that does not stand before it in the list is a root: no list makes this run in circles. */
export function rowsOf(spans: readonly Span[]): Row[] {
  const children = new Map<number, number[]>()
  for (const [at, span] of spans.entries()) {
    const parent = Number.isInteger(span.parent) && span.parent >= 0 && span.parent < at ? span.parent : -1
    children.set(parent, [...(children.get(parent) ?? []), at])
  }
  const categories = new Map<string, number>()
  const rows: Row[] = []
  const visit = (parent: number, depth: number): void => {
    const inner = (children.get(parent) ?? []).map((at) => ({ at, span: spans[at] as Span }))
    for (const { at, span } of inner.sort((a, b) => a.span.startMs - b.span.startMs || a.at - b.at)) {
      const isOuter = children.has(at)
      if (!isOuter && !categories.has(span.name)) categories.set(span.name, (categories.size % CATEGORIES) + 1)
      rows.push({ span, depth, isOuter, category: isOuter ? 0 : (categories.get(span.name) ?? 1) })
      visit(at, depth + 1)
    }
  }
  visit(-1, 0)
  return rows
}

/** Round steps (1, 2 or 5 times a power of ten) from 0 to just past `totalMs`: the last tick is
 *  the end of the scale. */
export function ticksOf(totalMs: number, atMost: number): number[] {
  const raw = Math.max(totalMs, 0.01) / atMost
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one * atMost >= totalMs) ?? power * 10
  const count = Math.max(1, Math.ceil(totalMs / step - 1e-9))
  return Array.from({ length: count + 1 }, (_, at) => Number((at * step).toPrecision(12)))
}

/** Ticks share one unit, so only the number changes from one to the next. */
export function tickLabels(ticks: readonly number[]): string[] {
  const inSeconds = (ticks.at(-1) ?? 0) >= 2000
  return ticks.map((tick, at) => {
    const figure = String(Number((inSeconds ? tick / 1000 : tick).toPrecision(6)))
    return at === ticks.length - 1 ? `${figure} ${inSeconds ? 's' : 'ms'}` : figure
  })
}
