import { isObject, type Json, type JsonObject } from '../base/json.ts'

/** Our own token count, for calls whose engine reports none. Four UTF-8 bytes a token is the
 *  usual average of byte-pair encodings on English; the result is always marked `estimated`. */
const BYTES_PER_TOKEN = 4

/** What a chat template adds to a message: role and separators. */
const TOKENS_PER_MESSAGE = 4

export const estimateTextTokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN)

/** The input of a chat completion body. */
export function estimateInputTokens(body: JsonObject): number {
  const messages = Array.isArray(body['messages']) ? (body['messages'] as readonly Json[]) : []
  let tokens = 0
  for (const message of messages) {
    tokens += TOKENS_PER_MESSAGE + (isObject(message) ? estimateTextTokens(textOf(message['content'])) : 0)
  }
  return tokens
}

/** The text of a message's content, whether a string or parts. */
export function textOf(content: Json | undefined): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return (content as readonly Json[])
    .map((part) => (isObject(part) && typeof part['text'] === 'string' ? part['text'] : ''))
    .filter((text) => text !== '')
    .join('\n')
}

/** What a frame of an answer comes to, whole or chunk, all choices together. */
export const estimateOutputTokens = (frame: JsonObject): number => estimateTextTokens(outputText(frame))

function outputText(frame: JsonObject): string {
  const choices = frame['choices']
  if (!Array.isArray(choices)) return ''
  let text = ''
  for (const choice of choices as readonly Json[]) {
    if (!isObject(choice)) continue
    const part = choice['delta'] ?? choice['message']
    if (!isObject(part)) continue
    for (const name of ['content', 'reasoning_content', 'refusal'] as const) {
      const value = part[name]
      if (typeof value === 'string') text += value
    }
    if (part['tool_calls'] !== undefined) text += JSON.stringify(part['tool_calls'])
  }
  return text
}
