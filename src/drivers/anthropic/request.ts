import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { ChatCall } from '../../engine/port.ts'
import { readMessages } from './messages.ts'

/** OpenAI's chat completion body as one of the Messages API; a text says why there is none.
 *
 *  What would change the shape of the answer and has no counterpart is refused. Wishes that have none
 *  are left out: seeds, penalties, biases. Fields of neither dialect pass through. */
export function messagesBody(call: ChatCall): JsonObject | string {
  const {
    model: _model,
    stream: _stream,
    messages: said,
    tools,
    tool_choice: choice,
    parallel_tool_calls: parallel,
    stop,
    user,
    safety_identifier: caller,
    metadata,
    response_format: format,
    reasoning_effort: effort,
    anthropic,
    ...others
  } = call.body
  const refused = unsayable(call.body)
  if (refused !== undefined) return refused
  const messages = readMessages(said)
  if (typeof messages === 'string') return messages
  const listed = tools === undefined || tools === null ? [] : readTools(tools)
  if (typeof listed === 'string') return listed
  const config = configOf(format ?? null, effort ?? null)
  if (typeof config === 'string') return config
  const own = isObject(anthropic) ? anthropic : {}
  const output = { ...config, ...(isObject(own['output_config']) ? own['output_config'] : {}) }
  const rest = Object.entries(others).filter(([field, value]) => value !== null && !LEFT_OUT.has(field))
  const userId = isObject(metadata) ? (metadata['user_id'] ?? user ?? caller) : (user ?? caller)
  const chosen = listed.length === 0 ? undefined : choiceOf(choice ?? null, parallel !== false)
  return {
    ...(effort === 'none' ? { thinking: { type: 'disabled' } } : {}),
    ...Object.fromEntries(rest),
    ...own,
    model: call.model,
    max_tokens: call.outputTokensMax,
    stream: call.stream,
    ...messages,
    ...(listed.length === 0 ? {} : { tools: listed }),
    ...(chosen === undefined ? {} : { tool_choice: chosen }),
    ...(stop === undefined || stop === null ? {} : { stop_sequences: typeof stop === 'string' ? [stop] : stop }),
    ...(typeof userId === 'string' ? { metadata: { user_id: userId } } : {}),
    ...(Object.keys(output).length === 0 ? {} : { output_config: output }),
  }
}

/** Fields of OpenAI's that this API refuses to be sent, and can do without. */
// oxfmt-ignore
const LEFT_OUT: ReadonlySet<string> = new Set([
  'max_tokens', 'max_completion_tokens', 'stream_options', 'n', 'seed', 'logprobs', 'top_logprobs', 'logit_bias',
  'presence_penalty', 'frequency_penalty', 'repetition_penalty', 'store', 'service_tier', 'prompt_cache_key',
  'prompt_cache_retention', 'modalities', 'verbosity', 'prediction',
])

function unsayable({ n, logprobs, functions, audio }: JsonObject): string | undefined {
  if (typeof n === 'number' && n > 1) return '`n`: it gives one answer to a request'
  if (logprobs === true) return '`logprobs`: it tells no probabilities'
  if (Array.isArray(functions)) return '`functions`: send `tools` in their place'
  if (isObject(audio)) return '`audio`: it does not speak'
  return undefined
}

function readTools(tools: Json): JsonObject[] | string {
  if (!Array.isArray(tools)) return '`tools` must be an array'
  const read: JsonObject[] = []
  for (const [at, tool] of (tools as readonly Json[]).entries()) {
    if (!isObject(tool) || !isObject(tool['function'])) return `\`tools[${at}]\`: only functions can be called`
    const { type: _, function: called, ...more } = tool
    const { parameters, ...described } = called
    read.push({ ...described, input_schema: parameters ?? { type: 'object', properties: {} }, ...more })
  }
  return read
}

const CHOICES: { readonly [choice: string]: string } = { auto: 'auto', required: 'any', none: 'none' }

function choiceOf(choice: Json, parallel: boolean): JsonObject | undefined {
  const alone = parallel ? {} : { disable_parallel_tool_use: true }
  if (isObject(choice) && isObject(choice['function']))
    return { type: 'tool', name: choice['function']['name'] ?? null, ...alone }
  const type = CHOICES[String(choice)]
  if (type === 'none') return { type }
  return type === undefined && parallel ? undefined : { type: type ?? 'auto', ...alone }
}

function configOf(format: Json, effort: Json): JsonObject | string {
  const config: { format?: JsonObject; effort?: string } = {}
  if (isObject(format) && format['type'] !== 'text') {
    const asked = format['json_schema']
    if (!isObject(asked) || !isObject(asked['schema']))
      return '`response_format`: it takes a JSON schema; send {"type": "json_schema", "json_schema": {"schema": ...}}'
    config.format = { type: 'json_schema', schema: asked['schema'] }
  }
  if (typeof effort === 'string' && effort !== 'none') config.effort = effort === 'minimal' ? 'low' : effort
  return config
}
