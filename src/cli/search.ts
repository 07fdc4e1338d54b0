import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Argument, Input, Run } from './command.ts'
import type { CliContext } from './context.ts'
import { Declined, report } from './declined.ts'
import { answerFor } from './exchange.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { styleFor, widthFor } from './style.ts'
import { cut, oneLine, printable, wrap } from './text.ts'

interface TextFlag {
  type: 'text'
  value: string
  summary: string
}

type SearchInput = Input<
  readonly [Argument & { name: 'collection'; optional: true }, Argument & { name: 'query' }],
  {
    count: { type: 'count'; value: string; summary: string; least: number; most: number; default: number }
    mode: TextFlag & { default: string }
    filter: TextFlag
    rerank: TextFlag
  }
>

const LINES_SHOWN_MAX = 4

export const run: Run<SearchInput> = async ({ words, flags, json }, context) => {
  const collection = words.collection ?? 'handbook'
  const filter = flags.filter === undefined ? undefined : filterOf(flags.filter)
  if (filter instanceof Declined) return report(context, filter, json)
  const found = await answerFor(context, json, 'POST', `/api/collections/${encodeURIComponent(collection)}/search`, {
    query: words.query,
    k: flags.count,
    ...(flags.mode === 'hybrid' ? {} : { mode: flags.mode }),
    ...(filter === undefined ? {} : { filter }),
    ...(flags.rerank === undefined ? {} : { rerank: flags.rerank }),
  })
  if (typeof found === 'number') return found
  const passages = listOf(found['passages'])
  for (const [at, passage] of passages.entries()) show(context, passage, at + 1)
  if (passages.length === 0) context.stdout.write(`Nothing in ${collection} resembles that.\n`)
  return 0
}

function show(context: CliContext, passage: JsonObject, number: number): void {
  const width = widthFor(context.stdout)
  const style = styleFor(context.stdout, context.env)
  const headings = Array.isArray(passage['headings']) ? (passage['headings'] as readonly unknown[]).map(String) : []
  const title = textOf(passage['title'])
  const name = oneLine([title, ...headings.filter((heading) => heading !== title)].join(' › '))
  const lines = wrap(printable(textOf(passage['text'])).trim(), width, '    ')
    .split('\n')
    .filter((line) => line.trim() !== '')
  const about = [oneLine(textOf(passage['uri'])), ...legsOf(passage['legs'])].join('  ')
  context.stdout.write(`${style.bold(`${number}. ${cut(name, width - 4)}`)}\n    ${style.dim(cut(about, width - 4))}\n`)
  context.stdout.write(`${lines.slice(0, LINES_SHOWN_MAX).join('\n')}${lines.length > LINES_SHOWN_MAX ? ' …' : ''}\n\n`)
}

/** `words #1 12.3`: where each leg had it, and its score there. */
const legsOf = (legs: Json | undefined): string[] =>
  isObject(legs)
    ? Object.entries(legs).flatMap(([leg, had]) =>
        isObject(had) ? [`${oneLine(leg)} #${numberOf(had['rank'])} ${numberOf(had['score']).toFixed(3)}`] : [],
      )
    : []

const OPERATORS: readonly (readonly [string, string])[] = [
  ['!=', 'ne'],
  ['>=', 'gte'],
  ['<=', 'lte'],
  ['=', 'eq'],
  ['>', 'gt'],
  ['<', 'lt'],
]

/** `kind=book,year>=1990`: all of them hold. A value that reads as a number or a boolean is one; in
 *  double quotes it is a text. Or the filter itself, as JSON. */
function filterOf(text: string): JsonObject | Declined {
  if (text.trimStart().startsWith('{')) return jsonOf(text)
  const filters: JsonObject[] = []
  for (const part of text.split(',')) {
    const found = /^\s*([^=<>!]+?)\s*(!=|>=|<=|=|>|<)\s*(.*?)\s*$/.exec(part)
    const type = OPERATORS.find(([sign]) => sign === found?.[2])?.[1]
    if (found === null || type === undefined) return wrong(part)
    const [, key = '', , value = ''] = found
    filters.push({ type, key, value: valueOf(value) })
  }
  const [first] = filters
  return filters.length === 1 && first !== undefined ? first : { type: 'and', filters }
}

function jsonOf(text: string): JsonObject | Declined {
  try {
    const value = JSON.parse(text) as Json
    return isObject(value) ? value : wrong(text)
  } catch {
    return wrong(text)
  }
}

function valueOf(text: string): Json {
  if (text === 'true' || text === 'false') return text === 'true'
  const quoted = /^"(.*)"$/.exec(text)
  if (quoted !== null) return quoted[1] ?? ''
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}

const wrong = (text: string): Declined =>
  new Declined(
    'wrong_use',
    `--filter is a list such as kind=book,year>=1990, or a filter as JSON, not "${oneLine(text).slice(0, 80)}".`,
    2,
  )
