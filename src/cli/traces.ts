import { sleep } from '../base/clock.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { formatBytes, formatCount, formatMs, formatUsd } from '../base/units.ts'
import { billText, stagesText } from './answer.ts'
import type { Argument, ExitCode, Input, Run } from './command.ts'
import type { CliContext } from './context.ts'
import { readCost, readStages, type Stage } from './conversation.ts'
import { Declined, declinedWith, printJson, report } from './declined.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { answerFor, callApi, openApi } from './exchange.ts'
import { styleFor, widthFor } from './style.ts'
import { cut, oneLine, table, wrap } from './text.ts'
import { TRACE_FILTERS } from './trace-filters.ts'

type CountFlag = { type: 'count'; value: string; summary: string; least: number; most: number; default: number }
type TextFlag = { type: 'text'; value: string; summary: string }
type FilterFlags = { readonly [Name in keyof typeof TRACE_FILTERS]: TextFlag }

export const list: Run<Input<readonly [], FilterFlags & { count: CountFlag }>> = async ({ flags, json }, context) => {
  const answer = await answerFor(context, json, 'GET', `/api/traces?${queryOf(flags, flags.count)}`)
  if (typeof answer === 'number') return answer
  const traces = listOf(answer['traces'])
  if (traces.length === 0) context.stdout.write('No trace fits, or none has been made yet.\n')
  else context.stdout.write(`${table(COLUMNS, traces.map(rowOf), widthFor(context.stdout), RIGHT)}\n`)
  return 0
}

const COLUMNS = ['AT (UTC)', 'ID', 'NAME', 'STATUS', 'TOOK', 'TOKENS', 'COST', 'USER']
const RIGHT = [4, 5, 6]

const rowOf = (trace: JsonObject): string[] => [
  textOf(trace['at']).slice(0, 19).replace('T', ' '),
  textOf(trace['id']),
  cut(oneLine(textOf(trace['name'])), NAME_WIDTH_MAX),
  textOf(trace['status']),
  formatMs(numberOf(trace['durationMs'])),
  formatCount(numberOf(trace['inputTokens']) + numberOf(trace['outputTokens'])),
  costText(trace['costNanoUsd']),
  oneLine(textOf(trace['user'])),
]

const NAME_WIDTH_MAX = 32
const costText = (nano: Json | undefined): string => {
  const cost = readCost(nano)
  return cost === undefined || cost === null ? '' : formatUsd(cost)
}

function queryOf(flags: { readonly [Name in keyof FilterFlags]: string | undefined }, limit: number): string {
  const query = new URLSearchParams({ limit: String(limit) })
  for (const name of Object.keys(TRACE_FILTERS) as (keyof FilterFlags)[]) {
    const value = flags[name]
    if (value !== undefined) query.set(PARAMETER_OF[name] ?? name, value)
  }
  return query.toString()
}

const PARAMETER_OF: { readonly [flag: string]: string } = { 'min-ms': 'minMs', 'min-usd': 'minUsd' }

const TAIL_MS = 1000
const TAIL_TRACES = 100
/** Ids of traces that were shown, so that one which still grows is not shown again. */
const SHOWN_MAX = 10_000

/** New traces as they come, until Ctrl-C. With `--json` one to a line. */
export const tail: Run<Input<readonly [], FilterFlags>> = async ({ flags, json }, context) => {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const shown = new Set<string>()
  for (let first = true; !context.stopped.aborted; first = false) {
    const answer = await callApi(api, 'GET', `/api/traces?${queryOf(flags, TAIL_TRACES)}`)
    if (answer instanceof Declined) return report(context, answer, json)
    const fresh = listOf(answer['traces']).filter((trace) => !shown.has(textOf(trace['traceId'])))
    if (shown.size > SHOWN_MAX) shown.clear()
    for (const trace of fresh) shown.add(textOf(trace['traceId']))
    for (const trace of first ? [] : fresh.toReversed())
      context.stdout.write(
        `${
          json
            ? JSON.stringify(trace)
            : rowOf(trace)
                .filter((cell) => cell !== '')
                .join('  ')
        }\n`,
      )
    await sleep(context.clock, TAIL_MS, context.stopped)
  }
  return 0
}

interface ExportAsked {
  readonly words: { readonly path: string }
  readonly flags: { readonly from: string | undefined; readonly to: string | undefined; readonly format: string }
  readonly json: boolean
}

