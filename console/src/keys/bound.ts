import type { Bound, Carried } from '../api/keys.ts'
import { windowText } from '../budgets/words.ts'
import { formatAmount } from '../design/amount.ts'

/** What a key is bound to, part by part. */
export function boundWords({ user, team, tenant, tags, models, workflows, budgets, mayName }: Bound): {
  readonly name: string
  readonly text: string
}[] {
  const named = Object.entries(mayName).flatMap(([what, naming]) => (naming === 'accept' ? [what] : []))
  const refused = Object.entries(mayName).flatMap(([what, naming]) => (naming === 'refuse' ? [what] : []))
  return [
    ...(user === undefined ? [] : [{ name: 'user', text: user }]),
    ...(team === undefined ? [] : [{ name: 'team', text: team }]),
    ...(tenant === undefined ? [] : [{ name: 'tenant', text: tenant }]),
    ...(tags.length === 0 ? [] : [{ name: 'tags', text: tags.join(', ') }]),
    ...(models === undefined ? [] : [{ name: 'models', text: models.join(', ') }]),
    ...(workflows === undefined ? [] : [{ name: 'workflows', text: workflows.join(', ') }]),
    ...(budgets.length === 0 ? [] : [{ name: 'budgets', text: budgets.map(carriedText).join(', ') }]),
    ...(named.length === 0 ? [] : [{ name: 'may name', text: named.join(', ') }]),
    ...(refused.length === 0 ? [] : [{ name: 'must not name', text: refused.join(', ') }]),
  ]
}

const carriedText = ({ unit, limit, window }: Carried): string =>
  `${formatAmount(unit, limit)} ${windowText(window, unit)}`

/** Names between commas, each once. */
export const listIn = (text: string): string[] => [
  ...new Set(
    text
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== ''),
  ),
]

const CARRIED = /^(usd|tokens|inputTokens|outputTokens|requests)=(\d+(?:\.\d+)?)\/(\w+)$/

/** Budgets as in `usd=10/month, requests=100/day`, for the server; undefined where one is none. */
export function budgetsIn(text: string): object[] | undefined {
  const found = listIn(text).map((one) => {
    const [, unit, limit, window] = CARRIED.exec(one) ?? []
    return unit === undefined ? undefined : { limit: { [unit]: unit === 'usd' ? limit : Number(limit) }, window }
  })
  return found.includes(undefined) ? undefined : found.filter((one) => one !== undefined)
}
