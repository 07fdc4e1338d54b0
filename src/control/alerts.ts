import { refuse, Refusal } from '../base/errors.ts'
import { ALERT_KINDS, alertJson, type Alerts } from '../meter/alerts/alerts.ts'
import type { Deliveries } from '../meter/alerts/deliveries.ts'
import { type Answer, type Context, limitOf, ok, type Route } from './router.ts'

const LIMIT_MAX = 1_000
const LIMIT_DEFAULT = 50
const STATES = ['open', 'closed', 'all'] as const

export function alertRoutes(alerts: Alerts, deliveries: Pick<Deliveries, 'status'>): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/alerts',
      summary: `Alerts, newest first, and how their destinations fare. \`state\` (${STATES.join(', ')}; open unless asked), \`kind\` (${ALERT_KINDS.join(', ')}), \`limit\` (1 to ${LIMIT_MAX}), \`before\` (from \`next\`).`,
      role: 'admin',
      answer: (context) => list(alerts, deliveries, context),
    },
    {
      method: 'POST',
      path: '/api/alerts/{id}/acknowledge',
      summary: 'Says that somebody has seen an alert. It stays open until its matter is over.',
      role: 'admin',
      async answer({ params, principal }) {
        const alert = await alerts.acknowledge(params['id'] ?? '', principal?.name ?? '')
        return alert instanceof Refusal ? alert : ok(alertJson(alert))
      },
    },
  ]
}

async function list(
  alerts: Alerts,
  deliveries: Pick<Deliveries, 'status'>,
  { query }: Context,
): Promise<Answer | Refusal> {
  const limit = limitOf(query, { default: LIMIT_DEFAULT, most: LIMIT_MAX, cursor: 'before' })
  if (limit instanceof Refusal) return limit
  const state = query.get('state') ?? 'open'
  if (!STATES.some((one) => one === state)) return invalid('state', state, STATES)
  const kind = query.get('kind')
  if (kind !== null && !ALERT_KINDS.some((one) => one === kind)) return invalid('kind', kind, ALERT_KINDS)
  const before = query.get('before')
  if (before !== null && !/^alr_[0-9a-z]{1,64}$/.test(before))
    return refuse('field_invalid', {
      field: 'before',
      problem: 'is no cursor of this list',
      remedy: 'Pass `next` of the page before, unchanged.',
    })
  const page = await alerts.list({
    limit,
    ...(before === null ? {} : { before }),
    fits: (alert) =>
      (kind === null || alert.kind === kind) &&
      (state === 'all' || (alert.closed === undefined) === (state === 'open')),
  })
  return ok({ alerts: page.alerts.map(alertJson), next: page.next ?? null, destinations: await deliveries.status() })
}

const invalid = (field: string, value: string, known: readonly string[]): Refusal =>
  refuse('field_invalid', {
    field,
    problem: `is "${value.slice(0, 64)}", which there is not`,
    remedy: `Use ${known.join(', ')}.`,
  })
