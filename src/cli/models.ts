import { isObject } from '../base/json.ts'
import type { Input, Run } from './command.ts'
import { listOf, textOf } from './fields.ts'
import { answerFor } from './exchange.ts'
import { widthFor } from './style.ts'
import { oneLine, table } from './text.ts'

export const run: Run<Input<readonly [], Record<never, never>>> = async ({ json }, context) => {
  const answer = await answerFor(context, json, 'GET', '/v1/models')
  if (typeof answer === 'number') return answer
  const rows = listOf(answer['data']).map((model) => {
    const own = isObject(model['headworks']) ? model['headworks'] : {}
    const operations = Array.isArray(own['operations'])
      ? (own['operations'] as readonly unknown[]).map(String).join(', ')
      : ''
    return [textOf(model['id']), textOf(own['kind']), operations, oneLine(textOf(own['description']))]
  })
  context.stdout.write(`${table(['MODEL', 'KIND', 'SERVES', 'DESCRIPTION'], rows, widthFor(context.stdout))}\n`)
  return 0
}
