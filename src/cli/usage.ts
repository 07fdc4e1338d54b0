import { isObject, type JsonObject } from '../base/json.ts'
import { formatCount, formatMs, formatUsd } from '../base/units.ts'
import type { Input, Run } from './command.ts'
import { answerFor } from './exchange.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { widthFor } from './style.ts'
import { oneLine, table } from './text.ts'

type Flags = {
  by: { type: 'text'; value: string; summary: string; default: string }
  days: { type: 'count'; value: string; summary: string; least: number; most: number; default: number }
  csv: { type: 'switch'; summary: string }
}

const DAY_MS = 86_400_000

export const run: Run<Input<readonly [], Flags>> = async ({ flags, json }, context) => {
  const from = new Date(context.clock.wallMs() - (flags.days - 1) * DAY_MS).toISOString().slice(0, 10)
  const answer = await answerFor(context, json, 'GET', `/api/usage?from=${from}&by=${encodeURIComponent(flags.by)}`)
  if (typeof answer === 'number') return answer
  const rows = listOf(answer['rows'])
  const names = flags.by.split(',').filter((name) => name !== '')
  if (flags.csv) context.stdout.write(csvOf(names, rows))
  else if (rows.length === 0) context.stdout.write(`No request since ${from}.\n`)
  else context.stdout.write(`${tableOf(names, rows, widthFor(context.stdout))}\n`)
  return 0
}

function tableOf(names: readonly string[], rows: readonly JsonObject[], width: number): string {
  const head = [
    ...names.map((name) => name.toUpperCase()),
    'REQUESTS',
    'FAILED',
    'TOKENS IN',
    'TOKENS OUT',
    'COST',
    'P50',
    'P95',
    'P99',
  ]
  const cells = rows.map((row) => {
    const { p50, p95, p99 } = percentilesOf(row['totalMs'])
    return [
      ...names.map((name) => oneLine(textOf(row[name])) || '-'),
      formatCount(numberOf(row['requests'])),
      formatCount(numberOf(row['failed'])),
      formatCount(numberOf(row['inputTokens']) + numberOf(row['cachedInputTokens'])),
      formatCount(numberOf(row['outputTokens']) + numberOf(row['reasoningTokens'])),
      costOf(row),
      ...[p50, p95, p99].map((ms) => (ms === undefined ? '-' : formatMs(ms))),
    ]
  })
  return table(
    head,
    cells,
    width,
    Array.from({ length: 8 }, (_, at) => names.length + at),
  )
}

/** Known cost, and whether there is more of unknown size. */
function costOf(row: JsonObject): string {
  const known = formatUsd(BigInt(textOf(row['costNanoUsd']) || '0'))
  const unpriced = numberOf(row['unpriced'])
  if (unpriced === 0) return known
  return unpriced === numberOf(row['answered']) ? 'unknown' : `${known} + unknown`
}

function percentilesOf(value: unknown): { p50?: number; p95?: number; p99?: number } {
  if (!isObject(value)) return {}
  const { p50, p95, p99 } = value
  return {
    ...(typeof p50 === 'number' && { p50 }),
    ...(typeof p95 === 'number' && { p95 }),
    ...(typeof p99 === 'number' && { p99 }),
  }
}

const COLUMNS = [
  'requests',
  'answered',
  'failed',
  'cancelled',
  'interrupted',
  'inputTokens',
  'cachedInputTokens',
  'outputTokens',
  'reasoningTokens',
  'costNanoUsd',
  'unpriced',
  'estimated',
] as const
const SKETCHED = ['costNanoUsdPerRequest', 'totalMs', 'firstTokenMs'] as const
const QUANTILES = ['n', 'p50', 'p95', 'p99'] as const

/** RFC 4180, with a line of names. */
function csvOf(names: readonly string[], rows: readonly JsonObject[]): string {
  const head = [...names, ...COLUMNS, ...SKETCHED.flatMap((what) => QUANTILES.map((quantile) => `${what}.${quantile}`))]
  const lines = rows.map((row) => [
    ...[...names, ...COLUMNS].map((name) => cell(row[name])),
    ...SKETCHED.flatMap((what) => QUANTILES.map((quantile) => cell(isObject(row[what]) ? row[what][quantile] : null))),
  ])
  return [head, ...lines].map((line) => `${line.join(',')}\r\n`).join('')
}

/** A spreadsheet would run a text that begins like a formula. */
function cell(value: unknown): string {
  const text = value === null || value === undefined ? '' : String(value)
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
