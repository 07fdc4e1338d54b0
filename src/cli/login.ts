import type { Input, Run } from './command.ts'
import { textOf } from './conversation.ts'
import { callApi, Declined, openApi, printJson, report } from './declined.ts'

export const run: Run<Input<readonly [], Record<never, never>>> = async ({ json }, context) => {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const link = await callApi(api, 'POST', '/api/login', {})
  if (link instanceof Declined) return report(context, link, json)
  if (json) {
    printJson(context, link)
    return 0
  }
  context.stdout.write(`${textOf(link['url'])}\n`)
  context.stderr.write('Open it in a browser on this machine: it signs in once, within 15 minutes.\n')
  return 0
}
