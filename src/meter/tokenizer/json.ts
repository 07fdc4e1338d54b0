import { isObject, type Json, parseJson } from '../../base/json.ts'
import { bytesMax, type TextTokenizer } from './tokenizer.ts'

/** What a JSON value comes to when a chat template writes it into a prompt: tool definitions, tool
 *  calls, schemas. Templates do it in ways of their own: compact, or indented by up to four spaces
 *  (`tojson(indent=4)`); with `\u003c` or `\u00e9` for what could be written plainly; as TypeScript
 *  (OpenAI), as XML (Qwen3-Coder). The bound is for all of these: keys and values are there once,
 *  each on a line of its own, and each costs some syntax. */

/** Quotes, colon, comma, line end and brackets, or the tags that stand for them. */
const NODE_TOKENS = 12
const INDENT = 4
/** `\u003c` */
const ESCAPED_BYTES = 6
/** `\n` */
const SHORT_ESCAPED_BYTES = 2
/** Python writes 1e15 as 1000000000000000.0; no double is longer than this. */
const NUMBER_BYTES = 24
/** `false` */
const WORD_BYTES = 5
/** Deeper, and longer, JSON in a text is taken for text. */
const PARSED = { bytesMax: 65_536, depthMax: 64 }

export function jsonMax(value: Json | undefined, text: TextTokenizer, depth = 0): number {
  if (value === undefined) return 0
  const line = NODE_TOKENS + text.spacesMax(depth * INDENT)
  if (typeof value === 'string') return line + textInJsonMax(value, text, depth)
  if (!Array.isArray(value) && !isObject(value)) return line + (typeof value === 'number' ? NUMBER_BYTES : WORD_BYTES)
  let tokens = 2 * line
  if (Array.isArray(value)) for (const item of value as readonly Json[]) tokens += jsonMax(item, text, depth + 1)
  else
    for (const [name, item] of Object.entries(value))
      if (item !== undefined) tokens += escapedMax(name, text) + jsonMax(item, text, depth + 1)
  return tokens
}

/** The arguments of a tool call are JSON in a string, which templates read and write again. */
function textInJsonMax(value: string, text: TextTokenizer, depth: number): number {
  const asText = escapedMax(value, text)
  if (!/^\s*[[{]/.test(value)) return asText
  const inner = parseJson(Buffer.from(value), PARSED)
  const isValue = isObject(inner) || Array.isArray(inner)
  return isValue ? Math.max(asText, jsonMax(inner, text, depth + 1)) : asText
}

/** Below this a text's edges outweigh its inside. */
const COUNTED_UNITS_MIN = 24

/** A text in quotes, as some templates write what a tool answered (Llama 3.1). */
export const quotedMax = (value: string, text: TextTokenizer): number => 2 + escapedMax(value, text)

/** A text as it is, or escaped in one way or another. What no way escapes is counted. */
function escapedMax(value: string, text: TextTokenizer): number {
  let tokens = 0
  for (const [run, plain, short] of value.matchAll(RUNS)) {
    if (short !== undefined) tokens += run.length * SHORT_ESCAPED_BYTES
    else if (plain === undefined) tokens += Math.max(run.length * ESCAPED_BYTES, bytesMax(run))
    else tokens += run.length < COUNTED_UNITS_MIN ? run.length : text.countMax(run)
  }
  return tokens
}

/** Plain is printable ASCII without `"`, `&`, `'`, `<`, `>` and `\`; shortly escaped are those that
 *  JSON has a letter or themselves for. */
const RUNS = /([ !#-%(-;=?-[\]-~]+)|(["\\\b\f\n\r\t]+)|[^ !"#-%(-;=?-~\b\f\n\r\t]+/g
