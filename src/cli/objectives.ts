import type { JsonObject } from '../base/json.ts'
import { formatCount, formatUsd } from '../base/units.ts'
import type { Run } from './command.ts'
import { answerFor } from './exchange.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { widthFor } from './style.ts'
import { oneLine, table } from './text.ts'

export const run: Run<{ readonly json: boolean }> = async ({ json }, context) => {
  const answer = await answerFor(context, json, 'GET', '/api/objectives')
  if (typeof answer === 'number') return answer
  const objectives = listOf(answer['objectives'])
  const { stdout } = context
  if (objectives.length === 0) {
    stdout.write('No objectives. They are declared in headworks.yaml, under `objectives:`.\n')
    return 0
  }
  const rows = objectives.map((one) => [
    oneLine(textOf(one['name'])),
    promiseOf(one),
    shareOf(one['goodShare']),
    `${formatCount(numberOf(one['bad']))} of ${formatCount(numberOf(one['events']))}`,
    shareOf(one['budgetLeft']),
    burnOf(one),
    textOf(one['burning']) || '-',
  ])
  stdout.write(
    `${table(['OBJECTIVE', 'PROMISE', 'KEPT', 'BAD', 'LEFT', 'BURN 1H', 'ALERT'], rows, widthFor(stdout))}\n`,
  )
  return 0
}

/** `95 % whole answer <= 2000 ms`. */
function promiseOf(one: JsonObject): string {
  const { what, limit } = one
  const share = `${Number((numberOf(one['share']) * 100).toFixed(4))} %`
  if (what === 'errors') return `${share} answered`
  if (what === 'cost') return `${share} <= ${formatUsd(BigInt(Math.round(numberOf(limit))))}`
  if (what === 'recall') return `${share} recall >= ${numberOf(limit)}`
  return `${share} ${what === 'firstToken' ? 'first token' : 'whole answer'} <= ${numberOf(limit)} ms`
}

const shareOf = (value: JsonObject[string] | undefined): string =>
  typeof value === 'number' ? `${(value * 100).toFixed(2)} %` : '-'

const burnOf = (one: JsonObject): string => {
  const hour = listOf(one['burns']).find(({ minutes }) => minutes === 60)
  return hour === undefined ? '-' : numberOf(hour['burn']).toFixed(2)
}