/** All spans of a range of time as a file. */
export const exportSpans: Run<ExportAsked> = async ({ words, flags, json }, context) => {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const query = new URLSearchParams({ format: flags.format })
  for (const name of ['from', 'to'] as const) if (flags[name] !== undefined) query.set(name, flags[name])
  const answer = await api.download(`/api/telemetry/export?${query.toString()}`)
  if (!(Symbol.asyncIterator in answer)) {
    const body = answer.json()
    return report(context, declinedWith(isObject(body) ? body['error'] : undefined, answer.status), json)
  }
  const bytes = await context.saveFile(words.path, answer)
  if (json) printJson(context, { path: words.path, bytes })
  else context.stdout.write(`Saved ${formatBytes(bytes)} as ${words.path}.\n`)
  return 0
}

export const show: Run<Input<readonly [Argument & { name: 'id' }], Record<never, never>>> = async (
  { words, json },
  context,
) => {
  const trace = await answerFor(context, json, 'GET', `/api/traces/${encodeURIComponent(words.id)}`)
  if (typeof trace === 'number') return trace
  const { stdout } = context
  const style = styleFor(stdout, context.env)
  const width = widthFor(stdout)
  if (!isObject(trace['body'])) return showForeign(trace, context)
  const body = bodyOf(trace)
  const model = [textOf(body['model']), textOf(body['deployment'])].filter((part) => part !== '').join(' → ')
  stdout.write(`${style.bold(textOf(trace['id']))}  ${textOf(trace['at'])}\n`)
  stdout.write(
    `${[textOf(body['operation']) || textOf(trace['kind']), model, `outcome: ${textOf(body['outcome']) || 'running'}`].filter((part) => part !== '').join(' · ')}\n`,
  )
  if (textOf(body['reason']) !== '')
    stdout.write(`${wrap(`${textOf(body['error'])}: ${oneLine(textOf(body['reason']))}`, width, '  ')}\n`)
  const bill = billText({ usage: tokensOf(body), costNanoUsd: readCost(body['costNanoUsd']), requestId: undefined })
  if (bill !== '') stdout.write(`${bill}\n`)
  const stages = stagesText(readStages(body['stages']), width, style)
  if (stages !== '') stdout.write(`\n${stages}`)
  return 0
}

/** A trace of other programs: what its spans say. */
function showForeign(trace: JsonObject, { stdout, env }: CliContext): ExitCode {
  const style = styleFor(stdout, env)
  const width = widthFor(stdout)
  const summary = isObject(trace['trace']) ? trace['trace'] : {}
  stdout.write(`${style.bold(textOf(summary['id']))}  ${textOf(summary['at'])}\n`)
  const spans = numberOf(trace['total'])
  const said = [
    oneLine(textOf(summary['service'])),
    oneLine(textOf(summary['name'])),
    oneLine(textOf(summary['model'])),
  ]
  stdout.write(
    `${[...said, `status: ${textOf(summary['status'])}`, `${formatCount(spans)} spans`].filter((part) => part !== '').join(' · ')}\n`,
  )
  const usage = { input: numberOf(summary['inputTokens']), output: numberOf(summary['outputTokens']), estimated: false }
  stdout.write(`${billText({ usage, costNanoUsd: readCost(summary['costNanoUsd']), requestId: undefined })}\n`)
  const list = listOf(trace['spans'])
  for (const span of list.filter(({ error }) => textOf(error) !== ''))
    stdout.write(`${wrap(`${oneLine(textOf(span['name']))}: ${oneLine(textOf(span['error']))}`, width, '  ')}\n`)
  const stages = stagesText(stagesOf(list), width, style)
  if (stages !== '') stdout.write(`\n${stages}`)
  return 0
}

/** Spans as stages; one whose parent is not among them stands by itself. */
function stagesOf(spans: readonly JsonObject[]): Stage[] {
  const places = new Map(spans.map((span, at) => [textOf(span['spanId']), at]))
  const originUs = Math.min(...spans.map((span) => numberOf(span['startUs'])))
  return spans.map((span) => {
    const startMs = (numberOf(span['startUs']) - originUs) / 1000
    return {
      name: textOf(span['name']),
      parent: places.get(textOf(span['parentId'])) ?? -1,
      startMs,
      endMs: startMs + numberOf(span['durationMs']),
    }
  })
}

const bodyOf = (trace: JsonObject): JsonObject => (isObject(trace['body']) ? trace['body'] : {})

function tokensOf(body: JsonObject) {
  const usage = body['usage']
  if (!isObject(usage)) return undefined
  return {
    input: numberOf(usage['inputTokens']) + numberOf(usage['cachedInputTokens']),
    output: numberOf(usage['outputTokens']) + numberOf(usage['reasoningTokens']),
    estimated: usage['estimated'] === true,
  }
}
