import type { Argument, Input, Run } from './command.ts'
import { listOf, textOf } from './fields.ts'
import { answerFor } from './exchange.ts'
import { styleFor, widthFor } from './style.ts'
import { oneLine, table } from './text.ts'

type NoFlags = Record<never, never>
type RoleFlag = { type: 'text'; value: string; summary: string; default: string }

export const create: Run<Input<readonly [Argument & { name: 'name' }], { role: RoleFlag }>> = async (
  { words, flags, json },
  context,
) => {
  const made = await answerFor(context, json, 'POST', '/api/keys', { name: words.name, role: flags.role })
  if (typeof made === 'number') return made
  // The key alone on standard output, so that `export HEADWORKS_KEY=$(headworks keys create x)` works.
  context.stdout.write(`${textOf(made['key'])}\n`)
  context.stderr.write(
    `Key ${textOf(made['id'])} (${textOf(made['role'])}) for ${oneLine(textOf(made['name']))}. It is shown this once: only its hash is kept.\n`,
  )
  return 0
}

export const list: Run<Input<readonly [], NoFlags>> = async ({ json }, context) => {
  const answer = await answerFor(context, json, 'GET', '/api/keys')
  if (typeof answer === 'number') return answer
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
  const answer = await answerFor(context, json, 'DELETE', `/api/keys/${encodeURIComponent(words.id)}`)
  if (typeof answer === 'number') return answer
  context.stdout.write(`${styleFor(context.stdout, context.env).good('✓')} ${words.id} is revoked.\n`)
  return 0
}
