import type { TraceSpan } from '../api/traces.ts'

/** Which rows of a long list are drawn, and which pages they need. */

/** Drawn beyond what is in sight, so that scrolling by a little shows no gap. */
const MARGIN_ROWS = 12

export function visibleRows(topPx: number, rowPx: number, shown: number, total: number): number[] {
  const first = Math.max(0, Math.min(total - shown, Math.floor(topPx / rowPx)) - MARGIN_ROWS)
  const end = Math.min(total, first + shown + 2 * MARGIN_ROWS)
  return Array.from({ length: Math.max(0, end - first) }, (_, at) => first + at)
}

/** Numbers of the pages that hold these rows. */
export const pagesIn = (rows: readonly number[], pageRows: number): number[] => [
  ...new Set(rows.map((row) => Math.floor(row / pageRows))),
]

/** How deep each span lies, as far as its parents are known; a circle ends where it began. */
export function depthsOf(pages: ReadonlyMap<number, readonly TraceSpan[]>): Map<string, number> {
  const depths = new Map<string, number>()
  for (const [, spans] of [...pages].toSorted(([a], [b]) => a - b))
    for (const { id, parent } of spans) {
      const above = depths.get(parent)
      depths.set(id, above === undefined ? (parent === '' ? 0 : 1) : above + 1)
    }
  return depths
}
