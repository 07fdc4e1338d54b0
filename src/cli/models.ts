import { isObject } from '../base/json.ts'
import type { Input, Run } from './command.ts'
import { listOf, textOf } from './conversation.ts'
import { callApi, Declined, openApi, printJson, report } from './declined.ts'
import { widthFor } from './style.ts'
import { oneLine, table } from './text.ts'

export const run: Run<Input<readonly [], Record<never, never>>> = async ({ json }, context) => {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const answer = await callApi(api, 'GET', '/v1/models')
  if (answer instanceof Declined) return report(context, answer, json)
  if (json) {
    printJson(context, answer)
    return 0
  }
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
