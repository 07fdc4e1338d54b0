import { fault } from '../../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { textOf } from '../../meter/estimate.ts'
import { LinkFilter, type LinkRules } from './links.ts'
import type { WorkflowPolicy } from './spec.ts'

/** What may pass between a workflow's caller and its model, whatever the documents say. A model that
 *  was talked over by a document is taken for an attacker: all it can do is write text, without
 *  links that are not in the sources, and call tools where the policy lets it. */

/** Fields of a request that offer a model something to act with. */
const TOOL_FIELDS = ['tools', 'tool_choice', 'parallel_tool_calls'] as const
/** Not passed on under any policy: what a provider would act on by itself. */
const ACTING_FIELDS = [
  'functions',
  'function_call',
  'web_search_options',
  'plugins',
  'mcp_servers',
  'modalities',
  'audio',
] as const
/** The same in what is passed on to engines of Anthropic's dialect. */
const ANTHROPIC_ACTING_FIELDS = ['mcp_servers', 'container', 'context_management'] as const

export interface Offered {
  readonly body: JsonObject
  /** Names of the tools the model may call. */
  readonly tools: ReadonlySet<string>
  /** Tools that the caller offered and the policy kept back. */
  readonly withheld: number
}

/** The caller's body without what the policy does not let the model have. Throws a `Fault`
 *  (`field_invalid`) where the caller insists on it. */
export function offer(given: JsonObject, policy: WorkflowPolicy): Offered {
  const body: { [name: string]: Json | undefined } = { ...given }
  const { n, tool_choice: choice } = given
  if (typeof n === 'number' && n > 1)
    throw fault('field_invalid', {
      field: 'n',
      problem: 'must be 1: a workflow gives one answer',
      remedy: 'Leave it out.',
    })
  for (const field of ACTING_FIELDS) delete body[field]
  if (isObject(given['anthropic'])) {
    const anthropic: { [name: string]: Json | undefined } = { ...given['anthropic'] }
    for (const field of ANTHROPIC_ACTING_FIELDS) delete anthropic[field]
    body['anthropic'] = anthropic
  }
  const named = namesOf(given['tools'])
  if (policy.tools === 'caller') return { body, tools: new Set(named), withheld: 0 }
  if (choice === 'required' || isObject(choice))
    throw fault('field_invalid', {
      field: 'tool_choice',
      problem: 'asks for a tool call, and the policy of this workflow has none',
      remedy: 'Leave it out, or have `policy.tools: caller` set for the workflow.',
    })
  for (const field of TOOL_FIELDS) delete body[field]
  return { body, tools: new Set(), withheld: named.length }
}

const namesOf = (tools: Json | undefined): string[] =>
  listOf(tools).flatMap((tool) => {
    const { name } = isObject(tool['function']) ? tool['function'] : {}
    return typeof name === 'string' ? [name] : []
  })

const listOf = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter(isObject) : []

/** Texts that a reader is shown. */
const TEXTS = ['content', 'refusal', 'reasoning_content', 'reasoning'] as const
type Text = (typeof TEXTS)[number]

/** What frames say beside their choice. */
const FRAME_FIELDS = ['id', 'object', 'created', 'system_fingerprint', 'service_tier'] as const
const CHOICE_FIELDS = ['index', 'finish_reason', 'stop_reason'] as const

export interface Passed {
  /** Without anything that is not known to be harmless. */
  readonly frame: JsonObject
  /** What it adds to the answer. */
  readonly text: string
  readonly isLast: boolean
}

/** Holds the frames of one answer to the policy. */
export class Outlet {
  readonly #tools: ReadonlySet<string>
  readonly #thinks: boolean
  readonly #filters: Readonly<Record<Text, LinkFilter>>
  /** Of the calls that are streamed, by the engine's numbers: which may pass. */
  readonly #calls = new Map<number, boolean>()
  #called = 0
  #dropped = 0

  constructor({ tools }: Offered, links: LinkRules) {
    this.#tools = tools
    // Signed thoughts must come back unchanged where tools are called, and cannot be filtered.
    this.#thinks = tools.size > 0
    const filter = (): LinkFilter => new LinkFilter(links)
    this.#filters = { content: filter(), refusal: filter(), reasoning_content: filter(), reasoning: filter() }
  }

  /** Links and pictures taken out so far. */
  get linksRemoved(): number {
    return TEXTS.reduce((sum, name) => sum + this.#filters[name].removed, 0)
  }

  /** Calls of tools that were not let through. */
  get callsDropped(): number {
    return this.#dropped
  }

  /** Calls of tools that were. */
  get calls(): number {
    return this.#called
  }

  pass(frame: JsonObject): Passed {
    const choice = listOf(frame['choices']).find(({ index }) => index === undefined || index === 0)
    const isWhole = isObject(choice?.['message'])
    const isLast = isWhole || typeof choice?.['finish_reason'] === 'string'
    const name = isWhole ? 'message' : 'delta'
    const given = choice?.[name]
    const part = this.#part(isObject(given) ? given : {}, isLast)
    const content = part['content']
    const kept =
      choice === undefined
        ? []
        : [{ ...picked({ ...choice, [name]: part }, [...CHOICE_FIELDS, name]), ...this.#finish(choice) }]
    return {
      frame: { ...picked(frame, FRAME_FIELDS), choices: kept },
      text: typeof content === 'string' ? content : '',
      isLast,
    }
  }

  /** What is still held back, for an answer that ended without saying so. */
  rest(): JsonObject {
    return this.#part({}, true)
  }

  #part(given: JsonObject, isLast: boolean): JsonObject {
    const part = picked(given, ['role', ...TEXTS])
    for (const name of TEXTS) {
      const value = given[name] ?? undefined
      const filter = this.#filters[name]
      const passed = filter.push(textOf(value)) + (isLast ? filter.end() : '')
      if (passed !== '' || value !== undefined) part[name] = passed
    }
    const calls = listOf(given['tool_calls']).filter((call, at) => this.#mayCall(call, at))
    if (calls.length > 0) part['tool_calls'] = calls
    if (given['function_call'] !== undefined && given['function_call'] !== null) this.#dropped++
    if (this.#thinks && given['thinking_blocks'] !== undefined) part['thinking_blocks'] = given['thinking_blocks']
    return part
  }

  /** Only the first frame of a streamed call names its tool. */
  #mayCall({ index, function: called }: JsonObject, at: number): boolean {
    const number = typeof index === 'number' ? index : at
    const name = isObject(called) ? called['name'] : undefined
    const known = this.#calls.get(number)
    if (known !== undefined && (name === undefined || name === null || name === '')) return known
    const may = typeof name === 'string' && this.#tools.has(name)
    if (known === undefined || known !== may) {
      if (may) this.#called++
      else this.#dropped++
    }
    this.#calls.set(number, may && known !== false)
    return may && known !== false
  }

  #finish({ finish_reason: finish }: JsonObject): JsonObject {
    const isCall = finish === 'tool_calls' || finish === 'function_call'
    return isCall && this.#called === 0 ? { finish_reason: 'stop' } : {}
  }
}

/** In the order in which they stood. */
const picked = (from: JsonObject, fields: readonly string[]): { [name: string]: Json } =>
  Object.fromEntries(
    Object.entries(from).flatMap(([name, value]) =>
      fields.includes(name) && value !== undefined ? [[name, value]] : [],
    ),
  )
