import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { ChatCall } from '../../engine/port.ts'
import { readContents } from './contents.ts'

/** OpenAI's chat completion body as one of `generateContent`; a text says why there is none. What only Gemini
 *  knows is said in `google`, which is laid over the rest: `{"google": {"safetySettings": [...]}}`. */
export function generateBody(call: ChatCall): JsonObject | string {
  const { body } = call
  const said = readContents(body['messages'])
  if (typeof said === 'string') return said
  if (isObject(body['audio'])) return '`audio`: it does not speak here'
  if (Array.isArray(body['functions'])) return '`functions`: send `tools` in their place'
  const tools = readTools(body['tools'] ?? null)
  if (typeof tools === 'string') return tools
  const generated = configOf(call)
  if (typeof generated === 'string') return generated
  const own = isObject(body['google']) ? body['google'] : {}
  const ownConfig = isObject(own['generationConfig']) ? own['generationConfig'] : {}
  return {
    ...said,
    ...(tools.length === 0 ? {} : { tools: [{ functionDeclarations: tools }] }),
    ...(tools.length === 0 ? {} : choiceOf(body['tool_choice'] ?? null)),
    ...own,
    // The cap is the house's.
    generationConfig: { ...generated, ...ownConfig, maxOutputTokens: call.outputTokensMax },
  }
}

// What the two call the same.
// oxfmt-ignore
const SAME: readonly (readonly [ours: string, theirs: string])[] = [
  ['temperature', 'temperature'],
  ['top_p', 'topP'],
  ['top_k', 'topK'],
  ['n', 'candidateCount'],
  ['seed', 'seed'],
  ['presence_penalty', 'presencePenalty'],
  ['frequency_penalty', 'frequencyPenalty'],
]

/** As Google's own OpenAI interface translates them. */
const THINKING_TOKENS: { readonly [effort: string]: number } = {
  none: 0,
  minimal: 1_024,
  low: 1_024,
  medium: 8_192,
  high: 24_576,
}

function configOf({ body }: ChatCall): JsonObject | string {
  const { stop, response_format: format, reasoning_effort: effort, logprobs } = body
  if (logprobs === true) return '`logprobs`: it tells them in a shape of its own'
  const tokens = typeof effort === 'string' ? THINKING_TOKENS[effort] : undefined
  return {
    ...Object.fromEntries(
      SAME.flatMap(([ours, theirs]) => {
        const value = body[ours]
        return value === undefined || value === null ? [] : [[theirs, value] as const]
      }),
    ),
    ...(stop === undefined || stop === null ? {} : { stopSequences: typeof stop === 'string' ? [stop] : stop }),
    ...formatOf(format ?? null),
    ...(tokens === undefined ? {} : { thinkingConfig: { thinkingBudget: tokens, includeThoughts: tokens > 0 } }),
  }
}

function formatOf(format: Json): JsonObject {
  if (!isObject(format) || format['type'] === 'text') return {}
  const asked = format['json_schema']
  const schema = isObject(asked) ? asked['schema'] : undefined
  return {
    responseMimeType: 'application/json',
    ...(isObject(schema) ? { responseJsonSchema: schema } : {}),
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
    read.push({
      name,
      ...(description === undefined ? {} : { description }),
      ...(isObject(parameters) ? { parametersJsonSchema: parameters } : {}),
    })
  }
  return read
}

const MODES: { readonly [choice: string]: string } = { auto: 'AUTO', required: 'ANY', none: 'NONE' }

function choiceOf(choice: Json): JsonObject {
  const named = isObject(choice) && isObject(choice['function']) ? choice['function']['name'] : undefined
  const mode = typeof named === 'string' ? 'ANY' : MODES[String(choice)]
  if (mode === undefined) return {}
  const allowed = typeof named === 'string' ? { allowedFunctionNames: [named] } : {}
  return { toolConfig: { functionCallingConfig: { mode, ...allowed } } }
}
