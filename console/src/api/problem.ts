import { isRecord, textOf } from './shape.ts'

/** Why something did not happen, ready to be shown. */
export interface Problem {
  /** The server's code, or `offline`, `garbled`, `truncated`: found out here. */
  readonly code: string
  /** What happened and, where the server said so, what to do about it. */
  readonly message: string
  /** 0: there was no answer at all. */
  readonly status: number
  readonly requestId?: string
}

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem }

export const offline = (): Problem => ({
  code: 'offline',
  message: 'The server does not answer. Start it with `npm start`, or check the network between here and there.',
  status: 0,
})

export const garbled = (what: string, status: number, requestId?: string): Problem => ({
  code: 'garbled',
  message: `The server sent something that is no ${what}. Check that nothing between here and there rewrites its answers.`,
  status,
  ...(requestId !== undefined && { requestId }),
})

/** Reads `{"error": {...}}`: from the body of a refused request or from a frame of a stream. */
export function problemOf(body: unknown, status: number, requestId?: string): Problem {
  const error = isRecord(body) ? body['error'] : undefined
  if (!isRecord(error)) return garbled(`answer (status ${status})`, status, requestId)
  return {
    code: textOf(error['code']) ?? textOf(error['type']) ?? `status_${status}`,
    message: textOf(error['message']) ?? `The server refused with status ${status}.`,
    status,
    ...(requestId !== undefined && { requestId }),
  }
}
