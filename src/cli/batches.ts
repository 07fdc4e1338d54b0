import { isObject, type JsonObject } from '../base/json.ts'
import { formatCount, formatUsd } from '../base/units.ts'
import type { Run } from './command.ts'
import { answerFor } from './exchange.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { shareBar } from './progress.ts'
import { styleFor, widthFor } from './style.ts'
import { oneLine, table, wrap } from './text.ts'

interface ListAsked {
  readonly flags: { readonly count: number }
  readonly json: boolean
}

interface OneAsked {
  readonly words: { readonly id: string }
  readonly json: boolean
}

export const list: Run<ListAsked> = async ({ flags, json }, context) => {
  const answer = await answerFor(context, json, 'GET', `/api/batches?limit=${flags.count}`)
  if (typeof answer === 'number') return answer
  const rows = listOf(answer['batches']).map((batch) => [
    textOf(batch['id']),
    textOf(batch['status']),
    shareBar(shareOf(batch)),
    formatCount(countsOf(batch).failed),
    costOf(batch),
    timeOf(batch['created_at']),
  ])
  if (rows.length === 0) context.stdout.write('No batch. POST /v1/batches begins one; docs/batches.md says how.\n')
  else
    context.stdout.write(
      `${table(['BATCH', 'STATE', 'DONE', 'FAILED', 'COST', 'MADE (UTC)'], rows, widthFor(context.stdout), [3, 4])}\n`,
    )
  return 0
}

export const show: Run<OneAsked> = async ({ words, json }, context) => {
  const batch = await answerFor(context, json, 'GET', `/api/batches/${encodeURIComponent(words.id)}`)
  if (typeof batch === 'number') return batch
  const { stdout } = context
  const { total, completed, failed } = countsOf(batch)
  const usage = isObject(batch['usage']) ? batch['usage'] : {}
  const facts: readonly (readonly [name: string, value: string])[] = [
    ['state', textOf(batch['status'])],
    ['endpoint', textOf(batch['endpoint'])],
    ['model', textOf(batch['model'])],
    ['key', textOf(batch['key'])],
    ['lines', `${formatCount(total)}, ${formatCount(completed)} answered, ${formatCount(failed)} failed`],
    [
      'tokens',
      `${formatCount(numberOf(usage['input_tokens']))} in, ${formatCount(numberOf(usage['output_tokens']))} out`,
    ],
    ['cost', costOf(batch)],
    ['made', timeOf(batch['created_at'])],
    ['expires', timeOf(batch['expires_at'])],
    ['input', textOf(batch['input_file_id'])],
    ['output', textOf(batch['output_file_id'])],
    ['errors', textOf(batch['error_file_id'])],
  ]
  const width = Math.max(...facts.map(([name]) => name.length))
  for (const [name, value] of facts) if (value !== '') stdout.write(`${name.padEnd(width)}  ${oneLine(value)}\n`)
  const problems = isObject(batch['errors']) ? listOf(batch['errors']['data']) : []
  for (const problem of problems) {
    const line = numberOf(problem['line'])
    const where = line > 0 ? `line ${line}: ` : ''
    stdout.write(`${wrap(`${where}${oneLine(textOf(problem['message']))}`, widthFor(stdout), '  ')}\n`)
  }
  return 0
}

export const cancel: Run<OneAsked> = async ({ words, json }, context) => {
  const path = `/api/batches/${encodeURIComponent(words.id)}/cancel`
  const answer = await answerFor(context, json, 'POST', path, {})
  if (typeof answer === 'number') return answer
  const style = styleFor(context.stdout, context.env)
  context.stdout.write(
    `${style.good('✓')} ${words.id} is being cancelled: what is in flight ends, nothing more is asked.\n`,
  )
  return 0
}

function countsOf(batch: JsonObject): { readonly total: number; readonly completed: number; readonly failed: number } {
  const counts = isObject(batch['request_counts']) ? batch['request_counts'] : {}
  return {
    total: numberOf(counts['total']),
    completed: numberOf(counts['completed']),
    failed: numberOf(counts['failed']),
  }
}

function shareOf(batch: JsonObject): number {
  const { total, completed, failed } = countsOf(batch)
  return (completed + failed) / Math.max(1, total)
}

const costOf = (batch: JsonObject): string => formatUsd(BigInt(textOf(batch['costNanoUsd']) || '0'))

const timeOf = (seconds: JsonObject[string]): string => {
  const at = numberOf(seconds)
  return at > 0 ? new Date(at * 1000).toISOString().slice(0, 16).replace('T', ' ') : ''
}
