import type { Percentiles, UsageRow } from '../api/usage.ts'

/** The last hours, one by one. */

const HOUR_MS = 3_600_000
export const HOURS = 24

export interface Hour {
  /** `2026-11-22T13`, in UTC. */
  readonly name: string
  readonly atMs: number
  readonly totalMs: Percentiles
  readonly firstTokenMs: Percentiles
}

export interface Sums {
  readonly requests: number
  readonly failed: number
  readonly refused: number
  readonly costNanoUsd: number
  readonly unpriced: number
}

const NOTHING: Percentiles = { n: 0, p50: undefined, p95: undefined, p99: undefined }

/** The days, in UTC, that the last hours lie in. */
export function spanOf(nowMs: number): { readonly from: string; readonly to: string } {
  return { from: hourOf(nowMs - (HOURS - 1) * HOUR_MS).slice(0, 10), to: hourOf(nowMs).slice(0, 10) }
}

/** Every one of the last hours in order, the one that runs last, with what rows by hour say of it. */
export function hoursOf(rows: readonly UsageRow[], nowMs: number): Hour[] {
  const byHour = new Map(rows.map((row) => [row.at['hour'], row]))
  const lastMs = Math.floor(nowMs / HOUR_MS) * HOUR_MS
  return Array.from({ length: HOURS }, (_, at) => {
    const atMs = lastMs - (HOURS - 1 - at) * HOUR_MS
    const row = byHour.get(hourOf(atMs))
    return {
      name: hourOf(atMs),
      atMs,
      totalMs: row?.totalMs ?? NOTHING,
      firstTokenMs: row?.firstTokenMs ?? NOTHING,
    }
  })
}

/** What the last hours come to. */
export function sumsOf(rows: readonly UsageRow[], nowMs: number): Sums {
  const first = hourOf(nowMs - (HOURS - 1) * HOUR_MS)
  const some = rows.filter((row) => (row.at['hour'] ?? '') >= first)
  const sum = (of: (row: UsageRow) => number): number => some.reduce((all, row) => all + of(row), 0)
  return {
    requests: sum((row) => row.requests),
    failed: sum((row) => row.failed),
    refused: sum((row) => row.refused),
    costNanoUsd: sum((row) => row.costNanoUsd),
    unpriced: sum((row) => row.unpriced),
  }
}

const hourOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 13)
