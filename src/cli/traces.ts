import { isObject, type JsonObject } from '../base/json.ts'
import { formatMs } from '../base/units.ts'
import { billText, stagesText } from './answer.ts'
import type { Argument, Input, Run } from './command.ts'
import { readCost, readStages } from './conversation.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { answerFor } from './exchange.ts'
import { styleFor, widthFor } from './style.ts'
import { oneLine, table, wrap } from './text.ts'

type CountFlag = { type: 'count'; value: string; summary: string; least: number; most: number; default: number }

export const list: Run<Input<readonly [], { count: CountFlag }>> = async ({ flags, json }, context) => {
  const answer = await answerFor(context, json, 'GET', `/api/traces?limit=${flags.count}`)
  if (typeof answer === 'number') return answer
  const rows = listOf(answer['traces']).map((trace) => {
    const body = bodyOf(trace)
    const outcome = trace['running'] === true ? 'running' : textOf(body['outcome']) || textOf(body['state'])
    const tookMs = body['totalMs']
    return [
      textOf(trace['at']).slice(0, 19).replace('T', ' '),
      textOf(trace['id']),
      textOf(trace['kind']),
      outcome,
      typeof tookMs === 'number' ? formatMs(tookMs) : '',
      textOf(body['model']),
    ]
  })
  if (rows.length === 0) context.stdout.write('No request has been made yet.\n')
  else
    context.stdout.write(
      `${table(['AT (UTC)', 'ID', 'KIND', 'OUTCOME', 'TOOK', 'MODEL'], rows, widthFor(context.stdout), [4])}\n`,
    )
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
