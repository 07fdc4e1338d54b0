import type { SeriesPoint, TelemetryStore } from '../trace/port.ts'
import { countOf, countUpTo, type Sketch, sumOf } from '../trace/sketch.ts'
import type { Download, Route } from './router.ts'

/** `/metrics` as OpenMetrics 1.0 has it: what was taken in since this process began, our own requests
 *  and the spans of other programs alike. Histograms are made from sketches, so their bounds can be
 *  any; each bucket that holds the example names its trace. */

const MEDIA_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/** Bounds in seconds, as OpenTelemetry advises for the duration of operations of models, and of the
 *  time to the first token. */
const DURATION_BOUNDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
const FIRST_TOKEN_BOUNDS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

export function metricsRoutes(telemetry: Pick<TelemetryStore, 'totals' | 'status'>): Route[] {
  return [
    {
      method: 'GET',
      path: '/metrics',
      summary: 'Counters and histograms in OpenMetrics, for Prometheus and its like.',
      role: 'admin',
      answer: (): Download => ({ headers: { 'content-type': MEDIA_TYPE }, pieces: textOf(telemetry) }),
    },
  ]
}

async function* textOf(telemetry: Pick<TelemetryStore, 'totals' | 'status'>): AsyncGenerator<Uint8Array> {
  const [points, status] = await Promise.all([telemetry.totals(), telemetry.status()])
  const lines = [
    ...counter('headworks_spans', 'Spans taken in.', points, ({ spans }) => spans),
    ...counter('headworks_span_errors', 'Spans that failed.', points, ({ errors }) => errors),
    ...counter(
      'headworks_input_tokens',
      'Tokens read, cached ones included.',
      points,
      ({ inputTokens }) => inputTokens,
    ),
    ...counter('headworks_output_tokens', 'Tokens written, reasoning included.', points, (one) => one.outputTokens),
    ...counter('headworks_cost_usd', 'Cost in US dollars.', points, ({ costNanoUsd }) => costNanoUsd / 1e9),
    ...histogram(
      'headworks_span_duration_seconds',
      'How long spans took.',
      points,
      DURATION_BOUNDS,
      (one) => one.durationUs,
    ),
    ...histogram(
      'headworks_first_token_seconds',
      'Time to the first token.',
      points.filter(({ firstTokenUs }) => countOf(firstTokenUs) > 0).map(withoutExample),
      FIRST_TOKEN_BOUNDS,
      (one) => one.firstTokenUs,
    ),
    ...gauge('headworks_telemetry_waiting_bytes', 'Acknowledged, not yet found by questions.', status.waitingBytes),
    ...gauge('headworks_telemetry_recent_spans', 'Spans that are in no file yet.', status.recentSpans),
    ...gauge('headworks_telemetry_file_spans', 'Spans in files.', status.fileSpans),
    ...gauge('headworks_telemetry_file_bytes', 'Bytes of these files.', status.fileBytes),
    '# EOF',
  ]
  yield Buffer.from(`${lines.join('\n')}\n`)
}

/** Examples are of durations. */
function withoutExample(point: SeriesPoint): SeriesPoint {
  const { example, ...rest } = point
  return example === undefined ? point : rest
}

const LABELS = ['tenant', 'service', 'kind', 'model'] as const

function labelsOf({ of }: SeriesPoint, more: readonly string[] = []): string {
  const own = LABELS.flatMap((name) => (of[name] ? [`${name}="${escaped(of[name])}"`] : []))
  const all = [...own, ...more]
  return all.length === 0 ? '' : `{${all.join(',')}}`
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

const head = (name: string, type: string, help: string): string[] => [
  `# TYPE ${name} ${type}`,
  `# HELP ${name} ${escaped(help)}`,
]

const counter = (
  name: string,
  help: string,
  points: readonly SeriesPoint[],
  value: (point: SeriesPoint) => number,
): string[] => [...head(name, 'counter', help), ...points.map((one) => `${name}_total${labelsOf(one)} ${value(one)}`)]

const gauge = (name: string, help: string, value: number): string[] => [
  ...head(name, 'gauge', help),
  `${name} ${value}`,
]

function histogram(
  name: string,
  help: string,
  points: readonly SeriesPoint[],
  bounds: readonly number[],
  sketchOf: (point: SeriesPoint) => Sketch,
): string[] {
  return [
    ...head(name, 'histogram', help),
    ...points.flatMap((point) => {
      const sketch = sketchOf(point)
      const count = countOf(sketch)
      const { example } = point
      let isShown = example === undefined
      const buckets = [...bounds, Infinity].map((bound) => {
        const upTo = bound === Infinity ? count : countUpTo(sketch, bound * 1e6)
        const isHere = !isShown && (example?.durationUs ?? 0) <= bound * 1e6
        if (isHere) isShown = true
        const shown = isHere && example !== undefined ? exemplar(example) : ''
        return `${name}_bucket${labelsOf(point, [`le="${bound === Infinity ? '+Inf' : bound}"`])} ${upTo}${shown}`
      })
      return [
        ...buckets,
        `${name}_count${labelsOf(point)} ${count}`,
        `${name}_sum${labelsOf(point)} ${sumOf(sketch) / 1e6}`,
      ]
    }),
  ]
}

const exemplar = ({ traceId, durationUs, atUs }: NonNullable<SeriesPoint['example']>): string =>
  ` # {trace_id="${traceId}"} ${durationUs / 1e6} ${(atUs / 1e6).toFixed(3)}`
