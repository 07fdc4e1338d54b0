import { logScale, placeOf, valueAt, type LogScale } from '../design/logscale.ts'

/** How many took how long when: a grid over time and, on a logarithmic scale, latency. */

export interface Point {
  readonly atMs: number
  readonly durationMs: number
}

/** A part of the plane: from the one on, before the other; latency up to and with `highMs`. */
export interface Area {
  readonly fromMs: number
  readonly toMs: number
  readonly lowMs: number
  readonly highMs: number
}

export interface Grid {
  readonly columns: number
  readonly rows: number
  readonly fromMs: number
  readonly toMs: number
  readonly scale: LogScale
  /** Row by row from the shortest, each from the earliest. */
  readonly counts: readonly number[]
  readonly most: number
}

export interface Cell {
  readonly column: number
  readonly row: number
}

const ROWS_PER_DECADE = 6
/** What was shorter stands with it. */
const LEAST_MS = 0.01

export function gridOf(points: readonly Point[], fromMs: number, toMs: number, columns: number): Grid {
  const scale = logScale(points.map(({ durationMs }) => Math.max(LEAST_MS, durationMs)))
  const rows = Math.round(Math.log10(scale.high / scale.low)) * ROWS_PER_DECADE
  const counts = Array.from({ length: columns * rows }, () => 0)
  const span = Math.max(1, toMs - fromMs)
  for (const { atMs, durationMs } of points) {
    if (atMs < fromMs || atMs > toMs) continue
    const column = Math.min(columns - 1, Math.floor(((atMs - fromMs) / span) * columns))
    const row = Math.min(rows - 1, Math.floor(placeOf(scale, durationMs) * rows))
    counts[row * columns + column] = (counts[row * columns + column] ?? 0) + 1
  }
  return { columns, rows, fromMs, toMs, scale, counts, most: counts.reduce((a, b) => Math.max(a, b), 0) }
}

/** How dark a cell is, 0 to 1: by the logarithm, so that one beside a thousand is seen. */
export const shadeOf = (count: number, most: number): number =>
  count === 0 ? 0 : 0.18 + 0.82 * (most <= 1 ? 1 : Math.log(count) / Math.log(most))

/** What two corners enclose, both cells included. */
export function areaOf({ columns, rows, fromMs, toMs, scale }: Grid, a: Cell, b: Cell): Area {
  const column = [Math.min(a.column, b.column), Math.max(a.column, b.column) + 1] as const
  const row = [Math.min(a.row, b.row), Math.max(a.row, b.row) + 1] as const
  const time = (at: number): number => Math.round(fromMs + ((toMs - fromMs) * at) / columns)
  const latency = (at: number): number => Number(valueAt(scale, at / rows).toPrecision(6))
  return {
    fromMs: time(column[0]),
    toMs: column[1] === columns ? toMs + 1 : time(column[1]),
    lowMs: row[0] === 0 ? 0 : latency(row[0]),
    highMs: latency(row[1]),
  }
}

export const isIn = ({ fromMs, toMs, lowMs, highMs }: Area, { atMs, durationMs }: Point): boolean =>
  atMs >= fromMs && atMs < toMs && durationMs >= lowMs && durationMs <= highMs

/** Where an area lies in the drawing, as shares from the left and from below. */
export function boxOf(grid: Grid, area: Area): { left: number; bottom: number; width: number; height: number } {
  const across = (atMs: number): number =>
    Math.min(1, Math.max(0, (atMs - grid.fromMs) / Math.max(1, grid.toMs - grid.fromMs)))
  const left = across(area.fromMs)
  const bottom = placeOf(grid.scale, area.lowMs)
  return {
    left,
    bottom,
    width: across(area.toMs) - left,
    height: placeOf(grid.scale, area.highMs) - bottom,
  }
}
