import type { Clock } from '../base/clock.ts'
import { refuse, Refusal } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import type { Events } from '../store/events.ts'
import type { ScoredTrace, TelemetryStore } from '../trace/port.ts'
import { type ScoreDimension, type ScoreGroup, type ScoreSample, scoresOf } from '../trace/scores.ts'
import { type Answer, type Context, ok, type Route } from './router.ts'
import { isoOf } from './spans.ts'
import { rangeOf } from './traces.ts'

/** Scores and feedback by model and version of the prompt. */

export interface ScoreRoutesDependencies {
  readonly clock: Clock
  /** The journal, which knows the prompt of a request. */
  readonly events: Pick<Events, 'read'>
  readonly telemetry: Pick<TelemetryStore, 'scores'>
}

const DIMENSIONS = ['model', 'prompt'] as const
const RANGE_US = 30 * 86_400_000_000
/** The latest of the range; an answer says where there were more. */
const SCORES_MAX = 10_000

export function scoreRoutes(dependencies: ScoreRoutesDependencies): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/scores',
      summary: `What was said of answers, added up: n, mean and its 95 % interval, shares of categories. \`from\`, \`to\` (ISO 8601; the last 30 days), \`by\` (of ${DIMENSIONS.join(', ')}; both), \`name\`, \`tenant\`. Of more than ${SCORES_MAX} the latest.`,
      role: 'admin',
      answer: (context) => answer(dependencies, context),
    },
  ]
}

async function answer(
  { clock, events, telemetry }: ScoreRoutesDependencies,
  { query }: Context,
): Promise<Answer | Refusal> {
  const range = rangeOf(query)
  if (range instanceof Refusal) return range
  const by = (query.get('by') ?? DIMENSIONS.join(',')).split(',').filter((name) => name !== '')
  const unknown = by.find((name) => !isDimension(name))
  if (unknown !== undefined)
    return refuse('field_invalid', {
      field: 'by',
      problem: `"${unknown.slice(0, 40)}" is none of them`,
      remedy: `Name some of ${DIMENSIONS.join(', ')}.`,
    })
  const toUs = range.toUs ?? clock.wallMs() * 1000
  const fromUs = range.fromUs ?? toUs - RANGE_US
  const names = { name: query.get('name') ?? undefined, tenant: query.get('tenant') ?? undefined }
  const found = await telemetry.scores({ fromUs, toUs, ...names, limit: SCORES_MAX + 1 })
  const samples = await samplesOf(events, found.slice(0, SCORES_MAX))
  return ok({
    from: isoOf(fromUs),
    to: isoOf(toUs),
    n: samples.length,
    more: found.length > SCORES_MAX,
    scores: scoresOf(samples, by.filter(isDimension)).map(groupJson),
  })
}

const isDimension = (name: string): name is ScoreDimension => DIMENSIONS.some((one) => one === name)

/** With the prompt and the model that the request had, where it was one of ours. */
async function samplesOf(events: Pick<Events, 'read'>, found: readonly ScoredTrace[]): Promise<ScoreSample[]> {
  const requests = new Map<string, { readonly model: string; readonly prompt: string } | undefined>()
  for (const { requestId } of found) {
    if (requestId === '' || requests.has(requestId)) continue
    const body = (await events.read(requestId)).at(-1)?.body
    requests.set(requestId, body && { model: textOf(body['model']), prompt: textOf(body['prompt']) })
  }
  return found.map(({ score: { name, value, label }, requestId, model }) => ({
    name,
    value,
    label,
    model,
    prompt: '',
    ...requests.get(requestId),
  }))
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

const groupJson = ({ estimate, labels, ...rest }: ScoreGroup): JsonObject => ({
  ...rest,
  ...(estimate === undefined ? {} : { ...estimate }),
  labels: labels.map(({ label, n, share: { mean, ...interval } }) => ({ label, n, share: mean, ...interval })),
})
