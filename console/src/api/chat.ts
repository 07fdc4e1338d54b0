import { NO_REPORT, readReport, readTokens, type Report } from './answer.ts'
import { garbled, offline, problemOf, type Problem } from './problem.ts'
import { isRecord, textOf } from './shape.ts'
import { EventReader } from './sse.ts'

export interface Question {
  readonly model: string
  readonly question: string
}

/** What becomes of a question, in order; `done`, `truncated` and `failed` are the last. */
export type ChatEvent =
  | { readonly kind: 'report'; readonly report: Report }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'done' }
  /** The stream ended and did not say that it was complete. */
  | { readonly kind: 'truncated' }
  | { readonly kind: 'failed'; readonly problem: Problem }

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** Asks, streaming. Never throws; after `signal` aborts it ends without a last event. */
export async function* ask(fetch: Fetch, question: Question, signal: AbortSignal): AsyncGenerator<ChatEvent> {
  try {
    const response = await fetch('/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({
        model: question.model,
        messages: [{ role: 'user', content: question.question }],
        stream: true,
        stream_options: { include_usage: true },
      }),
      signal,
    })
    yield* answerOf(response)
  } catch {
    if (!signal.aborted) yield { kind: 'failed', problem: offline() }
  }
}

async function* answerOf(response: Response): AsyncGenerator<ChatEvent> {
  const requestId = textOf(response.headers.get('x-request-id'))
  if (!response.ok) {
    const body: unknown = await response.json().catch(() => undefined)
    yield { kind: 'failed', problem: problemOf(body, response.status, requestId) }
    return
  }
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false
  if (!isStream || response.body === null) {
    yield { kind: 'failed', problem: garbled('stream of events', response.status, requestId) }
    return
  }
  const deployment = textOf(response.headers.get('x-headworks-model'))
  const report: Report = {
    ...NO_REPORT,
    ...(requestId !== undefined && { requestId }),
    ...(deployment !== undefined && { deployment }),
  }
  yield { kind: 'report', report }
  yield* eventsOf(response.body, response.status, requestId)
}

async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  status: number,
  requestId: string | undefined,
): AsyncGenerator<ChatEvent> {
  const reader = new EventReader()
  const source = body.getReader()
  try {
    for (;;) {
      const packet = await nextOf(source)
      if (packet === 'ended') break
      for (const data of reader.push(packet)) {
        if (data === '[DONE]') return yield { kind: 'done' }
        const frame = parse(data)
        if (frame === undefined)
          return yield { kind: 'failed', problem: garbled('frame of an answer', status, requestId) }
        if (frame['error'] !== undefined) return yield { kind: 'failed', problem: problemOf(frame, status, requestId) }
        yield* frameOf(frame)
      }
    }
    yield { kind: 'truncated' }
  } finally {
    source.cancel().catch(() => undefined)
  }
}

/** A connection that breaks mid-stream is a truncation, not a missing server. */
async function nextOf(source: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array | 'ended'> {
  try {
    const { value, done } = await source.read()
    return done ? 'ended' : value
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') throw error
    return 'ended'
  }
}

function* frameOf(frame: { readonly [name: string]: unknown }): Generator<ChatEvent> {
  if (frame['headworks'] !== undefined) yield { kind: 'report', report: readReport(frame['headworks']) }
  const model = textOf(frame['model'])
  const tokens = readTokens(frame['usage'])
  if (tokens !== undefined) {
    yield { kind: 'report', report: { ...NO_REPORT, tokens, ...(model !== undefined && { model }) } }
  }
  const [choice]: readonly unknown[] = Array.isArray(frame['choices']) ? frame['choices'] : []
  const delta = isRecord(choice) ? choice['delta'] : undefined
  const text = isRecord(delta) ? textOf(delta['content']) : undefined
  if (text !== undefined) yield { kind: 'text', text }
}

function parse(data: string): { readonly [name: string]: unknown } | undefined {
  try {
    const frame: unknown = JSON.parse(data)
    return isRecord(frame) ? frame : undefined
  } catch {
    return undefined
  }
}
