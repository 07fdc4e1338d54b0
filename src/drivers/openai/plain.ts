import { isObject, type Json, type JsonObject } from '../../base/json.ts'

/** What a request that came in Anthropic's dialect says to Anthropic alone, at its messages, parts and
 *  tools. Strict servers of OpenAI's dialect refuse fields that they do not know. */
const ANTHROPIC_FIELDS: ReadonlySet<string> = new Set([
  'cache_control',
  'citations',
  'context',
  'is_error',
  'reasoning_content',
  'thinking_blocks',
])

/** The messages and tools of a body without them. */
export const plain = ({ messages, tools }: JsonObject): JsonObject => ({
  ...(messages === undefined ? {} : { messages: each(messages, withPlainParts) }),
  ...(tools === undefined ? {} : { tools: each(tools, known) }),
})

const withPlainParts = (message: JsonObject): JsonObject => {
  const { content } = message
  return known(Array.isArray(content) ? { ...message, content: each(content as readonly Json[], known) } : message)
}

const each = (list: Json, change: (one: JsonObject) => JsonObject): Json =>
  Array.isArray(list) ? (list as readonly Json[]).map((one) => (isObject(one) ? change(one) : one)) : list

const known = (one: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(one).filter(([field]) => !ANTHROPIC_FIELDS.has(field)))
