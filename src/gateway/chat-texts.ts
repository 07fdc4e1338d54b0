import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { GuardedText } from '../guard/guardrails/guardrails.ts'

/** The texts of a chat body that guardrails look at: what messages say, in whatever role, and the arguments of
 *  the calls that they repeat. Pictures, sound and files are not text. */

const TRUSTED = new Set(['system', 'developer', 'assistant'])
const PART_TEXTS = ['text', 'refusal', 'input_text', 'output_text'] as const

export function textsOf(body: JsonObject): GuardedText[] {
  const texts: GuardedText[] = []
  overTexts(body, (text, trusted) => {
    texts.push({ text, trusted })
    return text
  })
  return texts
}

/** The body with these texts, in the order of `textsOf`; itself where none has changed. */
export function replaceTexts(body: JsonObject, texts: readonly string[]): JsonObject {
  let at = 0
  let changed = false
  const replaced = overTexts(body, (text) => {
    const one = texts[at++] ?? text
    if (one !== text) changed = true
    return one
  })
  return changed ? replaced : body
}

type Visit = (text: string, trusted: boolean) => string

function overTexts(body: JsonObject, visit: Visit): JsonObject {
  const { messages } = body
  if (!Array.isArray(messages)) return body
  return { ...body, messages: (messages as readonly Json[]).map((message) => overMessage(message, visit)) }
}

function overMessage(message: Json, visit: Visit): Json {
  if (!isObject(message)) return message
  const trusted = TRUSTED.has(String(message['role']))
  const said = { ...message }
  const { content, tool_calls: calls, reasoning_content: reasoning } = message
  if (typeof content === 'string') said['content'] = visit(content, trusted)
  else if (Array.isArray(content))
    said['content'] = (content as readonly Json[]).map((part) => overPart(part, visit, trusted))
  if (typeof reasoning === 'string') said['reasoning_content'] = visit(reasoning, trusted)
  if (Array.isArray(calls)) said['tool_calls'] = (calls as readonly Json[]).map((call) => overCall(call, visit))
  return said
}

function overPart(part: Json, visit: Visit, trusted: boolean): Json {
  if (!isObject(part)) return part
  for (const name of PART_TEXTS) {
    const text = part[name]
    if (typeof text === 'string') return { ...part, [name]: visit(text, trusted) }
  }
  return part
}

function overCall(call: Json, visit: Visit): Json {
  if (!isObject(call)) return call
  const { function: called } = call
  if (!isObject(called) || typeof called['arguments'] !== 'string') return call
  return { ...call, function: { ...called, arguments: visit(called['arguments'], true) } }
}
