import { refuse, type Refusal } from '../../base/errors.ts'
import type { Json, JsonObject } from '../../base/json.ts'

/** Fields that bodies of all dialects have. */

const MESSAGES_MAX = 10_000
const MODEL_NAME_UNITS_MAX = 256

export function readModel(body: JsonObject): string | Refusal {
  const model = body['model']
  if (typeof model !== 'string' || model === '' || model.length > MODEL_NAME_UNITS_MAX) {
    return invalid('model', 'must be the name of a model', 'GET /v1/models lists what there is.')
  }
  return model
}

export function readMessages(body: JsonObject): readonly Json[] | Refusal {
  const messages = body['messages'] ?? ((body['prompt'] ?? null) === null ? undefined : [])
  if (Array.isArray(messages) && messages.length === 0 && (body['prompt'] ?? null) !== null) return []
  if (!Array.isArray(messages) || messages.length === 0) {
    return invalid('messages', 'must be a non-empty array', 'Send at least one {"role": "user", "content": "..."}.')
  }
  if (messages.length > MESSAGES_MAX)
    return invalid('messages', `has more than ${MESSAGES_MAX} entries`, 'Send fewer messages.')
  return messages as readonly Json[]
}

export const isCount = (value: Json): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 1

export const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
