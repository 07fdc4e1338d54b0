import type { Argument, Input, Run } from './command.ts'
import { listOf, textOf } from './conversation.ts'
import { callApi, Declined, openApi, printJson, report } from './declined.ts'
import { styleFor, widthFor } from './style.ts'
import { oneLine, table } from './text.ts'

type NoFlags = Record<never, never>
type RoleFlag = { type: 'text'; value: string; summary: string; default: string }

export const create: Run<Input<readonly [Argument & { name: 'name' }], { role: RoleFlag }>> = async (
  { words, flags, json },
  context,
) => {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const made = await callApi(api, 'POST', '/api/keys', { name: words.name, role: flags.role })
  if (made instanceof Declined) return report(context, made, json)
  if (json) {
    printJson(context, made)
    return 0
  }
  // The key alone on standard output, so that `export HEADWORKS_KEY=$(headworks keys create x)` works.
  context.stdout.write(`${textOf(made['key'])}\n`)
  context.stderr.write(
    `Key ${textOf(made['id'])} (${textOf(made['role'])}) for ${oneLine(textOf(made['name']))}. It is shown this once: only its hash is kept.\n`,
  )
  return 0
}

export const list: Run<Input<readonly [], NoFlags>> = async ({ json }, context) => {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const answer = await callApi(api, 'GET', '/api/keys')
  if (answer instanceof Declined) return report(context, answer, json)
  if (json) {
    printJson(context, answer)
    return 0
  }
  const rows = listOf(answer['keys']).map((key) => [
    textOf(key['id']),
    textOf(key['role']),
    textOf(key['hint']),
    textOf(key['revokedAt']) === '' ? 'active' : 'revoked',
    textOf(key['createdAt']).slice(0, 10),
    oneLine(textOf(key['name'])),
  ])
  context.stdout.write(`${table(['ID', 'ROLE', 'BEGINS', 'STATE', 'MADE', 'NAME'], rows, widthFor(context.stdout))}\n`)
  return 0
}

export const revoke: Run<Input<readonly [Argument & { name: 'id' }], NoFlags>> = async ({ words, json }, context) => {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const answer = await callApi(api, 'DELETE', `/api/keys/${encodeURIComponent(words.id)}`)
  if (answer instanceof Declined) return report(context, answer, json)
  if (json) printJson(context, answer)
  else context.stdout.write(`${styleFor(context.stdout, context.env).good('✓')} ${words.id} is revoked.\n`)
  return 0
}
