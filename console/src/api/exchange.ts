import type { Fetch } from './chat.ts'
import { garbled, offline, problemOf, type Result } from './problem.ts'
import { textOf } from './shape.ts'

/** One request for JSON and what came of it. */

interface Exchange {
  readonly status: number
  readonly requestId: string | undefined
  readonly body: unknown
}

/** `undefined`: no answer at all. */
async function send(fetch: Fetch, path: string, init: RequestInit): Promise<Exchange | undefined> {
  try {
    const response = await fetch(path, init)
    const text = await response.text()
    return { status: response.status, requestId: textOf(response.headers.get('x-request-id')), body: parse(text) }
  } catch {
    return undefined
  }
}

export const get = (fetch: Fetch, path: string, signal?: AbortSignal) =>
  send(fetch, path, { method: 'GET', ...(signal && { signal }) })

export const post = (fetch: Fetch, path: string, body: object) =>
  send(fetch, path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

export const remove = (fetch: Fetch, path: string) => send(fetch, path, { method: 'DELETE' })

function parse(text: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `what` the answer is to be, for when it is not. */
export function read<T>(
  exchange: Exchange | undefined,
  what: string,
  reader: (body: unknown) => T | undefined,
): Result<T> {
  if (exchange === undefined) return { ok: false, problem: offline() }
  const { status, requestId, body } = exchange
  if (status >= 400) return { ok: false, problem: problemOf(body, status, requestId) }
  const value = body === undefined ? undefined : reader(body)
  return value === undefined ? { ok: false, problem: garbled(what, status, requestId) } : { ok: true, value }
}
