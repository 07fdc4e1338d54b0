/** What is kept of every stage of every request, ours or another program's: one row for a span. The
 *  columns are frozen. A new one is added at the end and raises `SCHEMA_VERSION`; none is ever renamed,
 *  moved or given another meaning, since rows of years ago lie in files that others read. */
export const SCHEMA_VERSION = 1

/** What a span is. `request` is a root of our own, `event` a log record of a trace. */
export const SPAN_KINDS = [
  'span',
  'request',
  'generation',
  'embedding',
  'retrieval',
  'rerank',
  'tool',
  'agent',
  'workflow',
  'guardrail',
  'evaluation',
  'event',
] as const
export type SpanKind = (typeof SPAN_KINDS)[number]

export const STATUSES = ['unset', 'ok', 'error'] as const
export type Status = (typeof STATUSES)[number]

/** Absent texts are '', absent figures null. Tokens lie in buckets that do not overlap, as in
 *  `meter/usage.ts`. */
export interface SpanRow {
  /** 32 and 16 hexadecimal digits, lower case; `parentId` is '' for a root. */
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly kind: SpanKind
  readonly name: string
  readonly service: string
  /** Whose it is: from the key that brought it, never from the span. */
  readonly tenant: string
  readonly user: string
  readonly session: string
  readonly workflow: string
  /** Name and version of the prompt, `support@12`. */
  readonly prompt: string
  /** Microseconds since 1970, and how long. */
  readonly startUs: number
  readonly durationUs: number
  readonly status: Status
  readonly error: string
  readonly operation: string
  readonly provider: string
  readonly model: string
  readonly deployment: string
  readonly finishReason: string
  readonly inputTokens: number | null
  readonly cachedInputTokens: number | null
  readonly cacheWriteTokens: number | null
  readonly outputTokens: number | null
  readonly reasoningTokens: number | null
  readonly costNanoUsd: number | null
  readonly firstTokenUs: number | null
  /** The chance it had of being kept, over 0 and at most 1: count it as 1 / probability. */
  readonly probability: number
  /** What else it said, as a JSON object: never inputs and outputs of models. */
  readonly attributes: string
}

/** How a column lies in tables and files. */
export type ColumnType = 'id' | 'text' | 'integer' | 'number'

/** The order of the columns, in rows that travel as lists and in files. */
export const SPAN_COLUMNS = [
  ['traceId', 'id'],
  ['spanId', 'id'],
  ['parentId', 'id'],
  ['kind', 'text'],
  ['name', 'text'],
  ['service', 'text'],
  ['tenant', 'text'],
  ['user', 'text'],
  ['session', 'text'],
  ['workflow', 'text'],
  ['prompt', 'text'],
  ['startUs', 'integer'],
  ['durationUs', 'integer'],
  ['status', 'text'],
  ['error', 'text'],
  ['operation', 'text'],
  ['provider', 'text'],
  ['model', 'text'],
  ['deployment', 'text'],
  ['finishReason', 'text'],
  ['inputTokens', 'integer'],
  ['cachedInputTokens', 'integer'],
  ['cacheWriteTokens', 'integer'],
  ['outputTokens', 'integer'],
  ['reasoningTokens', 'integer'],
  ['costNanoUsd', 'integer'],
  ['firstTokenUs', 'integer'],
  ['probability', 'number'],
  ['attributes', 'text'],
] as const satisfies readonly (readonly [keyof SpanRow, ColumnType])[]

export type SpanCell = string | number | null

export const spanCells = (row: SpanRow): SpanCell[] => [
  row.traceId,
  row.spanId,
  row.parentId,
  row.kind,
  row.name,
  row.service,
  row.tenant,
  row.user,
  row.session,
  row.workflow,
  row.prompt,
  row.startUs,
  row.durationUs,
  row.status,
  row.error,
  row.operation,
  row.provider,
  row.model,
  row.deployment,
  row.finishReason,
  row.inputTokens,
  row.cachedInputTokens,
  row.cacheWriteTokens,
  row.outputTokens,
  row.reasoningTokens,
  row.costNanoUsd,
  row.firstTokenUs,
  row.probability,
  row.attributes,
]

/** The inverse of `spanCells`. What a later version added to the end is left out. */
export function spanOf(cells: readonly SpanCell[]): SpanRow {
  const row: { [name: string]: SpanCell | undefined } = {}
  for (const [at, [name]] of SPAN_COLUMNS.entries()) row[name] = cells[at]
  return row as unknown as SpanRow
}

/** Names, in UTF-16 units; what is longer is cut. */
export const NAME_UNITS_MAX = 200
/** Error messages, likewise. */
export const ERROR_UNITS_MAX = 2_000
/** One attribute's value, and how many of them one span keeps. */
export const ATTRIBUTE_UNITS_MAX = 1_000
export const ATTRIBUTES_MAX = 64
/** All attributes of a span as JSON; beyond it the last ones are dropped. */
export const ATTRIBUTES_UNITS_MAX = 8_000
/** The longest span: a year. */
export const DURATION_US_MAX = 366 * 86_400_000_000

/** What was said about a trace or a span: by a person (`feedback`), a model or a rule (`score`). */
export interface ScoreRow {
  /** Made by the sender or from the content: the same one twice is kept once. */
  readonly id: string
  readonly traceId: string
  /** '' where it is about the whole trace. */
  readonly spanId: string
  readonly kind: 'feedback' | 'score'
  readonly name: string
  /** Null for a category or a text alone. */
  readonly value: number | null
  readonly label: string
  readonly comment: string
  readonly tenant: string
  readonly atUs: number
}

/** A point of a metric. Histograms keep their count and sum. */
export interface MetricPoint {
  readonly name: string
  /** Of resource and point, as a JSON object. */
  readonly labels: string
  readonly tenant: string
  readonly atUs: number
  readonly value: number
  readonly count: number | null
}

/** Text as it is kept: well-formed, without NUL, cut to `unitsMax`. */
export function keptText(text: string, unitsMax: number): string {
  const cut = text.length > unitsMax ? text.slice(0, unitsMax) : text
  return cut.includes('\0') ? cut.replaceAll('\0', '\ufffd').toWellFormed() : cut.toWellFormed()
}
