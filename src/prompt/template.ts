import { hash } from 'node:crypto'
import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'

/** What a prompt says: messages with places for variables, and what may stand in them. */
export interface Template {
  readonly messages: readonly TemplateMessage[]
  readonly variables: { readonly [name: string]: Variable }
  /** Fields of a chat completion that a request has unless it says otherwise: `temperature` and the like. */
  readonly settings: JsonObject
}

interface TemplateMessage {
  readonly role: string
  /** `{{name}}` is a variable; `{{{{` stands for two braces. */
  readonly content: string
}

export interface Variable {
  readonly type: 'string' | 'number' | 'integer' | 'boolean'
  readonly required: boolean
  readonly default?: string | number | boolean
  /** Nothing else may be said. */
  readonly enum?: readonly (string | number | boolean)[]
  /** Of a text, in UTF-16 units. */
  readonly maxLength: number
  readonly description?: string
}

const ROLES = ['system', 'developer', 'user', 'assistant']
const MESSAGES_MAX = 64
const CONTENT_CHARS_MAX = 200_000
const VARIABLES_MAX = 64
const VALUE_CHARS_MAX = 100_000
const TYPES = ['string', 'number', 'integer', 'boolean']
/** What a prompt must not decide: who is called, how an answer travels, and what is counted. */
const RESERVED = new Set([
  'max_tokens',
  'max_completion_tokens',
  'messages',
  'model',
  'stream',
  'stream_options',
  'n',
  'user',
  'metadata',
  'prompt',
])
const PLACE = /\{\{\{\{|\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}/g

/** Reads what somebody sends. Variables that are placed and not described are texts that must be given. */
export function readTemplate(given: Json): Template | Refusal {
  if (!isObject(given))
    return wrong('body', 'must be an object', 'Send {"messages": [{"role": "system", "content": ...}]}.')
  const { messages: listed, variables: described = {}, settings = {} } = given
  if (!Array.isArray(listed) || listed.length === 0 || listed.length > MESSAGES_MAX)
    return wrong(
      'messages',
      `must be an array of 1 to ${MESSAGES_MAX}`,
      'Send {"role": "system", "content": "You are ..."}.',
    )
  const messages: TemplateMessage[] = []
  for (const [at, one] of (listed as readonly Json[]).entries()) {
    const { role, content } = isObject(one) ? one : {}
    if (typeof role !== 'string' || !ROLES.includes(role))
      return wrong(`messages[${at}].role`, `must be one of ${ROLES.join(', ')}`, 'Say who speaks.')
    if (typeof content !== 'string' || content === '' || content.length > CONTENT_CHARS_MAX)
      return wrong(`messages[${at}].content`, `must be a text of 1 to ${CONTENT_CHARS_MAX} characters`, 'Send text.')
    messages.push({ role, content })
  }
  if (!isObject(settings)) return wrong('settings', 'must be an object', 'Send {"temperature": 0.2}, or leave it out.')
  const reserved = Object.keys(settings).find((name) => RESERVED.has(name))
  if (reserved !== undefined) return wrong(`settings.${reserved}`, 'is not for a prompt to say', 'Leave it out.')
  const variables = readVariables(described, messages)
  return variables instanceof Refusal ? variables : { messages, variables, settings }
}

function readVariables(
  described: Json | undefined,
  messages: readonly TemplateMessage[],
): Template['variables'] | Refusal {
  if (!isObject(described)) return wrong('variables', 'must be an object', 'Send {"name": {"type": "string"}}.')
  const placed = new Set(messages.flatMap(({ content }) => placesOf(content)))
  const variables: { [name: string]: Variable } = {}
  for (const [name, one] of Object.entries(described)) {
    if (!placed.has(name))
      return wrong(`variables.${name}`, 'stands in no message', `Write {{${name}}} where it belongs.`)
    const read = readVariable(name, one)
    if (read instanceof Refusal) return read
    variables[name] = read
  }
  for (const name of placed) variables[name] ??= { type: 'string', required: true, maxLength: VALUE_CHARS_MAX }
  if (Object.keys(variables).length > VARIABLES_MAX)
    return wrong('variables', `are more than ${VARIABLES_MAX}`, 'Join some of them.')
  return variables
}

function readVariable(name: string, given: Json | undefined): Variable | Refusal {
  const field = `variables.${name}`
  if (!isObject(given)) return wrong(field, 'must be an object', 'Send {"type": "string"}.')
  const {
    type = 'string',
    required,
    default: fallback,
    enum: options,
    maxLength = VALUE_CHARS_MAX,
    description,
  } = given
  if (typeof type !== 'string' || !TYPES.includes(type))
    return wrong(`${field}.type`, `must be one of ${TYPES.join(', ')}`, 'Leave it out for a text.')
  if (typeof maxLength !== 'number' || !Number.isInteger(maxLength) || maxLength < 1 || maxLength > VALUE_CHARS_MAX)
    return wrong(
      `${field}.maxLength`,
      `must be a whole number from 1 to ${VALUE_CHARS_MAX}`,
      'Leave it out for the most.',
    )
  if (required !== undefined && typeof required !== 'boolean')
    return wrong(`${field}.required`, 'must be true or false', 'Leave it out.')
  const listed =
    options === undefined || options === null ? undefined : Array.isArray(options) ? (options as readonly Json[]) : []
  if (listed?.length === 0 || listed?.some((one) => typeof one === 'object') === true)
    return wrong(`${field}.enum`, 'must be an array of values', 'List what may be said.')
  const variable: Variable = {
    type: type as Variable['type'],
    required: required ?? (fallback === undefined || fallback === null),
    maxLength,
    ...(listed === undefined ? {} : { enum: listed as readonly (string | number | boolean)[] }),
    ...(typeof description === 'string' ? { description } : {}),
  }
  if (fallback === undefined || fallback === null) return variable
  const problem = problemOf(variable, fallback)
  if (problem !== undefined) return wrong(`${field}.default`, problem, 'Give it a value that may be said.')
  return { ...variable, default: fallback as string | number | boolean }
}

/** The messages with their variables said. A value is text and stays text: it never becomes a message of its
 *  own, and what looks like a place in it is none. */
export function render({ messages, variables }: Template, given: JsonObject): readonly TemplateMessage[] | Refusal {
  const stranger = Object.keys(given).find((name) => !(name in variables))
  if (stranger !== undefined)
    return wrong(
      `prompt.variables.${stranger.slice(0, 64)}`,
      'is no variable of this prompt',
      `It has ${Object.keys(variables).join(', ') || 'none'}.`,
    )
  const said = new Map<string, string>()
  for (const [name, variable] of Object.entries(variables)) {
    const value = given[name] ?? variable.default
    if (value === undefined) {
      if (variable.required) return wrong(`prompt.variables.${name}`, 'is missing', 'Send it: this prompt needs it.')
      said.set(name, '')
      continue
    }
    const problem = problemOf(variable, value)
    if (problem !== undefined) return wrong(`prompt.variables.${name}`, problem, 'Send what the prompt takes.')
    said.set(name, String(value))
  }
  return messages.map(({ role, content }) => ({
    role,
    content: content.replace(PLACE, (place, name: string | undefined) =>
      name === undefined ? '{{' : (said.get(name) ?? place),
    ),
  }))
}

function problemOf({ type, enum: options, maxLength }: Variable, value: Json): string | undefined {
  if (type === 'integer' ? !Number.isSafeInteger(value) : typeof value !== type)
    return `must be ${type === 'integer' ? 'a whole number' : `a ${type}`}`
  if (typeof value === 'string' && value.length > maxLength) return `has more than ${maxLength} characters`
  return options !== undefined && !options.some((one) => one === value)
    ? `must be one of ${options.map(String).join(', ')}`
    : undefined
}

const placesOf = (content: string): string[] => [...content.matchAll(PLACE)].flatMap(([, name]) => name ?? [])

/** The same template has the same hash, whoever sends it. */
export const hashOf = ({ messages, variables, settings }: Template): string =>
  hash('sha256', JSON.stringify([messages, sorted(variables as unknown as Json), sorted(settings)]), 'hex').slice(0, 16)

function sorted(value: Json | undefined): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(sorted)
  if (!isObject(value)) return value ?? null
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, sorted(value[name])]),
  )
}

/** As people read it and differences are shown. */
export function textOf({ messages, variables, settings }: Template): string {
  const lines = messages.flatMap(({ role, content }) => [`[${role}]`, ...content.split('\n'), ''])
  const described = Object.entries(variables).map(
    ([name, one]) => `${name}: ${JSON.stringify(sorted(one as unknown as Json))}`,
  )
  const set = Object.entries(settings).map(([name, one]) => `${name}: ${JSON.stringify(sorted(one))}`)
  return [...lines, '[variables]', ...described.sort(), '', '[settings]', ...set.sort(), ''].join('\n')
}

const wrong = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
