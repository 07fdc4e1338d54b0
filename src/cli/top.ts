import { sleep } from '../base/clock.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { formatCount, formatMs, formatUsd } from '../base/units.ts'
import type { CliContext } from './context.ts'
import type { Run } from './command.ts'
import { Declined, printJson, report } from './declined.ts'
import { callApi, openApi } from './exchange.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { styleFor, widthFor } from './style.ts'
import { cut, oneLine, table } from './text.ts'

/** A live view of what goes on. */

const EVERY_MS = 2_000
const WINDOW_MS = 5 * 60_000
const ROWS_MAX = 30
const NAME_WIDTH_MAX = 28
/** Home, and away with what is below: the picture is drawn over the one before. */
const CLEAR = '\x1b[H\x1b[J'

interface Asked {
  readonly flags: { readonly by: string }
  readonly json: boolean
}

export const run: Run<Asked> = async ({ flags, json }, context) => {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const by = flags.by.split(',').filter((name) => name !== '')
  for (;;) {
    const to = context.clock.wallMs()
    const query = new URLSearchParams({
      from: new Date(to - WINDOW_MS).toISOString(),
      to: new Date(to).toISOString(),
      by: by.join(','),
      steps: 'false',
    })
    const answer = await callApi(api, 'GET', `/api/telemetry/series?${query.toString()}`)
    if (answer instanceof Declined) return report(context, answer, json)
    if (json) printJson(context, answer)
    else draw(answer, by, context)
    if (json || !context.stdout.isTerminal) return 0
    await sleep(context.clock, EVERY_MS, context.stopped)
    if (context.stopped.aborted) return 0
  }
}

function draw(answer: JsonObject, by: readonly string[], { stdout, env }: CliContext): void {
  const points = listOf(answer['points']).toSorted((a, b) => numberOf(b['spans']) - numberOf(a['spans']))
  // The buckets begin before the window does.
  const minutes = (Date.parse(textOf(answer['to'])) - Date.parse(textOf(points[0]?.['at'] ?? answer['from']))) / 60_000
  const header = [...by.map((name) => name.toUpperCase()), 'SPANS/MIN', 'ERRORS', 'P50', 'P95', 'P99', 'TOKENS', 'COST']
  const rows = points.slice(0, ROWS_MAX).map((point) => rowOf(point, by, Math.max(1, minutes)))
  const style = styleFor(stdout, env)
  const right = header.map((_, at) => at).slice(by.length)
  const shown = rows.length === 0 ? 'Nothing in the last minutes.' : table(header, rows, widthFor(stdout), right)
  const more = points.length > ROWS_MAX ? `\nand ${points.length - ROWS_MAX} more` : ''
  stdout.write(
    `${stdout.isTerminal ? CLEAR : ''}${style.bold('headworks top')}  ${textOf(answer['to'])}\n\n${shown}${more}\n`,
  )
}

function rowOf(point: JsonObject, by: readonly string[], minutes: number): string[] {
  const spans = numberOf(point['spans'])
  const errors = numberOf(point['errors'])
  const share = errors === 0 ? '' : `${((100 * errors) / spans).toFixed(1)} %`
  const tokens = numberOf(point['inputTokens']) + numberOf(point['outputTokens'])
  const cost = BigInt(textOf(point['costNanoUsd']) || '0')
  return [
    ...by.map((name) => cut(oneLine(textOf(point[name])), NAME_WIDTH_MAX)),
    formatCount(Math.round(spans / minutes)),
    share,
    ...['p50', 'p95', 'p99'].map((name) => msText(point['durationMs'], name)),
    tokens === 0 ? '' : formatCount(tokens),
    cost === 0n ? '' : formatUsd(cost),
  ]
}

const msText = (percentiles: Json | undefined, name: string): string => {
  const ms = isObject(percentiles) ? percentiles[name] : undefined
  return typeof ms === 'number' ? formatMs(ms) : ''
}
