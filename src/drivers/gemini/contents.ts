import { isObject, type Json, type JsonObject, parseJson } from '../../base/json.ts'

/** A conversation in OpenAI's messages as Gemini's contents of parts. What several messages of one side say
 *  is one content; instructions stand apart. */

export interface Contents {
  readonly systemInstruction?: JsonObject
  readonly contents: readonly JsonObject[]
}

/** A text says what cannot be put. */
export function readContents(messages: Json | undefined): Contents | string {
  const system: JsonObject[] = []
  const turns: { readonly role: string; readonly parts: JsonObject[] }[] = []
  /** Names of the tools that were called: answers name the call alone. */
  const called = new Map<Json, Json>()
  for (const [at, message] of listOf(messages).entries()) {
    const parts = isObject(message) ? partsOf(message, called) : 'is no object'
    if (typeof parts === 'string') return `\`messages[${at}]\`: ${parts}`
    if (parts.length === 0) continue
    const role = isObject(message) ? message['role'] : undefined
    if (role === 'system' || role === 'developer') system.push(...parts)
    else {
      const side = role === 'assistant' ? 'model' : 'user'
      if (turns.at(-1)?.role === side) turns.at(-1)?.parts.push(...parts)
      else turns.push({ role: side, parts })
    }
  }
  return { ...(system.length === 0 ? {} : { systemInstruction: { parts: system } }), contents: turns }
}

function partsOf(message: JsonObject, called: Map<Json, Json>): JsonObject[] | string {
  const { role, content, tool_calls: calls, tool_call_id: id } = message
  if (role === 'function') return 'has the role `function`; send `tool` in its place'
  if (role === 'tool') {
    const name = called.get(id ?? null)
    if (name === undefined) return 'answers no call that was made before'
    return [{ functionResponse: { id: id ?? null, name, response: responseOf(content) } }]
  }
  const said = saidIn(content)
  if (typeof said === 'string' || role !== 'assistant') return said
  for (const [at, call] of listOf(calls).entries()) {
    const part = isObject(call) ? callOf(call, called) : undefined
    if (part === undefined) return `\`tool_calls[${at}]\` is no call of a function with a JSON object`
    said.push(part)
  }
  return said
}

/** With the signature of the thought that led to it, which Gemini 3 wants back: where Google's own OpenAI
 *  interface keeps it. */
function callOf(call: JsonObject, called: Map<Json, Json>): JsonObject | undefined {
  const { id = null, function: fn, extra_content: extra } = call
  if (!isObject(fn)) return undefined
  const { name = null, arguments: written = '' } = fn
  const args = written === '' ? {} : typeof written === 'string' ? parsed(written) : undefined
  if (!isObject(args)) return undefined
  called.set(id, name)
  const google = isObject(extra) ? extra['google'] : undefined
  const signature = isObject(google) ? google['thought_signature'] : undefined
  return {
    functionCall: { ...(id === null ? {} : { id }), name, args },
    ...(typeof signature === 'string' ? { thoughtSignature: signature } : {}),
  }
}

/** It must be an object. */
function responseOf(content: Json | undefined): JsonObject {
  const text =
    typeof content === 'string'
      ? content
      : listOf(content)
          .map((part) => (isObject(part) && typeof part['text'] === 'string' ? part['text'] : ''))
          .join('')
  const value = parsed(text)
  return isObject(value) ? value : { result: text }
}

function saidIn(content: Json | undefined): JsonObject[] | string {
  if (typeof content === 'string') return content === '' ? [] : [{ text: content }]
  const parts: JsonObject[] = []
  for (const [at, part] of listOf(content).entries()) {
    const read = isObject(part) ? partOf(part) : 'is no object'
    if (typeof read === 'string') return `\`content[${at}]\` ${read}`
    if (read['text'] !== '') parts.push(read)
  }
  return parts
}

function partOf(part: JsonObject): JsonObject | string {
  const { type, text, refusal, image_url: image, input_audio: audio, file } = part
  if (type === 'text') return { text: text ?? '' }
  if (type === 'refusal') return { text: refusal ?? '' }
  if (type === 'image_url') {
    const url = isObject(image) ? image['url'] : image
    return typeof url === 'string' ? mediaOf(url, 'image/jpeg') : 'is a picture without a URL'
  }
  if (type === 'input_audio' && isObject(audio) && typeof audio['data'] === 'string')
    return { inlineData: { mimeType: `audio/${String(audio['format'] ?? 'wav')}`, data: audio['data'] } }
  if (type === 'file' && isObject(file) && typeof file['file_data'] === 'string')
    return mediaOf(file['file_data'], 'application/pdf')
  return 'is no part that it reads'
}

function mediaOf(url: string, otherwise: string): JsonObject {
  const inline = /^data:([^;,]+);base64,/.exec(url)
  if (inline !== null) return { inlineData: { mimeType: inline[1] ?? otherwise, data: url.slice(inline[0].length) } }
  const ending = /\.([a-z0-9]{2,4})(?:[?#]|$)/i.exec(url)?.[1]?.toLowerCase() ?? ''
  return { fileData: { mimeType: TYPES[ending] ?? otherwise, fileUri: url } }
}

const TYPES: { readonly [ending: string]: string } = {
  png: 'image/png',
  webp: 'image/webp',
  heic: 'image/heic',
  pdf: 'application/pdf',
}

const WITHIN = { bytesMax: 32 * 2 ** 20, depthMax: 64 }
const parsed = (text: string): unknown => parseJson(Buffer.from(text), WITHIN)

const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? (value as readonly Json[]) : [])
