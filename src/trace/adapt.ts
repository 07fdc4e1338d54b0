import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { GENAI, GENAI_OLD } from './dialect/genai.ts'
import { LANGFUSE, USAGE_PARTS } from './dialect/langfuse.ts'
import { OPENINFERENCE } from './dialect/openinference.ts'
import { type Dialect, type Fact, FACTS } from './dialect/table.ts'
import { TRACELOOP } from './dialect/traceloop.ts'
import { VERCEL } from './dialect/vercel.ts'
import type { Attribute, Origin, RawSpan } from './raw.ts'
import {
  ATTRIBUTE_UNITS_MAX,
  ATTRIBUTES_MAX,
  ATTRIBUTES_UNITS_MAX,
  DURATION_US_MAX,
  ERROR_UNITS_MAX,
  keptText,
  NAME_UNITS_MAX,
  SPAN_KINDS,
  type SpanKind,
  type SpanRow,
  STATUSES,
} from './span.ts'

/** Reads a span of any dialect into the one schema. The dialects are tables; a span may mix them, and
 *  then the one named first here counts. */
const DIALECTS: readonly Dialect[] = [LANGFUSE, GENAI, GENAI_OLD, OPENINFERENCE, VERCEL, TRACELOOP]

export interface Tokens {
  readonly inputTokens: number
  readonly cachedInputTokens: number
  readonly cacheWriteTokens: number
  readonly outputTokens: number
  readonly reasoningTokens: number
}

/** What a call cost by our own prices; undefined where nobody knows. `provider` '' is to be found by
 *  the model. */
export type PriceOf = (
  provider: string,
  model: string,
  atMs: number,
  tokens: Tokens,
) => { readonly provider: string; readonly costNanoUsd: number } | undefined

/** What an attribute's name comes to: a fact and its rank (the lower counts), or its fate. */
type Fate = { readonly fact: number; readonly rank: number } | 'content' | 'ignored' | 'kept'

/** Names of attributes whose fate is remembered; senders use the same few again and again. */
const FATES_MAX = 10_000

const FACT_AT = new Map<Fact, number>(FACTS.map((fact, at) => [fact, at]))
const at = (fact: Fact): number => FACT_AT.get(fact) ?? 0

/** Kinds whose tokens count. What goes round them (an agent, an SDK's outer span) says the same tokens
 *  once more. */
const USES_TOKENS: ReadonlySet<SpanKind> = new Set<SpanKind>(['generation', 'embedding', 'rerank'])

const OPERATION_OF: { readonly [Kind in SpanKind]?: string } = {
  generation: 'chat',
  embedding: 'embeddings',
  rerank: 'rerank',
  retrieval: 'retrieval',
  tool: 'execute_tool',
  agent: 'invoke_agent',
}

/** Other names of providers, in lower case; a suffix such as `.chat` is dropped before. */
const PROVIDERS: { readonly [name: string]: string } = {
  'azure.ai.openai': 'azure',
  'az.ai.openai': 'azure',
  'azure.ai.inference': 'azure',
  'aws.bedrock': 'bedrock',
  'amazon-bedrock': 'bedrock',
  'gcp.vertex_ai': 'vertex',
  'google.vertex': 'vertex',
  'gcp.gemini': 'google',
  'gcp.gen_ai': 'google',
  gemini: 'google',
  'google.generative-ai': 'google',
  mistral_ai: 'mistral',
  mistralai: 'mistral',
  x_ai: 'xai',
}
const PROVIDER_SUFFIX = /\.(?:chat|completion|responses|messages|embedding|generative-ai)$/

export class Adapter {
  readonly #priceOf: PriceOf
  readonly #fates = new Map<string, Fate>()
  /** Of the span that is being read: what is known, and by which rank. */
  readonly #values: (Json | undefined)[] = FACTS.map(() => undefined)
  readonly #ranks: number[] = FACTS.map(() => Infinity)

  constructor(priceOf: PriceOf) {
    this.#priceOf = priceOf
  }

