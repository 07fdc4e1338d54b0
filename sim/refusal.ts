import { isObject, type JsonObject } from '../src/base/json.ts'
import type { Caller } from './caller.ts'

/** What a caller was told that a budget turned away. */
export interface Refusal {
  readonly code: string
  readonly message: string
  /** The budget that was short; undefined where none was to blame alone. */
  readonly short: JsonObject | undefined
}

const SHORT_CODES: ReadonlySet<string> = new Set([
  'budget_spent',
  'budget_too_small',
  'budget_contended',
  'rate_limit_exceeded',
])
const OTHER_CODES: ReadonlySet<string> = new Set(['budgets_unavailable', 'price_unknown', 'input_unbounded'])

/** Whether the code says which budget was short. */
export const namesShort = (code: string): boolean => SHORT_CODES.has(code)

/** Undefined where it was not turned away by a budget, or has not heard it whole. */
export function refusalOf(caller: Caller): Refusal | undefined {
  const { state, status } = caller
  if (state !== 'ended' || status === undefined || status === 200) return undefined
  const error = errorIn(caller.text())
  const code = error?.['code']
  if (typeof code !== 'string' || !(SHORT_CODES.has(code) || OTHER_CODES.has(code))) return undefined
  const short = error?.['budget']
  return { code, message: String(error?.['message']), short: isObject(short) ? short : undefined }
}

function errorIn(text: string): JsonObject | undefined {
  try {
    const body: unknown = JSON.parse(text)
    const error = isObject(body) ? body['error'] : undefined
    return isObject(error) ? error : undefined
  } catch {
    return undefined
  }
}
