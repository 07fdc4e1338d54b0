import { sentenceOf, toProblem } from '../base/errors.ts'
import { isObject, type JsonObject } from '../base/json.ts'
import { formatBytes, formatCount, formatMs, formatUsd, parseUsd } from '../base/units.ts'
import { COUNTS, SKETCHES } from '../meter/rollup.ts'
import { inputTokensOf, outputTokensOf, TOKEN_BUCKETS } from '../meter/usage.ts'
import type { ExitCode, Run } from './command.ts'
import type { CliContext } from './context.ts'
import { Declined, declinedWith, printJson, report } from './declined.ts'
import { answerFor, openApi } from './exchange.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { wrongUse } from './keys-terms.ts'
import { widthFor } from './style.ts'
import { oneLine, table } from './text.ts'
import { forecastText } from './usage-forecast.ts'

interface Asked {
  readonly flags: {
    readonly by: string
    readonly where: string | undefined
    readonly days: number
    readonly csv: boolean
    readonly parquet: string | undefined
    readonly forecast: string | undefined
    readonly 'time-zone': string | undefined
    readonly limit: string | undefined
  }
  readonly json: boolean
}

const DAY_MS = 86_400_000

export const run: Run<Asked> = async ({ flags, json }, context) => {
  const from = new Date(context.clock.wallMs() - (flags.days - 1) * DAY_MS).toISOString().slice(0, 10)
  const query = queryOf(flags, from)
  if (query instanceof Declined) return report(context, query, json)
  if (flags.parquet !== undefined) return saveParquet(context, query, flags.parquet, json)
  const answer = await answerFor(context, json, 'GET', `/api/usage?${query.toString()}`)
  if (typeof answer === 'number') return answer
  const rows = listOf(answer['rows'])
  const names = flags.by.split(',').filter((name) => name !== '')
  if (isObject(answer['forecast'])) context.stdout.write(forecastText(answer['forecast']))
  else if (flags.csv) context.stdout.write(csvOf(names, rows))
  else if (rows.length === 0) context.stdout.write(`No request since ${from}.\n`)
  else {
    context.stdout.write(`${tableOf(names, rows, widthFor(context.stdout))}\n`)
    if (answer['overlapping'] === true)
      context.stdout.write('A request counts under each of its tags: the rows add up to more than the whole.\n')
  }
  return 0
}

function queryOf(flags: Asked['flags'], from: string): URLSearchParams | Declined {
  const query = new URLSearchParams({ from, by: flags.by })
  const { where = '' } = flags
  for (const one of where === '' ? [] : where.split(',')) {
    const [name = '', ...value] = one.split('=')
    if (value.length === 0 || name === '' || query.has(name))
      return wrongUse(`--where is a list such as team=web,model=chat, not "${where.slice(0, 80)}".`)
    query.set(name, value.join('='))
  }
  if (flags.forecast !== undefined) query.set('forecast', flags.forecast)
  if (flags['time-zone'] !== undefined) query.set('timeZone', flags['time-zone'])
  if (flags.limit === undefined) return query
  const nanoUsd = parseUsd(flags.limit)
  if (nanoUsd === undefined)
    return wrongUse(`--limit is an amount in US dollars such as 50, not "${flags.limit.slice(0, 80)}".`)
  query.set('limit', nanoUsd.toString())
  return query
}

async function saveParquet(
  context: CliContext,
  query: URLSearchParams,
  path: string,
  json: boolean,
): Promise<ExitCode> {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  query.set('format', 'parquet')
  const answer = await api.download(`/api/usage?${query.toString()}`)
  if ('status' in answer) {
    const body = answer.json()
    return report(context, declinedWith(isObject(body) ? body['error'] : undefined, answer.status), json)
  }
  try {
    const bytes = await context.saveFile(path, answer)
    if (json) printJson(context, { path, bytes })
    else context.stdout.write(`Saved ${formatBytes(bytes)} as ${path}.\n`)
    return 0
  } catch (thrown) {
    return report(context, new Declined('internal', `${path}: ${sentenceOf(toProblem(thrown))}`, 1), json)
  }
}

function tableOf(names: readonly string[], rows: readonly JsonObject[], width: number): string {
  const head = [
    ...names.map((name) => name.toUpperCase()),
    'REQUESTS',
    'FAILED',
    'REFUSED',
    'TOKENS IN',
    'TOKENS OUT',
    'COST',
    'P50',
    'P95',
    'P99',
  ]
  const cells = rows.map((row) => {
    const tokens = Object.fromEntries(TOKEN_BUCKETS.map((bucket) => [bucket, numberOf(row[bucket])]))
    const { p50, p95, p99 } = percentilesOf(row['totalMs'])
    return [
      ...names.map((name) => oneLine(textOf(row[name])) || '-'),
      formatCount(numberOf(row['requests'])),
      formatCount(numberOf(row['failed'])),
      formatCount(numberOf(row['refused'])),
      formatCount(inputTokensOf(tokens)),
      formatCount(outputTokensOf(tokens)),
      costOf(row),
      ...[p50, p95, p99].map((ms) => (ms === undefined ? '-' : formatMs(ms))),
    ]
  })
  return table(
    head,
    cells,
    width,
    Array.from({ length: head.length - names.length }, (_, at) => names.length + at),
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

const QUANTILES = ['n', 'p50', 'p95', 'p99'] as const

/** RFC 4180, with a line of names. */
function csvOf(names: readonly string[], rows: readonly JsonObject[]): string {
  const columns = [...names, ...COUNTS, 'costNanoUsd']
  const head = [...columns, ...SKETCHES.flatMap((what) => QUANTILES.map((quantile) => `${what}.${quantile}`))]
  const lines = rows.map((row) => [
    ...columns.map((name) => cell(row[name])),
    ...SKETCHES.flatMap((what) => QUANTILES.map((quantile) => cell(isObject(row[what]) ? row[what][quantile] : null))),
  ])
  return [head, ...lines].map((line) => `${line.join(',')}\r\n`).join('')
}

/** A spreadsheet would run a text that begins like a formula. */
function cell(value: unknown): string {
  const text = value === null || value === undefined ? '' : String(value)
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
