import type { JsonObject } from '../base/json.ts'
import type { Input, Run } from './command.ts'
import { answerFor } from './exchange.ts'
import { listOf, textOf } from './fields.ts'
import { widthFor } from './style.ts'
import { oneLine, table } from './text.ts'

type Flags = {
  count: { type: 'count'; value: string; summary: string; least: number; most: number; default: number }
}

export const run: Run<Input<readonly [], Flags>> = async ({ flags, json }, context) => {
  const answer = await answerFor(context, json, 'GET', `/api/audit?limit=${flags.count}`)
  if (typeof answer === 'number') return answer
  const acts = listOf(answer['acts'])
  if (acts.length === 0) context.stdout.write('Nothing is on record.\n')
  else
    context.stdout.write(
      `${table(['WHEN (UTC)', 'WHO', 'DID', 'TO', 'CAME TO', 'WHY'], acts.map(rowOf), widthFor(context.stdout))}\n`,
    )
  return 0
}

const rowOf = (act: JsonObject): string[] => [
  textOf(act['at']).slice(0, 19).replace('T', ' '),
  oneLine(textOf(act['byName']) || textOf(act['by'])),
  textOf(act['action']),
  oneLine(textOf(act['object'])),
  textOf(act['outcome']),
  oneLine(textOf(act['reason'])),
]
