import { hash } from 'node:crypto'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { Scopes } from '../../guard/identify.ts'
import type { CachePolicy, LogicalModel } from '../catalogue.ts'

/** Under which names answers are kept: everything that shapes one, and who may have it. */

export interface Cached {
  readonly model: LogicalModel
  readonly policy: CachePolicy
  readonly scopes: Scopes
}

/** Says who asks, and nothing about the answer. */
const NOT_ASKED: ReadonlySet<string> = new Set([
  'user',
  'metadata',
  'safety_identifier',
  'prompt_cache_key',
  'stream_options',
  'store',
])

/** Of the very same question. */
export const answerKey = (cached: Cached, body: JsonObject): string => digest(cached, 'answer', askedIn(body))

/** Of questions that differ in the words of their last turn alone. */
export const groupKey = (cached: Cached, { rest, numerals, promptVersion }: Group): string =>
  digest(cached, 'group', { numerals, promptVersion: promptVersion ?? null, asked: askedIn(rest) })

export interface Group {
  /** The body without the words. */
  readonly rest: JsonObject
  /** Of the words: a question about 2024 is not the one about 2025, however near they lie. */
  readonly numerals: readonly string[]
  readonly promptVersion: string | undefined
}

/** Of the vectors of texts: each text is named after this. */
export const vectorsKey = (cached: Cached): string => digest(cached, 'vectors', {})

export const textKey = (prefix: string, text: string): string => `${prefix}.${hash('sha256', text, 'base64url')}`

export const hasTools = (body: JsonObject): boolean =>
  [body['tools'], body['functions']].some((tools) => Array.isArray(tools) && tools.length > 0)

const askedIn = (body: JsonObject): JsonObject => ({
  stream: false,
  ...Object.fromEntries(Object.entries(body).filter(([field]) => !NOT_ASKED.has(field))),
})

function digest({ model, policy, scopes: { key, tenant, user } }: Cached, kind: string, asked: JsonObject): string {
  const whose = policy.scope === 'tenant' && tenant !== undefined ? { tenant } : { key }
  return hash(
    'sha256',
    canonical({
      kind,
      whose: { ...whose, ...(policy.scope === 'user' && user !== undefined ? { user } : {}) },
      model: model.name,
      version: policy.version,
      outputTokensMax: model.outputTokensMax,
      asked,
    }),
    'hex',
  )
}

/** The same text for the same value, whatever the order of its fields (as RFC 8785 has it). */
function canonical(value: Json | undefined): string {
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(canonical).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value ?? null)
  const fields = Object.keys(value).filter((name) => value[name] !== undefined)
  return `{${fields
    .toSorted()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`)
    .join(',')}}`
}
