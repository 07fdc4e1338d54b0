import { Validator } from 'jsonschema'
import type { JsonObject } from '../../base/json.ts'
import { compileSafely } from './blocklist.ts'

/** Whether an answer is what a JSON schema says. Both come from outside: expressions are RE2's, and the work
 *  of one check is bounded. Draft 7, without `patternProperties`. */

/** Looks of a schema at a value. */
const STEPS_MAX = 100_000
/** What references within a schema are relative to; nothing is fetched. */
const BASE = 'https://schema.invalid/'
const REASON_CHARS_MAX = 200

class TooMuch extends Error {}

type Look = (this: unknown, instance: unknown, schema: JsonObject) => string | undefined

const matchesPattern: Look = (instance, { pattern }) => {
  if (typeof instance !== 'string' || typeof pattern !== 'string') return undefined
  const form = compileSafely(pattern)
  return form === undefined || form.matcher(instance).find() ? undefined : 'does not match its pattern'
}

/** Its check is the engine's own expressions, which take exponential time for some. */
const unseen: Look = () => undefined

function boundedValidator(): Validator {
  const validator = new Validator()
  Object.assign(validator.attributes, { pattern: matchesPattern, patternProperties: unseen })
  // Every look goes through this method, which the types leave out.
  const looking = validator as unknown as { validateSchema: (...all: unknown[]) => unknown }
  const look = looking.validateSchema.bind(validator)
  let steps = 0
  looking.validateSchema = (...all) => {
    if (++steps > STEPS_MAX) throw new TooMuch()
    return look(...all)
  }
  return validator
}

/** Why the text is not what the schema says; undefined where it is. */
export function schemaProblem(text: string, schema: JsonObject): string | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'it is no JSON'
  }
  try {
    const [first] = boundedValidator().validate(value, schema, { base: BASE }).errors
    return first === undefined
      ? undefined
      : `${first.property.replace(/^instance/, '$')} ${first.message}`.slice(0, REASON_CHARS_MAX)
  } catch (thrown) {
    return thrown instanceof TooMuch ? 'it takes too long to check' : 'its schema cannot be read'
  }
}
