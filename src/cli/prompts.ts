import { isObject, type JsonObject } from '../base/json.ts'
import type { ExitCode, Run } from './command.ts'
import type { CliContext } from './context.ts'
import { report } from './declined.ts'
import { answerFor } from './exchange.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { wrongUse } from './keys-terms.ts'
import { widthFor } from './style.ts'
import { oneLine, printable, table } from './text.ts'

interface Asked<Words, Flags> {
  readonly words: Words
  readonly flags: Flags
  readonly json: boolean
}
type NoFlags = Record<never, never>
type Reason = { readonly reason: string | undefined }

const of = (name: string): string => `/api/prompts/${encodeURIComponent(name)}`

export const list: Run<Asked<NoFlags, NoFlags>> = async ({ json }, context) =>
  await said(context, await answerFor(context, json, 'GET', '/api/prompts'), ({ prompts }) => {
    const rows = listOf(prompts).map((one) => [textOf(one['name']), String(numberOf(one['versions'])), labelsOf(one)])
    return rows.length === 0
      ? 'There are no prompts yet.'
      : table(['PROMPT', 'VERSIONS', 'LABELS'], rows, widthFor(context.stdout), [1])
  })

export const show: Run<Asked<{ readonly reference: string }, NoFlags>> = async ({ words, json }, context) => {
  const [name = '', at = 'production'] = words.reference.split('@', 2)
  const answer = await answerFor(context, json, 'GET', `${of(name)}/versions/${encodeURIComponent(at)}`)
  return await said(context, answer, (version) => {
    const messages = listOf(version['messages']).map(
      (one) => `[${textOf(one['role'])}]\n${printable(textOf(one['content']))}`,
    )
    const head = `${textOf(version['name'])}@${numberOf(version['version'])}  ${textOf(version['at']).slice(0, 16).replace('T', ' ')}  by ${oneLine(textOf(version['by']))}`
    const variables = Object.keys(isObject(version['variables']) ? version['variables'] : {})
    return [
      head,
      oneLine(textOf(version['note'])),
      ...messages,
      variables.length === 0 ? '' : `Variables: ${variables.join(', ')}`,
    ]
      .filter((line) => line !== '')
      .join('\n\n')
  })
}

export const diff: Run<Asked<{ readonly name: string }, { readonly from: string; readonly to: string }>> = async (
  { words, flags, json },
  context,
) => {
  const query = new URLSearchParams({ from: flags.from, to: flags.to }).toString()
  return await said(context, await answerFor(context, json, 'GET', `${of(words.name)}/diff?${query}`), (answer) =>
    answer['same'] === true
      ? `${flags.from} and ${flags.to} are the same.`
      : printable(textOf(answer['diff'])).trimEnd(),
  )
}

export const history: Run<
  Asked<{ readonly name: string; readonly label: string }, { readonly at: string | undefined }>
> = async ({ words, flags, json }, context) => {
  const query = flags.at === undefined ? '' : `?${new URLSearchParams({ at: flags.at }).toString()}`
  const answer = await answerFor(
    context,
    json,
    'GET',
    `${of(words.name)}/labels/${encodeURIComponent(words.label)}${query}`,
  )
  return await said(context, answer, (found) => {
    const turns = flags.at === undefined ? listOf(found['turns']) : [found]
    const rows = turns.map((turn) => [
      textOf(turn['at']).slice(0, 19).replace('T', ' '),
      String(numberOf(turn['version'])),
      oneLine(textOf(turn['by'])),
      oneLine(textOf(turn['reason'])),
    ])
    return table(['SINCE (UTC)', 'VERSION', 'BY', 'WHY'], rows, widthFor(context.stdout), [1])
  })
}

export const label: Run<
  Asked<{ readonly name: string; readonly label: string; readonly version: string }, Reason>
> = async ({ words, flags, json }, context) => {
  if (!/^[1-9]\d{0,4}$/.test(words.version))
    return report(context, wrongUse(`"${words.version.slice(0, 40)}" is no number of a version.`), json)
  const body = { version: Number(words.version), reason: flags.reason ?? '' }
  return await said(
    context,
    await answerFor(context, json, 'POST', `${of(words.name)}/labels/${encodeURIComponent(words.label)}`, body),
    turned,
  )
}

export const rollback: Run<Asked<{ readonly name: string; readonly label: string }, Reason>> = async (
  { words, flags, json },
  context,
) => {
  const path = `${of(words.name)}/labels/${encodeURIComponent(words.label)}/rollback`
  return await said(context, await answerFor(context, json, 'POST', path, { reason: flags.reason ?? '' }), turned)
}

const turned = (turn: JsonObject): string =>
  `${textOf(turn['name'])}@${textOf(turn['label'])} is version ${numberOf(turn['version'])} now.`

function labelsOf(prompt: JsonObject): string {
  const labels = isObject(prompt['labels']) ? prompt['labels'] : {}
  return Object.entries(labels)
    .map(([name, version]) => `${name} ${numberOf(version)}`)
    .join(', ')
}

async function said(
  context: CliContext,
  answer: JsonObject | ExitCode,
  text: (answer: JsonObject) => string,
): Promise<ExitCode> {
  if (typeof answer === 'number') return answer
  context.stdout.write(`${text(answer)}\n`)
  return 0
}
