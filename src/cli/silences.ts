import { isObject } from '../base/json.ts'
import type { Run } from './command.ts'
import { Declined, report } from './declined.ts'
import { answerFor } from './exchange.ts'
import { listOf, textOf } from './fields.ts'
import { timeFrom, wrongUse } from './keys-terms.ts'
import { styleFor, widthFor } from './style.ts'
import { oneLine, table } from './text.ts'

export const list: Run<{ readonly json: boolean }> = async ({ json }, context) => {
  const answer = await answerFor(context, json, 'GET', '/api/alerts/silences')
  if (typeof answer === 'number') return answer
  const silences = listOf(answer['silences'])
  const rows = silences.map(({ id, matcher, until, reason, by }) => {
    const { kind, subject } = isObject(matcher) ? matcher : {}
    const pairs = Object.entries(isObject(subject) ? subject : {}).map(([name, value]) => `${name}=${textOf(value)}`)
    const what = [textOf(kind), ...pairs].filter((one) => one !== '').join(' ')
    return [textOf(id), oneLine(what), textOf(until).slice(0, 16), oneLine(textOf(by)), oneLine(textOf(reason))]
  })
  const head = ['SILENCE', 'OF', 'UNTIL', 'BY', 'WHY']
  context.stdout.write(rows.length === 0 ? 'No silence.\n' : `${table(head, rows, widthFor(context.stdout))}\n`)
  return 0
}

interface AddAsked {
  readonly flags: {
    readonly kind?: string | undefined
    readonly where?: string | undefined
    readonly until: string
    readonly reason?: string | undefined
  }
  readonly json: boolean
}

export const add: Run<AddAsked> = async ({ flags, json }, context) => {
  const { kind, where, until, reason } = flags
  const ends = timeFrom('--until', until, context.clock.wallMs())
  if (ends instanceof Declined) return report(context, ends, json)
  const subject = where === undefined ? undefined : subjectOf(where)
  if (subject instanceof Declined) return report(context, subject, json)
  const matcher = { ...(kind === undefined ? {} : { kind }), ...(subject === undefined ? {} : { subject }) }
  const body = { matcher, until: ends, reason: reason ?? '' }
  const answer = await answerFor(context, json, 'POST', '/api/alerts/silences', body)
  if (typeof answer === 'number') return answer
  const good = styleFor(context.stdout, context.env).good('✓')
  context.stdout.write(`${good} ${textOf(answer['id'])} holds until ${textOf(answer['until']).slice(0, 16)} UTC.\n`)
  return 0
}

interface EndAsked {
  readonly words: { readonly id: string }
  readonly json: boolean
}

export const end: Run<EndAsked> = async ({ words, json }, context) => {
  const answer = await answerFor(context, json, 'DELETE', `/api/alerts/silences/${encodeURIComponent(words.id)}`)
  if (typeof answer === 'number') return answer
  context.stdout.write(`${styleFor(context.stdout, context.env).good('✓')} ${words.id} is ended.\n`)
  return 0
}

function subjectOf(where: string): { readonly [name: string]: string } | Declined {
  const pairs = where.split(',').map((pair) => pair.split('='))
  const wrong = pairs.some(([name = '', value = '', ...more]) => name === '' || value === '' || more.length > 0)
  return wrong
    ? wrongUse(`--where is A=B,..., such as model=chat,team=web, not "${where.slice(0, 80)}".`)
    : Object.fromEntries(pairs.map(([name = '', value = '']) => [name.trim(), value.trim()]))
}
