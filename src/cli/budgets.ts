import type { ApiClient } from '../base/api.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { UNITS, type Unit } from '../meter/ledger/amounts.ts'
import { amountText } from '../meter/shortage.ts'
import type { Input, Run } from './command.ts'
import type { CliContext } from './context.ts'
import { Declined, printJson, report } from './declined.ts'
import { answerFor, callApi, openApi } from './exchange.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { timeFrom, wrongUse } from './keys-terms.ts'
import { paceText } from './pace.ts'
import { shareBar } from './progress.ts'
import { styleFor, widthFor } from './style.ts'
import { oneLine, table } from './text.ts'

type Text = { type: 'text'; value: string; summary: string }
type OfBudget = readonly [{ name: 'budget'; summary: string }]

/** Budgets whose standing is asked for, one exchange each. */
const STANDINGS_MAX = 100

export const list: Run<Input<readonly [], Record<never, never>>> = async ({ json }, context) => {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const found = await callApi(api, 'GET', '/api/budgets')
  if (found instanceof Declined) return report(context, found, json)
  const budgets = listOf(found['budgets'])
  const standing = await Promise.all(budgets.slice(0, STANDINGS_MAX).map((one) => mostUsed(api, one)))
  if (json) {
    printJson(context, { ...found, budgets: budgets.map((one, at) => ({ ...one, mostUsed: standing[at] ?? null })) })
    return 0
  }
  if (budgets.length === 0) {
    context.stdout.write('No budgets. They are declared in headworks.yaml, under `budgets:` and `rateLimits:`.\n')
    return 0
  }
  const rows = budgets.map((one, at) => [
    textOf(one['id']),
    limitText(one),
    actionText(one['onLimit']),
    ...usedText(one, standing[at]),
  ])
  context.stdout.write(`${table(['BUDGET', 'LIMIT', 'THEN', 'USED', 'BY'], rows, widthFor(context.stdout))}\n`)
  showOverrides(context, budgets, listOf(found['overrides']))
  return 0
}

async function mostUsed(api: ApiClient, budget: JsonObject): Promise<JsonObject | undefined> {
  const found = await callApi(api, 'GET', `/api/budgets/${encodeURIComponent(textOf(budget['id']))}/accounts?limit=1`)
  return found instanceof Declined ? undefined : listOf(found['accounts'])[0]
}

const usedText = (budget: JsonObject, account: JsonObject | undefined): string[] => {
  if (account === undefined) return ['-', '']
  const share = (numberOf(account['posted']) + numberOf(account['leased'])) / Math.max(1, numberOf(account['limit']))
  return [shareBar(share), oneLine(textOf(account['subject'])) || textOf(budget['scope'])]
}

function showOverrides(context: CliContext, budgets: readonly JsonObject[], overrides: readonly JsonObject[]): void {
  if (overrides.length === 0) return
  const rows = overrides.map((one) => [
    textOf(one['id']),
    textOf(one['budget']),
    oneLine(textOf(one['subject'])) || 'all',
    amountText(unitOf(budgets.find(({ id }) => id === one['budget'])), numberOf(one['limit'])),
    textOf(one['until']).slice(0, 16),
    oneLine(textOf(one['reason'])),
  ])
  const head = ['OVERRIDE', 'OF', 'FOR', 'LIMIT', 'UNTIL', 'WHY']
  context.stdout.write(`\n${table(head, rows, widthFor(context.stdout))}\n`)
}

export const show: Run<
  Input<
    OfBudget,
    {
      subject: Text
      count: { type: 'count'; value: string; summary: string; least: number; most: number; default: number }
    }
  >
> = async ({ words, flags, json }, context) => {
  const subject = flags.subject === undefined ? '' : `&subject=${encodeURIComponent(flags.subject)}`
  const ofBudget = `/api/budgets/${encodeURIComponent(words.budget)}`
  const answer = await answerFor(context, json, 'GET', `${ofBudget}/accounts?limit=${flags.count}${subject}`)
  if (typeof answer === 'number') return answer
  const budget = isObject(answer['budget']) ? answer['budget'] : {}
  const accounts = listOf(answer['accounts'])
  context.stdout.write(`${textOf(budget['id'])}: ${limitText(budget)}; then ${actionText(budget['onLimit'])}\n\n`)
  if (accounts.length === 0) {
    context.stdout.write('Nothing is used of it.\n')
    return 0
  }
  const unit = unitOf(budget)
  const rows = accounts.map((one) => [
    oneLine(textOf(one['subject'])) || 'all',
    shareBar((numberOf(one['posted']) + numberOf(one['leased'])) / Math.max(1, numberOf(one['limit']))),
    amountText(unit, numberOf(one['posted'])),
    amountText(unit, numberOf(one['leased'])),
    amountText(unit, numberOf(one['limit'])),
    textOf(one['endsAt']).slice(0, 16) || '-',
  ])
  const head = ['FOR', 'USED', 'POSTED', 'PUT ASIDE', 'LIMIT', 'RESETS (UTC)']
  context.stdout.write(`${table(head, rows, widthFor(context.stdout), [2, 3, 4])}\n`)
  if (answer['complete'] === false) context.stdout.write('There are more; name one with --subject.\n')
  const [account, ...others] = accounts
  if (account === undefined || others.length > 0) return 0
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const whose = encodeURIComponent(textOf(account['subject']))
  const burnDown = await callApi(api, 'GET', `${ofBudget}/burn-down?subject=${whose}`)
  if (!(burnDown instanceof Declined)) context.stdout.write(paceText(unit, burnDown))
  return 0
}

