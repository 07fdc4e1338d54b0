import { isObject, type Json, type JsonObject, parseJson } from '../../base/json.ts'

/** A conversation in OpenAI's messages as Anthropic's turns of blocks.
 *
 *  Instructions stand before the conversation, wherever they stood. What several messages of one side
 *  say is one turn: the results of tools that were called together must be in one. */

interface Conversation {
  readonly system?: readonly JsonObject[]
  readonly messages: readonly JsonObject[]
}

/** A text says what cannot be put. */
export function readMessages(messages: Json | undefined): (Conversation & JsonObject) | string {
  const system: JsonObject[] = []
  const turns: { readonly role: string; readonly content: JsonObject[] }[] = []
  for (const [at, message] of (Array.isArray(messages) ? (messages as readonly Json[]) : []).entries()) {
    const blocks = isObject(message) ? blocksOf(message) : 'is no object'
    if (typeof blocks === 'string') return `\`messages[${at}]\`: ${blocks}`
    if (blocks.length === 0) continue
    const role = roleOf(message)
    if (role === 'system') system.push(...blocks)
    else if (turns.at(-1)?.role === role) turns.at(-1)?.content.push(...blocks)
    else turns.push({ role, content: blocks })
  }
  return { ...(system.length === 0 ? {} : { system }), messages: turns }
}

function roleOf(message: Json): 'system' | 'assistant' | 'user' {
  const role = isObject(message) ? message['role'] : undefined
  if (role === 'system' || role === 'developer') return 'system'
  return role === 'assistant' ? 'assistant' : 'user'
}

function blocksOf(message: JsonObject): JsonObject[] | string {
  const { role, content, tool_call_id: id, name: _, ...more } = message
  if (role === 'function') return 'has the role `function`; send `tool` in its place'
  const said = partsOf(content)
  if (typeof said === 'string') return said
  if (role === 'tool') {
    const result = typeof content === 'string' ? content : said
    return [{ ...more, type: 'tool_result', tool_use_id: id ?? null, content: result }]
  }
  if (role !== 'assistant') return said
  const calls = callsOf(message['tool_calls'])
  if (typeof calls === 'string') return calls
  return [...thinkingOf(message['thinking_blocks']), ...said, ...calls]
}

/** Without its signature a thought is not taken back. */
function thinkingOf(blocks: Json | undefined): JsonObject[] {
  const listed = Array.isArray(blocks) ? (blocks as readonly Json[]).filter(isObject) : []
  return listed.filter(({ type, signature }) => type === 'redacted_thinking' || (signature ?? '') !== '')
}

function callsOf(calls: Json | undefined): JsonObject[] | string {
  const blocks: JsonObject[] = []
  for (const [at, call] of (Array.isArray(calls) ? (calls as readonly Json[]) : []).entries()) {
    if (!isObject(call) || !isObject(call['function'])) return `\`tool_calls[${at}]\` is no call of a function`
    const { id, type: _, index: _place, function: called, ...more } = call
    const input = argumentsOf(called['arguments'])
    if (input === undefined) return `\`tool_calls[${at}]\` has arguments that are no JSON object`
    blocks.push({ ...more, type: 'tool_use', id: id ?? null, name: called['name'] ?? null, input })
  }
  return blocks
}

const ARGUMENTS = { bytesMax: 32 * 1024 * 1024, depthMax: 64 }

function argumentsOf(text: Json | undefined): JsonObject | undefined {
  if (text === undefined || text === null || text === '') return {}
  const value = typeof text === 'string' ? parseJson(Buffer.from(text), ARGUMENTS) : undefined
  return isObject(value) ? value : undefined
}

function partsOf(content: Json | undefined): JsonObject[] | string {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }]
  const blocks: JsonObject[] = []
  for (const [at, part] of (Array.isArray(content) ? (content as readonly Json[]) : []).entries()) {
    const block = isObject(part) ? blockOf(part) : 'is no object'
    if (typeof block === 'string') return `\`content[${at}]\` ${block}`
    // Empty texts are refused there, and say nothing.
    if (block['type'] !== 'text' || block['text'] !== '') blocks.push(block)
  }
  return blocks
}

/** Blocks of neither dialect pass through. */
function blockOf(part: JsonObject): JsonObject | string {
  const { type, image_url: image, file, refusal, ...more } = part
  if (type === 'refusal') return { ...more, type: 'text', text: refusal ?? '' }
  if (type === 'input_audio') return 'is sound, which it does not hear'
  if (type === 'image_url') {
    const url = isObject(image) ? image['url'] : image
    return typeof url === 'string' ? { ...more, type: 'image', source: sourceOf(url) } : 'is a picture without a URL'
  }
  if (type !== 'file') return part
  const { file_data: data, filename } = isObject(file) ? file : {}
  if (typeof data !== 'string') return 'is a file without its content'
  return {
    ...more,
    type: 'document',
    source: sourceOf(data),
    ...(typeof filename === 'string' ? { title: filename } : {}),
  }
}

function sourceOf(url: string): JsonObject {
  const inline = /^data:([^;,]+);base64,/.exec(url)
  if (inline === null) return { type: 'url', url }
  return { type: 'base64', media_type: inline[1] ?? '', data: url.slice(inline[0].length) }
}
