import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { formatCount } from '../base/units.ts'
import type { ApiMethod } from '../base/api.ts'
import type { ExitCode, Input, Run } from './command.ts'
import type { CliContext } from './context.ts'
import { report } from './declined.ts'
import { answerFor } from './exchange.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { wrongUse } from './keys-terms.ts'
import { widthFor } from './style.ts'
import { oneLine, table } from './text.ts'

const ACTIONS = ['list', 'create', 'compare', 'activate', 'rollback', 'drop'] as const

type Words = readonly [
  { name: 'action'; summary: string },
  { name: 'collection'; summary: string },
  { name: 'generation'; summary: string; optional: true },
]
type Flags = {
  question: { type: 'text'; value: string; summary: string }
  activate: { type: 'switch'; summary: string }
}

const EXAMPLES_SHOWN = 5

export const run: Run<Input<Words, Flags>> = async ({ words, flags, json }, context) => {
  const { action, collection, generation } = words
  const of = `/api/collections/${encodeURIComponent(collection)}/generations`
  const ask = (method: ApiMethod, path: string, body?: Json): Promise<JsonObject | ExitCode> =>
    answerFor(context, json, method, path, body)
  const say = async (
    answering: Promise<JsonObject | ExitCode>,
    show: (answer: JsonObject) => void,
  ): Promise<ExitCode> => {
    const answer = await answering
    if (typeof answer === 'number') return answer
    show(answer)
    return 0
  }
  if (action === 'list') return await say(ask('GET', of), (answer) => showList(context, answer))
  if (action === 'create')
    return await say(ask('POST', of, { activate: flags.activate }), (answer) =>
      context.stdout.write(
        `${textOf(answer['generation'])} is being built beside the one that answers${flags.activate ? ', and takes its place when it is ready' : ''}.\n`,
      ),
    )
  if (action === 'rollback')
    return await say(ask('POST', `${of}/rollback`), (answer) =>
      context.stdout.write(`${textOf(answer['live'])} answers again.\n`),
    )
  if (!ACTIONS.some((known) => known === action))
    return report(context, wrongUse(`There is no "${action}": it is one of ${ACTIONS.join(', ')}.`), json)
  if (generation === undefined) return report(context, wrongUse(`Name the generation to ${action}, such as g2.`), json)
  const one = `${of}/${encodeURIComponent(generation)}`
  if (action === 'activate')
    return await say(ask('POST', `${one}/activate`), () => context.stdout.write(`${generation} answers now.\n`))
  if (action === 'drop') return await say(ask('DELETE', one), () => context.stdout.write(`${generation} is removed.\n`))
  const body = flags.question === undefined ? {} : { questions: [flags.question] }
  return await say(ask('POST', `${one}/compare`, body), (answer) => showComparison(context, answer))
}

function showList(context: CliContext, answer: JsonObject): void {
  const rows = listOf(answer['generations']).map((one) => {
    const embedding = isObject(one['embedding']) ? one['embedding'] : {}
    return [
      textOf(one['id']),
      textOf(embedding['model']),
      one['live'] === true
        ? 'answers'
        : one['former'] === true
          ? `${textOf(one['state'])}, former`
          : textOf(one['state']),
      progressOf(one),
      formatCount(numberOf(one['chunks'])),
      cutOf(one),
      oneLine(textOf(one['reason']) || textOf(one['because'])),
    ]
  })
  const head = ['GENERATION', 'EMBEDDING', 'STATE', 'DOCUMENTS', 'PASSAGES', 'CUT TO', '']
  context.stdout.write(`${table(head, rows, widthFor(context.stdout), [3, 4])}\n`)
}

function progressOf(one: JsonObject): string {
  const [documents, inAll] = [numberOf(one['documents']), numberOf(one['documentsInAll'])]
  return one['state'] === 'building' && documents < inAll
    ? `${formatCount(documents)} of ${formatCount(inAll)}`
    : formatCount(documents)
}

function cutOf(one: JsonObject): string {
  const { tokensMax, overlapTokens } = isObject(one['cut']) ? one['cut'] : {}
  const overlap = numberOf(overlapTokens) === 0 ? '' : `, overlap ${formatCount(numberOf(overlapTokens))}`
  const before = numberOf(one['cutBefore'])
  const left = before === 0 ? '' : `; ${formatCount(before)} to be read again`
  return `${formatCount(numberOf(tokensMax))}${overlap}${left}`
}

function showComparison(context: CliContext, answer: JsonObject): void {
  const { stdout } = context
  const [live, other] = [textOf(answer['live']), textOf(answer['generation'])]
  stdout.write(
    `${formatCount(numberOf(answer['changed']))} of ${formatCount(numberOf(answer['questions']))} questions find something else; ` +
      `rank-biased overlap ${numberOf(answer['overlap']).toFixed(3)} (1: the same).\n`,
  )
  for (const example of listOf(answer['examples']).slice(0, EXAMPLES_SHOWN)) {
    stdout.write(`\n${oneLine(textOf(example['question']))}  (overlap ${numberOf(example['overlap']).toFixed(3)})\n`)
    for (const [name, found] of [
      [live, example['live']],
      [other, example['other']],
    ] as const) {
      const titles = listOf(found).map((one) => oneLine(textOf(one['title'])))
      stdout.write(`  ${name}: ${titles.slice(0, 3).join(' | ') || 'nothing'}\n`)
    }
  }
}
