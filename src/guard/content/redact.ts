import type { Clock } from '../../base/clock.ts'
import { isObject, type Json } from '../../base/json.ts'
import { PII_KINDS } from '../../config/pii-kinds.ts'
import { type Detector, findIn, mergeFindings, OUT_OF_TIME } from '../guardrails/finding.ts'
import { piiDetector } from '../guardrails/pii.ts'
import { secretDetector } from '../guardrails/secrets.ts'

/** Texts without what detectors find. Pictures, sound and files go as a whole: nobody looks into them. */

const DATA = '[DATA]'
/** Fields that hold bytes as text. */
const BYTES = new Set(['data', 'file_data', 'b64_json'])

export function redactor(clock: Clock): (value: Json) => Json {
  const detectors: readonly Detector[] = [piiDetector(PII_KINDS), secretDetector()]
  const text = (said: string): string => {
    const lists = detectors.map((detector) => findIn(detector, said, clock, Infinity))
    if (lists.some((list) => list === OUT_OF_TIME)) return DATA
    let clean = ''
    let from = 0
    for (const { kind, start, end } of mergeFindings(lists as Exclude<(typeof lists)[number], symbol>[])) {
      clean += `${said.slice(from, start)}[${kind.toUpperCase()}]`
      from = end
    }
    return clean + said.slice(from)
  }
  const walk = (value: Json, name: string): Json => {
    if (typeof value === 'string') return value.startsWith('data:') || BYTES.has(name) ? DATA : text(value)
    if (Array.isArray(value)) return (value as readonly Json[]).map((one) => walk(one, name))
    if (!isObject(value)) return value
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [text(key), walk(one ?? null, key)]))
  }
  return (value) => walk(value, '')
}
