import type { Input, Run } from './command.ts'
import { textOf } from './fields.ts'
import { answerFor } from './exchange.ts'

export const run: Run<Input<readonly [], Record<never, never>>> = async ({ json }, context) => {
  const link = await answerFor(context, json, 'POST', '/api/login', {})
  if (typeof link === 'number') return link
  context.stdout.write(`${textOf(link['url'])}\n`)
  context.stderr.write('Open it in a browser on this machine: it signs in once, within 15 minutes.\n')
  return 0
}