export const raise: Run<
  Input<OfBudget, { to: Text; until: Text & { default: string }; reason: Text; subject: Text }>
> = async ({ words, flags, json }, context) => {
  const until = timeFrom('--until', flags.until, context.clock.wallMs())
  if (until instanceof Declined) return report(context, until, json)
  const missing = flags.to === undefined ? '--to' : flags.reason === undefined ? '--reason' : undefined
  if (missing !== undefined) return report(context, wrongUse(`${missing} is missing.`), json)
  const subject = flags.subject === undefined ? {} : { subject: flags.subject }
  const body = { limit: flags.to ?? '', until, reason: flags.reason ?? '', ...subject }
  const path = `/api/budgets/${encodeURIComponent(words.budget)}/overrides`
  const answer = await answerFor(context, json, 'POST', path, body)
  if (typeof answer === 'number') return answer
  const good = styleFor(context.stdout, context.env).good('✓')
  const whom = oneLine(textOf(answer['subject']))
  context.stdout.write(
    `${good} ${words.budget}${whom === '' ? '' : ` of ${whom}`} has another limit until ${textOf(answer['until'])}: ${textOf(answer['id'])}.\n`,
  )
  return 0
}

export const restore: Run<
  Input<readonly [{ name: 'budget'; summary: string }, { name: 'override'; summary: string }], Record<never, never>>
> = async ({ words, json }, context) => {
  const path = `/api/budgets/${encodeURIComponent(words.budget)}/overrides/${encodeURIComponent(words.override)}`
  const answer = await answerFor(context, json, 'DELETE', path)
  if (typeof answer === 'number') return answer
  context.stdout.write(`${styleFor(context.stdout, context.env).good('✓')} ${words.override} has ended.\n`)
  return 0
}

export const reset: Run<Input<OfBudget, { subject: Text; reason: Text }>> = async ({ words, flags, json }, context) => {
  if (flags.reason === undefined) return report(context, wrongUse('--reason is missing.'), json)
  const body = { reason: flags.reason, ...(flags.subject === undefined ? {} : { subject: flags.subject }) }
  const answer = await answerFor(context, json, 'POST', `/api/budgets/${encodeURIComponent(words.budget)}/reset`, body)
  if (typeof answer === 'number') return answer
  const good = styleFor(context.stdout, context.env).good('✓')
  const was = amountText(unitOf(answer), numberOf(answer['was']))
  context.stdout.write(`${good} ${words.budget} begins afresh; ${was} counted as used before.\n`)
  return 0
}

const unitOf = (budget: JsonObject | undefined): Unit => UNITS.find((unit) => unit === budget?.['unit']) ?? 'requests'

/** `each user: 200,000 tokens a day (Europe/Berlin)`. */
function limitText(budget: JsonObject): string {
  const { scope, match } = budget
  const whom =
    match === '*'
      ? `each ${textOf(scope)}`
      : match === null
        ? textOf(scope)
        : `${textOf(scope)} ${oneLine(textOf(match))}`
  return `${whom}: ${amountText(unitOf(budget), numberOf(budget['limit']))}${windowText(budget['window'])}`
}

const SECOND_MS = 1000
const DAY_MS = 86_400_000

function windowText(window: Json | undefined): string {
  if (!isObject(window)) return ''
  if (window['kind'] === 'calendar') return ` a ${textOf(window['unit'])} (${textOf(window['zone'])})`
  if (window['kind'] !== 'rolling') return ''
  const ms = numberOf(window['durationMs'])
  return ms % DAY_MS === 0 ? ` in any ${ms / DAY_MS} d` : ` in any ${ms / SECOND_MS} s`
}

function actionText(action: Json | undefined): string {
  if (!isObject(action)) return ''
  if (action['kind'] === 'degrade') return `degrade to ${textOf(action['to'])}`
  return action['kind'] === 'dryRun' ? 'dry run' : textOf(action['kind'])
}
