import type { Json } from '../../base/json.ts'
import type { Point } from './point.ts'

/** A guardrail that somebody else runs: asked over HTTP, within a time. */
export interface RemoteCheck {
  /** Rejects where no verdict came in time. */
  ask(question: RemoteQuestion, timeoutMs: number): Promise<RemoteVerdict>
}

export interface RemoteQuestion {
  readonly point: Point
  readonly model: string
  readonly texts: readonly string[]
}

export interface RemoteVerdict {
  readonly allow: boolean
  /** Why not; shown to the caller. */
  readonly reason?: string
  /** What is to stand in place of the texts, one each. */
  readonly texts?: readonly string[]
}

const REASON_CHARS_MAX = 200

/** Undefined for what is no verdict. */
export function readVerdict(body: Json, texts: number): RemoteVerdict | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined
  const { allow, reason, texts: replaced } = body as { readonly [name: string]: Json | undefined }
  if (typeof allow !== 'boolean') return undefined
  const isReplaced =
    Array.isArray(replaced) &&
    replaced.length === texts &&
    (replaced as readonly Json[]).every((one) => typeof one === 'string')
  if (replaced !== undefined && replaced !== null && !isReplaced) return undefined
  return {
    allow,
    ...(typeof reason === 'string' ? { reason: reason.slice(0, REASON_CHARS_MAX) } : {}),
    ...(isReplaced ? { texts: replaced as readonly string[] } : {}),
  }
}
