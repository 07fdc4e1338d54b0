import type { ApiClient } from '../base/api.ts'
import type { Headers } from '../base/http.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { Declined, declinedWith } from './declined.ts'
import { listOf, numberOf, textOf } from './fields.ts'

/** One question and its streamed answer, as the terminal shows them. */

export interface Answer {
  readonly text: string
  readonly requestId: string | undefined
  /** False: the sources do not say. Undefined: no workflow answered. */
  readonly answered: boolean | undefined
  readonly sources: readonly CitedSource[]
  readonly stages: readonly Stage[]
  readonly usage: Tokens | undefined
  /** Undefined: not told. Null: the price is not known. */
  readonly costNanoUsd: bigint | null | undefined
}

export interface CitedSource {
  readonly number: number
  readonly title: string
  readonly headings: readonly string[]
  readonly uri: string
  readonly text: string
  readonly quotes: readonly { readonly start: number; readonly end: number }[]
}

export interface Stage {
  readonly name: string
  readonly parent: number
  readonly startMs: number
  readonly endMs: number
}

export interface Tokens {
  readonly input: number
  readonly output: number
  readonly estimated: boolean
}

/** Streams the answer to `question`; `onText` gets its text as it comes. What was shown before a
 *  failure stays shown. */
export async function ask(
  api: ApiClient,
  model: string,
  question: string,
  {
    onText,
    signal,
    headers = {},
  }: { readonly onText: (text: string) => void; readonly signal?: AbortSignal; readonly headers?: Headers },
): Promise<Answer | Declined> {
  const body = {
    model,
    messages: [{ role: 'user', content: question }],
    stream: true,
    stream_options: { include_usage: true },
  }
  let text = ''
  let own: JsonObject = {}
  let usage: Json | undefined
  for await (const data of api.stream('/v1/chat/completions', body, {
    headers,
    ...(signal === undefined ? {} : { signal }),
  })) {
    const frame = parseFrame(data)
    if (frame === undefined)
      return new Declined('engine_garbled', 'What came back is no event of a chat completion.', 1)
    if (frame['error'] !== undefined) return declinedWith(frame['error'], statusOf(frame))
    if (isObject(frame['headworks'])) own = { ...own, ...frame['headworks'] }
    if (isObject(frame['usage'])) usage = frame['usage']
    const piece = contentOf(frame)
    if (piece === '') continue
    text += piece
    onText(piece)
  }
  return {
    text,
    requestId: textOf(own['request_id']) || undefined,
    answered: typeof own['answered'] === 'boolean' ? own['answered'] : undefined,
    sources: listOf(own['sources']).map(readSource),
    stages: readStages(own['stages']),
    usage: readTokens(own['usage'] ?? usage, own['estimated'] === true),
    costNanoUsd: readCost(own['cost_nanousd']),
  }
}

function parseFrame(data: string): JsonObject | undefined {
  try {
    const frame: unknown = JSON.parse(data)
    return isObject(frame) ? frame : undefined
  } catch {
    return undefined
  }
}

/** An error inside a stream has no status of its own: its type tells whose fault it was. */
function statusOf(frame: JsonObject): number {
  const type = isObject(frame['error']) ? frame['error']['type'] : undefined
  return type === 'server_error' ? 500 : 400
}

function contentOf(frame: JsonObject): string {
  const choice = listOf(frame['choices'])[0]
  const delta = choice?.['delta'] ?? choice?.['message']
  return isObject(delta) ? textOf(delta['content']) : ''
}

export function readStages(stages: Json | undefined): Stage[] {
  return listOf(stages).map((stage) => ({
    name: textOf(stage['name']),
    parent: typeof stage['parent'] === 'number' ? stage['parent'] : -1,
    startMs: numberOf(stage['start_ms']),
    endMs: numberOf(stage['end_ms']),
  }))
}

const readSource = (source: JsonObject): CitedSource => ({
  number: numberOf(source['number']),
  title: textOf(source['title']),
  headings: Array.isArray(source['headings'])
    ? (source['headings'] as readonly Json[]).filter((one) => typeof one === 'string')
    : [],
  uri: textOf(source['uri']),
  text: textOf(source['text']),
  quotes: listOf(source['quotes']).map((quote) => ({ start: numberOf(quote['start']), end: numberOf(quote['end']) })),
})

function readTokens(usage: Json | undefined, estimated: boolean): Tokens | undefined {
  if (!isObject(usage)) return undefined
  return { input: numberOf(usage['prompt_tokens']), output: numberOf(usage['completion_tokens']), estimated }
}

export function readCost(cost: Json | undefined): bigint | null | undefined {
  if (typeof cost === 'string' && /^\d+$/.test(cost)) return BigInt(cost)
  return cost === null ? null : undefined
}
