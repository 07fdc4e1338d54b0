import { Refusal } from '../../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { invalid } from './fields.ts'

/** Anthropic's turns of blocks as OpenAI's messages. What blocks say beside their content stays with
 *  them, so that an engine of Anthropic's dialect is told all of it. */

/** `field`: as in `messages[3]`. */
export function messagesOf(turn: Json, field: string): JsonObject[] | Refusal {
  if (!isObject(turn)) return invalid(field, 'must be an object', SHAPE)
  const { role, content } = turn
  if (role === 'system') return systemOf(content ?? null, `${field}.content`)
  if (role !== 'user' && role !== 'assistant')
    return invalid(`${field}.role`, 'must be "user", "assistant" or "system"', SHAPE)
  if (typeof content === 'string') return [{ role, content }]
  const blocks = blocksOf(content ?? null, `${field}.content`)
  if (blocks instanceof Refusal) return blocks
  return role === 'user' ? userMessages(blocks, field) : assistantMessages(blocks, field)
}

/** Instructions: a text, or blocks of it. */
export function systemOf(system: Json, field: string): JsonObject[] | Refusal {
  if (typeof system === 'string') return [{ role: 'system', content: system }]
  const blocks = blocksOf(system, field)
  if (blocks instanceof Refusal) return blocks
  const at = blocks.findIndex((block) => block['type'] !== 'text' || typeof block['text'] !== 'string')
  return at < 0 ? [{ role: 'system', content: blocks }] : invalid(`${field}[${at}]`, 'must be a block of text', SHAPE)
}

const SHAPE = 'See the reference of the Messages API for the shape of a message.'

function blocksOf(content: Json, field: string): readonly JsonObject[] | Refusal {
  if (!Array.isArray(content)) return invalid(field, 'must be a string or an array of blocks', SHAPE)
  const at = (content as readonly Json[]).findIndex((block) => !isObject(block) || typeof block['type'] !== 'string')
  return at < 0 ? (content as readonly JsonObject[]) : invalid(`${field}[${at}]`, 'must have a `type`', SHAPE)
}

/** The result of each tool is a message of its own. */
function userMessages(blocks: readonly JsonObject[], field: string): JsonObject[] | Refusal {
  const messages: JsonObject[] = []
  let parts: JsonObject[] = []
  const flush = (): void => {
    if (parts.length > 0) messages.push({ role: 'user', content: parts })
    parts = []
  }
  for (const [at, block] of blocks.entries()) {
    const place = `${field}.content[${at}]`
    if (block['type'] !== 'tool_result') {
      const part = partOf(block, place)
      if (part instanceof Refusal) return part
      parts.push(part)
      continue
    }
    flush()
    const { type: _, tool_use_id: id, content = '', ...more } = block
    if (typeof id !== 'string') return invalid(`${place}.tool_use_id`, 'must name a call', SHAPE)
    const result = typeof content === 'string' ? content : partsOf(content, `${place}.content`)
    if (result instanceof Refusal) return result
    messages.push({ role: 'tool', tool_call_id: id, content: result, ...more })
  }
  flush()
  return messages
}

function partsOf(content: Json, field: string): JsonObject[] | Refusal {
  const blocks = blocksOf(content, field)
  if (blocks instanceof Refusal) return blocks
  const parts: JsonObject[] = []
  for (const [at, block] of blocks.entries()) {
    const part = partOf(block, `${field}[${at}]`)
    if (part instanceof Refusal) return part
    parts.push(part)
  }
  return parts
}

function partOf(block: JsonObject, field: string): JsonObject | Refusal {
  const { type, source, title, ...more } = block
  if (type === 'text' && typeof block['text'] === 'string') return block
  if (type !== 'image' && type !== 'document') return unknown(block, field)
  const { type: kind, media_type: media, data, url } = isObject(source) ? source : {}
  const isInline = kind === 'base64' && typeof media === 'string' && typeof data === 'string'
  const inline = isInline ? `data:${media};base64,${data}` : undefined
  if (type === 'image') {
    const place = inline ?? (kind === 'url' && typeof url === 'string' ? url : undefined)
    if (place !== undefined) return { type: 'image_url', image_url: { url: place }, ...more }
    return invalid(`${field}.source`, 'must be of the type "base64" or "url"', SHAPE)
  }
  if (inline === undefined)
    return invalid(`${field}.source`, 'must be of the type "base64"', 'Send the document itself.')
  const file = { file_data: inline, ...(typeof title === 'string' ? { filename: title } : {}) }
  return { type: 'file', file, ...more }
}

/** Thoughts, then texts, then calls: of their order among each other nothing is kept. */
function assistantMessages(blocks: readonly JsonObject[], field: string): JsonObject[] | Refusal {
  const texts: JsonObject[] = []
  const thinking: JsonObject[] = []
  const calls: JsonObject[] = []
  for (const [at, block] of blocks.entries()) {
    const { type, id, name, input, ...more } = block
    if (type === 'text' && typeof block['text'] === 'string') texts.push(block)
    else if (type === 'thinking' || type === 'redacted_thinking') thinking.push(block)
    else if (type !== 'tool_use') return unknown(block, `${field}.content[${at}]`)
    else if (typeof id !== 'string' || typeof name !== 'string' || !isObject(input))
      return invalid(`${field}.content[${at}]`, 'must have an `id`, a `name` and an `input`', SHAPE)
    else calls.push({ id, type: 'function', function: { name, arguments: JSON.stringify(input) }, ...more })
  }
  const thoughts = thinking.map((block) => (typeof block['thinking'] === 'string' ? block['thinking'] : '')).join('')
  const message = {
    role: 'assistant',
    content: contentOf(texts),
    ...(thoughts === '' ? {} : { reasoning_content: thoughts }),
    ...(thinking.length === 0 ? {} : { thinking_blocks: thinking }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  }
  return blocks.length === 0 ? [] : [message]
}

/** Not every chat template reads an assistant's parts. */
function contentOf(texts: readonly JsonObject[]): Json {
  const [first, ...others] = texts
  if (first === undefined) return null
  return others.length === 0 && Object.keys(first).length === 2 ? (first['text'] ?? null) : texts
}

const unknown = ({ type }: JsonObject, field: string): Refusal =>
  invalid(
    field,
    `is a block of the type ${JSON.stringify(type)}, which cannot stand here`,
    'Send text, images, documents, tool calls and their results.',
  )