  /** @param tenant Whose key brought it. */
  read(raw: RawSpan, { resource }: Origin, tenant: string): SpanRow {
    this.#values.fill(undefined)
    this.#ranks.fill(Infinity)
    const rest: Attribute[] = []
    for (const attribute of raw.attributes) this.#take(attribute, rest)
    this.#readEvents(raw)
    this.#readParts()
    const operation = this.#text('operation', NAME_UNITS_MAX).toLowerCase()
    const kind = this.#kind(operation)
    const provider = providerOf(this.#text('provider', NAME_UNITS_MAX))
    const model = this.#text('modelAnswered', NAME_UNITS_MAX) || this.#text('modelAsked', NAME_UNITS_MAX)
    const tokens = USES_TOKENS.has(kind) ? this.#tokens() : undefined
    const startUs = wholeUs(raw.startUs)
    const priced = tokens && this.#priceOf(provider, model, startUs / 1000, tokens)
    const shownOperation = OPERATION_OF[kind] === undefined ? operation : operationOf(operation, kind)
    const status = raw.status === 2 ? 'error' : (STATUSES[raw.status] ?? 'unset')
    const version = this.#text('promptVersion', NAME_UNITS_MAX)
    const prompt = this.#text('prompt', NAME_UNITS_MAX)
    return {
      traceId: raw.traceId,
      spanId: raw.spanId,
      parentId: raw.parentId === raw.spanId ? '' : raw.parentId,
      kind,
      name: nameOf(raw.name, shownOperation, model),
      service: serviceOf(resource),
      tenant,
      user: this.#text('user', NAME_UNITS_MAX),
      session: this.#text('session', NAME_UNITS_MAX),
      workflow: this.#text('workflow', NAME_UNITS_MAX),
      prompt: prompt === '' || version === '' ? prompt : `${prompt}@${version}`,
      startUs,
      durationUs: Math.min(Math.max(0, Math.round(raw.endUs - raw.startUs)), DURATION_US_MAX),
      status,
      error:
        status === 'error' ? keptText(raw.statusMessage, ERROR_UNITS_MAX) || this.#text('error', ERROR_UNITS_MAX) : '',
      operation: shownOperation,
      provider: provider || (priced?.provider ?? ''),
      model,
      deployment: '',
      finishReason: this.#text('finishReason', NAME_UNITS_MAX),
      inputTokens: tokens?.inputTokens ?? null,
      cachedInputTokens: tokens?.cachedInputTokens ?? null,
      cacheWriteTokens: tokens?.cacheWriteTokens ?? null,
      outputTokens: tokens?.outputTokens ?? null,
      reasoningTokens: tokens?.reasoningTokens ?? null,
      costNanoUsd: priced?.costNanoUsd ?? (tokens && this.#statedCost()) ?? null,
      firstTokenUs: this.#firstTokenUs(startUs),
      probability: this.#probability(),
      attributes: attributesText(rest),
    }
  }

  #take(attribute: Attribute, rest: Attribute[]): void {
    const [name, value] = attribute
    const fate = this.#fateOf(name)
    if (fate === 'kept') rest.push(attribute)
    else if (typeof fate === 'object') this.#set(fate.fact, fate.rank, value)
  }

  #set(fact: number, rank: number, value: Json): void {
    if (value === null || value === '' || rank >= (this.#ranks[fact] ?? 0)) return
    this.#values[fact] = value
    this.#ranks[fact] = rank
  }

  #fateOf(name: string): Fate {
    const known = this.#fates.get(name)
    if (known !== undefined) return known
    const fate =
      FATE_OF_NAME.get(name) ?? (beginsAny(name, CONTENT) ? 'content' : beginsAny(name, IGNORED) ? 'ignored' : 'kept')
    if (this.#fates.size < FATES_MAX) this.#fates.set(name, fate)
    return fate
  }

  /** Some facts come as events of the span: the first token, an exception. */
  #readEvents(raw: RawSpan): void {
    for (const { name, atUs, attributes } of raw.events) {
      if (FIRST_TOKEN_EVENTS.has(name)) this.#set(at('firstTokenAt'), EVENT_RANK, atUs / 1000)
      if (name === 'exception') {
        const message = attributes.find(([key]) => key === 'exception.message')?.[1]
        if (typeof message === 'string') this.#set(at('error'), -1, message)
      }
    }
  }

  #readParts(): void {
    const usage = jsonOf(this.#values[at('usageParts')])
    if (usage !== undefined)
      for (const [key, fact] of Object.entries(USAGE_PARTS)) this.#set(at(fact), 0, usage[key] ?? null)
    const total = jsonOf(this.#values[at('costParts')])?.['total']
    if (total !== undefined) this.#set(at('costUsd'), 0, total)
  }

  #kind(operation: string): SpanKind {
    const said = this.#text('kind', NAME_UNITS_MAX).toLowerCase()
    const kind = KIND_OF[said] ?? KIND_OF[operation]
    // A library that says only that it is a task, and calls a model, calls a model.
    const found = said === 'span' || kind === 'span' ? (KIND_OF[operation] ?? kind) : kind
    return SPAN_KINDS.find((one) => one === found) ?? 'span'
  }

  /** Undefined where it says nothing of tokens. */
  #tokens(): Tokens | undefined {
    const cached = this.#count('cacheRead')
    const written = this.#count('cacheWrite')
    const reasoning = this.#count('reasoning')
    const input = this.#apart('inputUncached', 'inputTotal', (cached ?? 0) + (written ?? 0))
    const output = this.#apart('outputVisible', 'outputTotal', reasoning ?? 0)
    if (input === undefined && output === undefined && cached === undefined) return undefined
    return {
      inputTokens: input ?? 0,
      cachedInputTokens: cached ?? 0,
      cacheWriteTokens: written ?? 0,
      outputTokens: output ?? 0,
      reasoningTokens: reasoning ?? 0,
    }
  }

