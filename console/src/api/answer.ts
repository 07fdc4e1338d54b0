import { isRecord, listOf, numberOf, textOf } from './shape.ts'

/** What the server says about an answer, beside its text: the `headworks` object. */

export interface Range {
  readonly start: number
  readonly end: number
}

export interface Source {
  /** What `[1]` in the answer refers to. */
  readonly number: number
  readonly collection: string
  readonly document: string
  readonly uri: string
  readonly title: string
  readonly headings: readonly string[]
  /** Range in the document's text. */
  readonly start: number
  readonly end: number
  readonly text: string
  /** Ranges in `text` that the answer rests on. */
  readonly quotes: readonly Range[]
}

export interface Stage {
  readonly name: string
  /** Position of the parent in the list; -1 for a stage of the request itself. */
  readonly parent: number
  readonly startMs: number
  readonly endMs: number
  readonly attributes: { readonly [name: string]: unknown }
}

export interface Tokens {
  readonly input: number
  readonly output: number
}

export interface Report {
  readonly requestId?: string
  readonly model?: string
  readonly deployment?: string
  readonly sources: readonly Source[]
  readonly stages: readonly Stage[]
  readonly tokens?: Tokens
  /** A decimal string; null: the price is not known; absent: not said. */
  readonly costNanoUsd?: string | null
  /** The tokens are the server's own count, not the engine's. */
  readonly estimated?: boolean
  /** False: the sources do not hold the answer. */
  readonly answered?: boolean
  /** How many of its sentences rest on the passages they cite. */
  readonly grounded?: Grounded
  /** Of the workflow that answered. */
  readonly version?: string
}

export interface Grounded {
  readonly supported: number
  readonly sentences: number
  /** A judge; without one, words were compared. */
  readonly judge?: string
}

export const NO_REPORT: Report = { sources: [], stages: [] }

/** A later frame completes an earlier one: what it says holds, what it leaves out stays. */
export const mergeReports = (earlier: Report, later: Report): Report => ({
  ...earlier,
  ...later,
  sources: later.sources.length > 0 ? later.sources : earlier.sources,
  stages: later.stages.length > 0 ? later.stages : earlier.stages,
})

export function readReport(value: unknown): Report {
  if (!isRecord(value)) return NO_REPORT
  const requestId = textOf(value['request_id'])
  const model = textOf(value['model'])
  const deployment = textOf(value['deployment'])
  const version = textOf(value['workflow_version'])
  const tokens = readTokens(value['usage'])
  const cost = value['cost_nanousd']
  return {
    ...(requestId !== undefined && { requestId }),
    ...(model !== undefined && { model }),
    ...(deployment !== undefined && { deployment }),
    ...(tokens !== undefined && { tokens }),
    ...((cost === null || (typeof cost === 'string' && /^\d+$/.test(cost))) && { costNanoUsd: cost }),
    ...(typeof value['estimated'] === 'boolean' && { estimated: value['estimated'] }),
    ...(typeof value['answered'] === 'boolean' && { answered: value['answered'] }),
    ...groundedIn(value['groundedness']),
    ...(version !== undefined && { version }),
    sources: listOf(value['sources'], readSource),
    stages: listOf(value['stages'], readStage),
  }
}

/** OpenAI's usage. */
export function readTokens(value: unknown): Tokens | undefined {
  if (!isRecord(value)) return undefined
  const input = numberOf(value['prompt_tokens'])
  const output = numberOf(value['completion_tokens'])
  return input === undefined || output === undefined ? undefined : { input, output }
}

function readSource(value: unknown): Source | undefined {
  if (!isRecord(value)) return undefined
  const number = numberOf(value['number'])
  const { text } = value
  if (number === undefined || typeof text !== 'string') return undefined
  const uri = textOf(value['uri']) ?? ''
  return {
    number,
    text,
    uri,
    collection: textOf(value['collection']) ?? '',
    document: textOf(value['document']) ?? '',
    title: textOf(value['title']) ?? (uri || `Source ${number}`),
    headings: listOf(value['headings'], textOf),
    start: numberOf(value['start']) ?? 0,
    end: numberOf(value['end']) ?? 0,
    quotes: listOf(value['quotes'], readRange).filter((quote) => quote.end <= text.length),
  }
}

function readRange(value: unknown): Range | undefined {
  if (!isRecord(value)) return undefined
  const start = numberOf(value['start'])
  const end = numberOf(value['end'])
  return start === undefined || end === undefined || start < 0 || end <= start ? undefined : { start, end }
}

export function readStage(value: unknown): Stage | undefined {
  if (!isRecord(value)) return undefined
  const startMs = numberOf(value['start_ms'])
  const endMs = numberOf(value['end_ms'])
  if (startMs === undefined || endMs === undefined) return undefined
  return {
    name: textOf(value['name']) ?? 'unnamed',
    parent: numberOf(value['parent']) ?? -1,
    startMs,
    endMs: Math.max(startMs, endMs),
    attributes: isRecord(value['attributes']) ? value['attributes'] : {},
  }
}

function groundedIn(value: unknown): { readonly grounded?: Grounded } {
  if (!isRecord(value)) return {}
  const supported = numberOf(value['supported'])
  const sentences = numberOf(value['sentences'])
  const judge = textOf(value['model'])
  if (supported === undefined || sentences === undefined) return {}
  return { grounded: { supported, sentences, ...(judge !== undefined && { judge }) } }
}
