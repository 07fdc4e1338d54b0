/** Results as text for a terminal. */
import type { Comparison, Figure, Interval, Measured, Result } from './harness.ts'

export function formatResult(result: Result): string {
  return result.kind === 'figure' ? formatFigure(result) : formatComparison(result)
}

function formatComparison({ name, subject, reference, wallRatio, cpuRatio }: Comparison): string {
  const head = ['', 'n', 'wall', 'min .. max', 'CPU', 'p50 / p95 / p99']
  const table = formatTable([head, row(subject), row(reference)])
  return `${name}\n${table}\n  ratio to ${reference.name}: wall ${formatRatio(wallRatio)}, CPU ${formatRatio(cpuRatio)}`
}

function row({ name, wallMs, cpuMs, latencyMs }: Measured): string[] {
  const latency =
    latencyMs === undefined
      ? ''
      : `${formatMs(latencyMs.p50)} / ${formatMs(latencyMs.p95)} / ${formatMs(latencyMs.p99)} (${latencyMs.n})`
  return [
    name,
    String(wallMs.n),
    formatMs(wallMs.median),
    `${formatMs(wallMs.min)} .. ${formatMs(wallMs.max)}`,
    formatMs(cpuMs.median),
    latency,
  ]
}

function formatFigure({ name, unit, value, n, min, max, target }: Figure): string {
  const range = min === undefined || max === undefined ? '' : `, ${short(min)} .. ${short(max)}`
  return `${name}: ${short(value)} ${unit} (n = ${n}${range})${target === undefined ? '' : `, aim: ${target}`}`
}

const formatRatio = ({ median, low, high }: Interval): string =>
  `${median.toFixed(2)} (${low.toFixed(2)} .. ${high.toFixed(2)})`

/** Three digits that count, in the unit that needs no zeros. */
export function formatMs(ms: number): string {
  if (ms >= 1000) return `${short(ms / 1000)} s`
  return ms >= 1 || ms === 0 ? `${short(ms)} ms` : `${short(ms * 1000)} us`
}

const short = (value: number): string => String(Number(value.toPrecision(3)))

function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)))
  return rows
    .map((cells) =>
      `  ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}`.trimEnd(),
    )
    .join('\n')
}
