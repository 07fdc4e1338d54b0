import { type Fault, fault } from '../base/errors.ts'
import type { Headers } from '../base/http.ts'
import { isObject } from '../base/json.ts'

export interface Upstream {
  readonly status: number
  readonly headers: Headers
}

const REASON_UNITS_MAX = 500

/** What an engine's error status means to us. A 400 or 422 is about the request and would fail
 *  anywhere; a 429, 503 or 529 is load; everything else is the engine's, its key included, and
 *  another deployment may do better. */
export function engineFault(engine: string, { status, headers }: Upstream, answer: unknown): Fault {
  const reason = reasonFrom(answer)
  if (status === 400 || status === 413 || status === 422) return fault('engine_rejected', { engine, reason, status })
  if (status === 429 || status === 503 || status === 529)
    return fault('engine_busy', { engine, status, reason, ...retryAfterOf(headers) })
  return fault('engine_refused', { engine, status, reason })
}

/** When to come back, where the engine says so in a length of time: `retry-after-ms`, as OpenAI sends
 *  it, or `retry-after` (RFC 9110, section 10.2.3) in seconds. A date is passed over: clocks differ. */
function retryAfterOf(headers: Headers): { readonly retryAfterMs?: number } {
  for (const [name, unitMs] of RETRY_AFTER) {
    const text = headers[name] ?? ''
    if (/^\d{1,9}(?:\.\d{1,9})?$/.test(text)) return { retryAfterMs: Math.ceil(Number(text) * unitMs) }
  }
  return {}
}

const RETRY_AFTER = [
  ['retry-after-ms', 1],
  ['retry-after', 1000],
] as const

/** The message of an error body, whatever shape it has: OpenAI's object, a plain string, FastAPI's
 *  `detail`. */
export function reasonFrom(answer: unknown): string {
  const text = messageOf(answer)
  return (text === '' ? 'no reason given' : text).replace(/\s+/g, ' ').slice(0, REASON_UNITS_MAX)
}

function messageOf(answer: unknown): string {
  if (typeof answer === 'string') return answer
  if (!isObject(answer)) return ''
  for (const name of ['error', 'message', 'detail'] as const) {
    const value = answer[name]
    if (typeof value === 'string') return value
    if (isObject(value)) return messageOf(value)
  }
  return ''
}
