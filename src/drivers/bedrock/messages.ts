import { isObject, type Json, type JsonObject, parseJson } from '../../base/json.ts'

/** A conversation in OpenAI's messages as Converse's turns of blocks. Instructions stand apart, and what
 *  several messages of one side say is one turn: the results of tools that were called together must be
 *  in one. */

export interface Conversation {
  readonly system?: readonly JsonObject[]
  readonly messages: readonly JsonObject[]
}

/** A text says what cannot be put. */
export function readMessages(messages: Json | undefined): Conversation | string {
  const system: JsonObject[] = []
  const turns: { readonly role: string; readonly content: JsonObject[] }[] = []
  for (const [at, message] of listOf(messages).entries()) {
    const blocks = isObject(message) ? blocksOf(message) : 'is no object'
    if (typeof blocks === 'string') return `\`messages[${at}]\`: ${blocks}`
    if (blocks.length === 0) continue
    const said = isObject(message) ? message['role'] : undefined
    if (said === 'system' || said === 'developer') system.push(...blocks)
    else {
      const role = said === 'assistant' ? 'assistant' : 'user'
      if (turns.at(-1)?.role === role) turns.at(-1)?.content.push(...blocks)
      else turns.push({ role, content: blocks })
    }
  }
  return { ...(system.length === 0 ? {} : { system }), messages: turns }
}

function blocksOf(message: JsonObject): JsonObject[] | string {
  const { role, content, tool_call_id: id, is_error: failed } = message
  if (role === 'function') return 'has the role `function`; send `tool` in its place'
  const said = partsOf(content)
  if (typeof said === 'string') return said
  if (role === 'tool') {
    const status = failed === true ? { status: 'error' } : {}
    return [{ toolResult: { toolUseId: id ?? null, content: said, ...status } }]
  }
  if (role !== 'assistant') return said
  const calls: JsonObject[] = []
  for (const [at, call] of listOf(message['tool_calls']).entries()) {
    const block = isObject(call) ? callOf(call) : undefined
    if (block === undefined) return `\`tool_calls[${at}]\` is no call of a function with a JSON object`
    calls.push(block)
  }
  return [...thinkingOf(message['thinking_blocks']), ...said, ...calls]
}

/** Without its signature a thought is not taken back. */
function thinkingOf(blocks: Json | undefined): JsonObject[] {
  const taken: JsonObject[] = []
  for (const { type, thinking = '', signature, data = '' } of listOf(blocks).filter(isObject)) {
    if (type === 'redacted_thinking') taken.push({ reasoningContent: { redactedContent: data } })
    else if (typeof signature === 'string' && signature !== '')
      taken.push({ reasoningContent: { reasoningText: { text: thinking, signature } } })
  }
  return taken
}

const WITHIN = { bytesMax: 32 * 2 ** 20, depthMax: 64 }

function callOf({ id = null, function: called }: JsonObject): JsonObject | undefined {
  if (!isObject(called)) return undefined
  const { name = null, arguments: written = '' } = called
  const input = written === '' ? {} : typeof written === 'string' ? parseJson(Buffer.from(written), WITHIN) : undefined
  return isObject(input) ? { toolUse: { toolUseId: id, name, input } } : undefined
}

function partsOf(content: Json | undefined): JsonObject[] | string {
  if (typeof content === 'string') return content === '' ? [] : [{ text: content }]
  const blocks: JsonObject[] = []
  for (const [at, part] of listOf(content).entries()) {
    const block = isObject(part) ? blockOf(part, at) : 'is no object'
    if (typeof block === 'string') return `\`content[${at}]\` ${block}`
    // Empty texts are refused there, and say nothing.
    if (block['text'] !== '') blocks.push(block)
    if (isObject(part) && isObject(part['cache_control'])) blocks.push({ cachePoint: { type: 'default' } })
  }
  return blocks
}

function blockOf(part: JsonObject, at: number): JsonObject | string {
  const { type, text, refusal, image_url: image, file } = part
  if (type === 'text') return { text: text ?? '' }
  if (type === 'refusal') return { text: refusal ?? '' }
  if (type === 'image_url') {
    const url = isObject(image) ? image['url'] : image
    const inline = /^data:image\/(png|jpeg|gif|webp);base64,/.exec(typeof url === 'string' ? url : '')
    if (inline === null || typeof url !== 'string')
      return 'is no PNG, JPEG, GIF or WebP in a data URL, as it takes pictures'
    return { image: { format: inline[1] ?? '', source: { bytes: url.slice(inline[0].length) } } }
  }
  const data = isObject(file) ? file['file_data'] : undefined
  const inline = /^data:application\/pdf;base64,/.exec(typeof data === 'string' ? data : '')
  if (type !== 'file' || inline === null || typeof data !== 'string') return 'is no part that it reads'
  // Its names hold letters, digits and little else.
  return { document: { format: 'pdf', name: `file ${at}`, source: { bytes: data.slice(inline[0].length) } } }
}

const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? (value as readonly Json[]) : [])