  /** The part that is said apart, or what is left of the total. A dialect's own total counts over
   *  another's part. */
  #apart(part: Fact, total: Fact, others: number): number | undefined {
    const alone = this.#count(part)
    const all = this.#count(total)
    if (alone !== undefined && (all === undefined || this.#rank(part) <= this.#rank(total))) return alone
    return all === undefined ? undefined : Math.max(0, all - others)
  }

  #statedCost(): number | undefined {
    const usd = Number(this.#values[at('costUsd')])
    const nano = Math.round(usd * 1e9)
    return nano >= 0 && nano <= COST_NANO_USD_MAX ? nano : undefined
  }

  #firstTokenUs(startUs: number): number | null {
    const [seconds, ms, instant] = [
      this.#values[at('firstTokenSeconds')],
      this.#values[at('firstTokenMs')],
      this.#values[at('firstTokenAt')],
    ]
    const us =
      seconds !== undefined
        ? Number(seconds) * 1e6
        : ms !== undefined
          ? Number(ms) * 1e3
          : instant !== undefined
            ? instantMs(instant) * 1e3 - startUs
            : Number.NaN
    return us >= 0 && us <= DURATION_US_MAX ? Math.round(us) : null
  }

  #probability(): number {
    const said = Number(this.#values[at('probability')] ?? 1)
    return said > 0 && said <= 1 ? said : 1
  }

  #rank(fact: Fact): number {
    return this.#ranks[at(fact)] ?? Infinity
  }

  #text(fact: Fact, unitsMax: number): string {
    const value = this.#values[at(fact)]
    const first = Array.isArray(value) ? (value[0] as Json | undefined) : value
    return typeof first === 'string' ? keptText(first, unitsMax) : typeof first === 'number' ? String(first) : ''
  }

  #count(fact: Fact): number | undefined {
    const value = this.#values[at(fact)]
    if (value === undefined) return undefined
    const count = Number(value)
    return Number.isInteger(count) && count >= 0 && count <= TOKENS_MAX ? count : undefined
  }
}

