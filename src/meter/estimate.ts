import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { BYTES, type TextTokenizer } from './tokenizer/tokenizer.ts'

/** Our own token count, for calls whose engine reports none: by the deployment's tokenizer, else by
 *  four UTF-8 bytes a token. The result is always marked `estimated`. */

/** What a chat template adds to a message: role and separators. */
const TOKENS_PER_MESSAGE = 4

export const estimateTextTokens = (text: string, tokenizer: TextTokenizer = BYTES): number => tokenizer.count(text)

/** The input of a chat completion body. */
export function estimateInputTokens(body: JsonObject, tokenizer: TextTokenizer = BYTES): number {
  const messages = Array.isArray(body['messages']) ? (body['messages'] as readonly Json[]) : []
  let tokens = body['tools'] === undefined ? 0 : tokenizer.count(JSON.stringify(body['tools']))
  for (const message of messages) {
    tokens += TOKENS_PER_MESSAGE
    if (!isObject(message)) continue
    tokens += tokenizer.count(textOf(message['content']))
    if (message['tool_calls'] !== undefined) tokens += tokenizer.count(JSON.stringify(message['tool_calls']))
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
export const estimateOutputTokens = (frame: JsonObject, tokenizer: TextTokenizer = BYTES): number =>
  tokenizer.count(outputText(frame))

/** What a model writes to call tools; ids and indexes are the engine's. */
function callText(calls: Json | undefined): string {
  if (!Array.isArray(calls)) return ''
  let text = ''
  for (const call of calls as readonly Json[]) {
    const called = isObject(call) ? (call['function'] ?? call['custom']) : undefined
    if (!isObject(called)) continue
    for (const name of ['name', 'arguments', 'input'] as const) {
      const value = called[name]
      if (typeof value === 'string') text += value
    }
  }
  return text
}

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
    text += callText(part['tool_calls'])
  }
  return text
}
