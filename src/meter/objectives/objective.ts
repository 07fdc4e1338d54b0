import { hash } from 'node:crypto'
import { type ErrorKind, ERRORS } from '../../base/errors.ts'
import type { Json } from '../../base/json.ts'
import type { Entry } from '../../store/events.ts'

/** What is promised: of the requests that an objective is about, a share is to be good. Every closed
 *  request is a good event, a bad one, or none of it (Beyer et al., "The Site Reliability Workbook",
 *  chapter 2: objectives as a ratio of events). */

export const MEASURES = ['latency', 'firstToken', 'errors', 'cost', 'recall'] as const
export type Measure = (typeof MEASURES)[number]

/** What requests of an objective can be told by. */
export const MATCHED = ['model', 'workflow', 'team', 'user', 'tenant', 'tag', 'collection'] as const

export interface Objective {
  readonly name: string
  readonly what: Measure
  /** An event is good up to this: milliseconds or nano-USD. Of recall: from this on, 0 to 1. 0 where
   *  there is none. */
  readonly limit: number
  /** The share of good events that is promised, below 1. */
  readonly share: number
  readonly windowDays: number
  readonly match: { readonly [Name in (typeof MATCHED)[number]]?: string | undefined }
}

/** Counts are kept under it: with another limit, or about other requests, they begin anew. */
export const countsOf = ({ name, what, limit, match }: Objective): string =>
  hash('sha256', JSON.stringify([name, what, limit, MATCHED.map((one) => match[one] ?? '')]), 'base64url')

/** Whether a closed request was good; undefined where the objective is not about it. Requests that
 *  were refused or given up by their caller are in none; failed ones are about errors alone. */
export function isGood({ what, limit, match }: Objective, { kind, body }: Entry): boolean | undefined {
  if (kind !== 'request' || what === 'recall') return undefined
  const { outcome, tags } = body
  for (const name of MATCHED) {
    const wanted = match[name]
    if (wanted === undefined) continue
    if (name === 'tag' ? !Array.isArray(tags) || !tags.includes(wanted) : body[name] !== wanted) return undefined
  }
  if (what === 'errors') {
    if (outcome === 'answered') return true
    if (outcome === 'interrupted') return false
    return outcome === 'failed' && !isCallers(body['error']) ? false : undefined
  }
  if (outcome !== 'answered') return undefined
  if (what === 'cost') {
    const { costNanoUsd } = body
    return typeof costNanoUsd === 'string' ? Number(costNanoUsd) <= limit : undefined
  }
  const ms = body[what === 'latency' ? 'totalMs' : 'firstTokenMs']
  return typeof ms === 'number' ? ms <= limit : undefined
}

/** Whether the recall of one search was good, 0 to 1. */
export const isRecalled = (
  { what, limit, match: { collection = '' } }: Objective,
  of: string,
  recall: number,
): boolean | undefined => (what === 'recall' && (collection === '' || collection === of) ? recall >= limit : undefined)

/** What is wrong with a request is no fault of ours. */
const CALLERS: ReadonlySet<ErrorKind> = new Set(['caller', 'auth', 'absent', 'quota'])
const isCallers = (code: Json | undefined): boolean =>
  typeof code === 'string' && Object.hasOwn(ERRORS, code) && CALLERS.has(ERRORS[code as keyof typeof ERRORS].kind)