const EVENT_RANK = 100
const FIRST_TOKEN_EVENTS: ReadonlySet<string> = new Set([
  'First Token Stream Event',
  'gen_ai.first_token',
  'ai.stream.firstChunk',
])

const KIND_OF: { readonly [value: string]: string } = Object.assign({}, ...DIALECTS.map(({ kinds }) => kinds))

const FATE_OF_NAME: ReadonlyMap<string, Fate> = new Map(
  DIALECTS.flatMap(({ attributes, content }, dialect) => [
    ...content.map((name): [string, Fate] => [name, 'content']),
    ...Object.entries(attributes).map(([name, fact], order): [string, Fate] => [
      name,
      { fact: at(fact), rank: dialect + order / 1000 },
    ]),
  ]),
)

/** Names that end with a dot are beginnings; the others stand for themselves and what lies below. */
const CONTENT = DIALECTS.flatMap(({ content }) => content)
const IGNORED = DIALECTS.flatMap(({ ignored }) => ignored)
const beginsAny = (name: string, beginnings: readonly string[]): boolean =>
  beginnings.some((one) => name === one || name.startsWith(one.endsWith('.') ? one : `${one}.`))

const DEFAULT_NAMES = DIALECTS.flatMap(({ defaultNames }) => defaultNames ?? [])

/** A name that a library gave by itself says less than what was asked of whom. */
function nameOf(name: string, operation: string, model: string): string {
  if (model !== '' && operation !== '' && (name === '' || DEFAULT_NAMES.some((one) => one.test(name))))
    return `${operation} ${model}`
  return keptText(name, NAME_UNITS_MAX)
}

/** A name of the conventions where the sender's is another word for it. */
function operationOf(operation: string, kind: SpanKind): string {
  const usual = OPERATION_OF[kind] ?? ''
  return GENAI.kinds[operation] === kind && operation !== 'embedding' ? operation : usual
}

function providerOf(name: string): string {
  const lower = name.toLowerCase().replace(PROVIDER_SUFFIX, '')
  return PROVIDERS[lower] ?? lower
}

const serviceOf = (resource: readonly Attribute[]): string => {
  const name = resource.find(([key]) => key === 'service.name')?.[1]
  return typeof name === 'string' ? keptText(name, NAME_UNITS_MAX) : ''
}

const jsonOf = (value: Json | undefined): JsonObject | undefined => {
  if (isObject(value)) return value
  if (typeof value !== 'string' || value.length > ATTRIBUTES_UNITS_MAX) return undefined
  try {
    const parsed: unknown = JSON.parse(value)
    return isObject(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

/** Langfuse sends the instant as JSON text, with its quotes. */
const instantMs = (value: Json): number =>
  typeof value === 'number' ? value : Date.parse(String(value).replaceAll('"', ''))

/** So that sums of times, tokens and costs stay exact integers. */
const START_US_MAX = 8e15
const TOKENS_MAX = 1e12
const COST_NANO_USD_MAX = 1e14

const wholeUs = (us: number): number => (us >= 0 ? Math.min(Math.round(us), START_US_MAX) : 0)

function attributesText(rest: readonly Attribute[]): string {
  if (rest.length === 0) return '{}'
  const kept: { [name: string]: Json } = {}
  let units = 0
  let count = 0
  for (const [name, value] of rest) {
    if (++count > ATTRIBUTES_MAX) break
    const bounded = boundedValue(value)
    units += name.length + (typeof bounded === 'string' ? bounded.length : 8)
    if (units > ATTRIBUTES_UNITS_MAX) break
    kept[keptText(name, NAME_UNITS_MAX)] = bounded
  }
  return JSON.stringify(kept)
}

function boundedValue(value: Json): Json {
  if (typeof value === 'string') return keptText(value, ATTRIBUTE_UNITS_MAX)
  if (typeof value !== 'object' || value === null) return value
  return keptText(JSON.stringify(value), ATTRIBUTE_UNITS_MAX)
}
