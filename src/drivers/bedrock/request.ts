import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { ChatCall } from '../../engine/port.ts'
import { readMessages } from './messages.ts'

/** OpenAI's chat completion body as one of Converse; a text says why there is none. What only Bedrock knows is
 *  said in `bedrock`, which is laid over the rest: `{"bedrock": {"guardrailConfig": {...}}}`. */
export function converseBody({ body, outputTokensMax }: ChatCall): JsonObject | string {
  const { n, logprobs, functions, audio, response_format: format, bedrock } = body
  if (typeof n === 'number' && n > 1) return '`n`: it gives one answer to a request'
  if (logprobs === true) return '`logprobs`: it tells no probabilities'
  if (Array.isArray(functions)) return '`functions`: send `tools` in their place'
  if (isObject(audio)) return '`audio`: it does not speak'
  if (isObject(format) && format['type'] !== 'text') return '`response_format`: it takes no schema; ask for a tool'
  const said = readMessages(body['messages'])
  if (typeof said === 'string') return said
  const tools = readTools(body['tools'] ?? null)
  if (typeof tools === 'string') return tools
  const own = isObject(bedrock) ? bedrock : {}
  const ownConfig = isObject(own['inferenceConfig']) ? own['inferenceConfig'] : {}
  return {
    ...said,
    ...(tools.length === 0 ? {} : { toolConfig: { tools, ...choiceOf(body['tool_choice'] ?? null) } }),
    ...own,
    // The cap is the house's.
    inferenceConfig: { ...configOf(body), ...ownConfig, maxTokens: outputTokensMax },
  }
}

function configOf({ temperature, top_p: topP, stop }: JsonObject): JsonObject {
  return {
    ...(typeof temperature === 'number' ? { temperature } : {}),
    ...(typeof topP === 'number' ? { topP } : {}),
    ...(stop === undefined || stop === null ? {} : { stopSequences: typeof stop === 'string' ? [stop] : stop }),
  }
}

function readTools(tools: Json): JsonObject[] | string {
  if (tools === null) return []
  if (!Array.isArray(tools)) return '`tools` must be an array'
  const read: JsonObject[] = []
  for (const [at, tool] of (tools as readonly Json[]).entries()) {
    const called = isObject(tool) ? tool['function'] : undefined
    if (!isObject(called)) return `\`tools[${at}]\`: only functions can be called`
    const { name = null, description, parameters } = called
    const json = parameters ?? { type: 'object', properties: {} }
    const described = typeof description === 'string' && description !== '' ? { description } : {}
    read.push({ toolSpec: { name, ...described, inputSchema: { json } } })
  }
  return read
}

/** That none be called it has no word for: the model then decides. */
function choiceOf(choice: Json): JsonObject {
  const named = isObject(choice) && isObject(choice['function']) ? choice['function']['name'] : undefined
  if (typeof named === 'string') return { toolChoice: { tool: { name: named } } }
  return choice === 'required' ? { toolChoice: { any: {} } } : {}
}
