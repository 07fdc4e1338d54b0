import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { formatCount, formatUsd } from '../base/units.ts'
import type { Run } from './command.ts'
import { answerFor } from './exchange.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { styleFor, widthFor } from './style.ts'
import { oneLine, wrap } from './text.ts'

interface ListAsked {
  readonly flags: { readonly state: string; readonly count: number }
  readonly json: boolean
}

export const list: Run<ListAsked> = async ({ flags, json }, context) => {
  const answer = await answerFor(context, json, 'GET', `/api/alerts?state=${flags.state}&limit=${flags.count}`)
  if (typeof answer === 'number') return answer
  const { stdout } = context
  const width = widthFor(stdout)
  const alerts = listOf(answer['alerts'])
  if (alerts.length === 0) stdout.write('No alert.\n')
  for (const alert of alerts) {
    const state = alert['acknowledged'] === null ? textOf(alert['state']) : `${textOf(alert['state'])}, seen`
    const since = textOf(alert['raisedAt']).slice(0, 16).replace('T', ' ')
    stdout.write(`${since} UTC  ${textOf(alert['id'])}  ${textOf(alert['kind'])}  ${state}\n`)
    const what = [subjectOf(alert['subject']), whatOf(alert['evidence'])].filter((part) => part !== '').join(': ')
    if (what !== '') stdout.write(`${wrap(what, width, '  ')}\n`)
  }
  for (const destination of listOf(answer['destinations'])) {
    const failing = destination['failing']
    if (isObject(failing))
      stdout.write(
        `${wrap(`The ${textOf(destination['kind'])} ${oneLine(textOf(destination['to']))} fails: ${oneLine(textOf(failing['reason']))} (${numberOf(failing['attempts'])} attempts; ${numberOf(destination['waiting'])} messages wait, ${numberOf(destination['givenUp'])} were given up).`, width, '')}\n`,
      )
  }
  return 0
}

interface AcknowledgeAsked {
  readonly words: { readonly id: string }
  readonly json: boolean
}

export const acknowledge: Run<AcknowledgeAsked> = async ({ words, json }, context) => {
  const path = `/api/alerts/${encodeURIComponent(words.id)}/acknowledge`
  const answer = await answerFor(context, json, 'POST', path, {})
  if (typeof answer === 'number') return answer
  context.stdout.write(`${styleFor(context.stdout, context.env).good('✓')} ${words.id} is acknowledged.\n`)
  return 0
}

const subjectOf = (subject: Json | undefined): string =>
  Object.entries(isObject(subject) ? subject : {})
    .map(([name, value]) => `${name} ${oneLine(textOf(value))}`)
    .join(', ')

/** What the evidence says in one line, as far as this version knows its kind. */
function whatOf(evidence: Json | undefined): string {
  if (!isObject(evidence)) return ''
  const { measure, before, after, ratio, budgetLeft, events, bad } = evidence
  if (typeof budgetLeft === 'number')
    return `${formatCount(numberOf(bad))} of ${formatCount(numberOf(events))} bad, ${(budgetLeft * 100).toFixed(1)} % of the error budget left`
  if (!isObject(before) || !isObject(after)) return ''
  const amount = (figures: JsonObject): string => {
    const value = Math.round(numberOf(figures['p50']))
    return measure === 'costNanoUsdPerRequest' ? formatUsd(BigInt(value)) : `${formatCount(value)} tokens`
  }
  const middle = isObject(ratio) && isObject(ratio['p50']) ? ratio['p50'] : {}
  const times = typeof middle['value'] === 'number' ? ` (x${middle['value'].toFixed(2)})` : ''
  return `median ${amount(before)} → ${amount(after)}${times}, n ${formatCount(numberOf(before['n']))} → ${formatCount(numberOf(after['n']))}`
}
