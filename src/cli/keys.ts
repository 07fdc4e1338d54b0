import type { ApiClient } from '../base/api.ts'
import type { JsonObject } from '../base/json.ts'
import type { ExitCode, Run } from './command.ts'
import type { CliContext } from './context.ts'
import { Declined, printJson, report } from './declined.ts'
import { callApi, openApi } from './exchange.ts'
import { listOf, textOf } from './fields.ts'
import { durationMs, termsOf, type TermFlags, wrongUse } from './keys-terms.ts'
import { styleFor, widthFor } from './style.ts'
import { oneLine, table } from './text.ts'

interface Asked<Words, Flags> {
  readonly words: Words
  readonly flags: Flags
  readonly json: boolean
}
type NoFlags = Record<never, never>

export const create: Run<Asked<{ readonly name: string }, TermFlags>> = async ({ words, flags, json }, context) => {
  const terms = termsOf(flags, context.clock.wallMs())
  if (terms instanceof Declined) return report(context, terms, json)
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const made = await callApi(api, 'POST', '/api/keys', { name: words.name, ...terms })
  if (made instanceof Declined) return report(context, made, json)
  return showNew(context, made, json, '')
}

export const rotate: Run<Asked<{ readonly id: string }, { readonly grace: string }>> = async (
  { words, flags, json },
  context,
) => {
  const graceMs = durationMs(flags.grace)
  if (graceMs === undefined) {
    const wrong = wrongUse(`--grace is a duration such as 15m, 1h or 7d, not "${flags.grace.slice(0, 80)}".`)
    return report(context, wrong, json)
  }
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const made = await callApi(api, 'POST', `/api/keys/${encodeURIComponent(words.id)}/rotate`, { graceMs })
  if (made instanceof Declined) return report(context, made, json)
  const old = graceMs === 0 ? 'is no longer taken' : `is taken for another ${flags.grace}`
  return showNew(context, made, json, ` The text before it ${old}.`)
}

function showNew(context: CliContext, made: JsonObject, json: boolean, note: string): ExitCode {
  if (json) {
    printJson(context, made)
    return 0
  }
  // The key alone on standard output, so that `export HEADWORKS_KEY=$(headworks keys create x)` works.
  context.stdout.write(`${textOf(made['key'])}\n`)
  context.stderr.write(
    `Key ${textOf(made['id'])} (${textOf(made['role'])}) for ${oneLine(textOf(made['name']))}. It is shown this once: only its hash is kept.${note}\n`,
  )
  return 0
}

export const list: Run<Asked<NoFlags, NoFlags>> = async ({ json }, context) => {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const keys = await allKeys(api)
  if (keys instanceof Declined) return report(context, keys, json)
  if (json) {
    printJson(context, { keys })
    return 0
  }
  const rows = keys.map((key) => [
    textOf(key['id']),
    textOf(key['role']),
    textOf(key['hint']),
    textOf(key['state']),
    textOf(key['createdAt']).slice(0, 10),
    textOf(key['expiresAt']).slice(0, 10) || 'never',
    oneLine(textOf(key['name'])) + boundTo(key),
  ])
  const head = ['ID', 'ROLE', 'BEGINS', 'STATE', 'MADE', 'ENDS', 'NAME']
  context.stdout.write(`${table(head, rows, widthFor(context.stdout))}\n`)
  return 0
}

/** Page after page; the API gives at most a thousand at once. */
async function allKeys(api: ApiClient): Promise<JsonObject[] | Declined> {
  const keys: JsonObject[] = []
  for (let after = ''; ;) {
    const query = after === '' ? '' : `?after=${encodeURIComponent(after)}`
    const page = await callApi(api, 'GET', `/api/keys${query}`)
    if (page instanceof Declined) return page
    keys.push(...listOf(page['keys']))
    after = textOf(page['next'])
    if (after === '') return keys
  }
}

function boundTo(key: JsonObject): string {
  const names = ['tenant', 'team', 'user'].flatMap((field) => {
    const name = textOf(key[field])
    return name === '' ? [] : [`${field} ${oneLine(name)}`]
  })
  const budgets = listOf(key['budgets']).map((budget) => textOf(budget['id']))
  const bound = [names.join(', '), budgets.length === 0 ? '' : `budgets ${budgets.join(', ')}`].filter(
    (one) => one !== '',
  )
  return bound.length === 0 ? '' : ` (${bound.join('; ')})`
}

export const revoke: Run<Asked<{ readonly id: string }, NoFlags>> = async ({ words, json }, context) => {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const answer = await callApi(api, 'DELETE', `/api/keys/${encodeURIComponent(words.id)}`)
  if (answer instanceof Declined) return report(context, answer, json)
  if (json) printJson(context, answer)
  else context.stdout.write(`${styleFor(context.stdout, context.env).good('✓')} ${words.id} is revoked.\n`)
  return 0
}
