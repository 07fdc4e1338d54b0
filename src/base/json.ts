import { refuse, Refusal, reasonOf } from './errors.ts'

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [name: string]: Json | undefined
}

export interface JsonLimits {
  readonly bytesMax: number
  /** Nesting of arrays and objects. V8's parser is quadratic in depth: 10 MB of `[` blocks the
   *  loop for 5 s, so depth is scanned before parsing. */
  readonly depthMax: number
}

/** Parses bytes from outside: size and depth first, then UTF-8, then JSON. */
export function parseJson(bytes: Uint8Array, limits: JsonLimits): Json | Refusal {
  if (bytes.length > limits.bytesMax) return refuse('body_too_large', { limitBytes: limits.bytesMax })
  if (exceedsDepth(bytes, limits.depthMax)) return refuse('body_too_deep', { limit: limits.depthMax })
  try {
    return JSON.parse(strictUtf8.decode(bytes)) as Json
  } catch (error) {
    return refuse('body_malformed', { reason: jsonReason(error) })
  }
}

/** The same of a text that was decoded already. */
export function parseJsonText(text: string, limits: JsonLimits): Json | Refusal {
  if (text.length > limits.bytesMax) return refuse('body_too_large', { limitBytes: limits.bytesMax })
  if (textExceedsDepth(text, limits.depthMax)) return refuse('body_too_deep', { limit: limits.depthMax })
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    return refuse('body_malformed', { reason: jsonReason(error) })
  }
}

/** Why `JSON.parse` threw, without the piece of the text that it quotes: reasons are logged and kept. */
export function jsonReason(thrown: unknown): string {
  const reason = reasonOf(thrown)
  const quoted = reason.search(/,? ?(?:\.{3})?"/)
  return (quoted === -1 ? reason.slice(0, 200) : reason.slice(0, quoted)) || 'it is none'
}

/** A JSON object; what `parseJson` refused is none. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Refusal)
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Whether brackets nest deeper than `depthMax`. One pass, no allocation; strings are skipped. */
function exceedsDepth(bytes: Uint8Array, depthMax: number): boolean {
  let depth = 0
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (byte === QUOTE) {
      for (i++; i < bytes.length && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++
    } else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > depthMax) return true
    } else if (byte === 0x5d || byte === 0x7d) {
      depth--
    }
  }
  return false
}

/** As `exceedsDepth`. Most texts have fewer brackets than may nest, which counting them tells soonest. */
function textExceedsDepth(text: string, depthMax: number): boolean {
  let brackets = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if ((unit === 0x5b || unit === 0x7b) && ++brackets > depthMax) return exceedsDepth(Buffer.from(text), depthMax)
  }
  return false
}
