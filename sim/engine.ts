import type { ClientRequest } from '../src/base/http.ts'
import { isObject, type Json, type JsonObject } from '../src/base/json.ts'
import type { Kernel } from './kernel.ts'
import type { Connect, Server, ServerSide } from './outgoing.ts'
import type { AnswerPlan, FramePlan, LinesPlan, Scenario, UsagePlan } from './scenario.ts'

/** A model server with OpenAI's dialect, scripted to every virtue and vice, which keeps its own
 *  account of what it said: the oracle the house is held against. */

export interface AttemptRecord {
  readonly request: string
  /** 0 for the first attempt made for this request. */
  readonly number: number
  readonly stream: boolean
  readonly plan: AnswerPlan
  /** The most it may write, where the house said so. */
  readonly outputTokensMax: number
  /** What the house called the request, if it said. */
  readonly requestId: string | undefined
  /** The `choices` of every chunk put on the wire, in order, or of the one whole answer. */
  readonly sent: Json[]
  /** The answer's last word, with its finish reason, is on the wire. */
  finished: boolean
  /** A usage object is on the wire. */
  usage: JsonObject | undefined
  readonly wire: ServerSide
}

/** An endless answer stops here: the house must have cut it by then, or the run never rests. */
const ENDLESS_FRAMES_MAX = 3_000
const ENDLESS_GAP_MS = 150

const DONE = 'data: [DONE]\n\n'

const OUT_OF_MEMORY = { message: 'CUDA out of memory', type: 'server_error', code: 500 }

const encoder = new TextEncoder()

export class SimEngine implements Server {
  readonly records: AttemptRecord[] = []
  readonly #kernel: Kernel
  readonly #plans: ReadonlyMap<string, readonly AnswerPlan[]>
  readonly #attempts = new Map<string, number>()

  constructor(kernel: Kernel, scenario: Scenario) {
    this.#kernel = kernel
    this.#plans = new Map(scenario.requests.map(({ name, answers }) => [name, answers]))
  }

  connect(request: ClientRequest): Connect {
    const name = nameIn(request)
    const number = this.#attempts.get(name) ?? 0
    const { connect } = this.#planOf(name, number)
    if (connect !== 'ok') this.#attempts.set(name, number + 1)
    return connect
  }

  accept(wire: ServerSide): void {
    const name = nameIn(wire.request)
    const number = this.#attempts.get(name) ?? 0
    this.#attempts.set(name, number + 1)
    const plan = this.#planOf(name, number)
    const record: AttemptRecord = {
      request: name,
      number,
      stream: bodyOf(wire.request)['stream'] === true,
      plan,
      outputTokensMax: capIn(wire.request) ?? Infinity,
      requestId: wire.request.headers['x-request-id'],
      sent: [],
      finished: false,
      usage: undefined,
      wire,
    }
    this.records.push(record)
    this.#kernel.after(plan.thinksMs, `engine ${name}.${number} head ${plan.status}`, () => {
      if (wire.gone) return
      if (plan.status !== 200) return refuse(plan, wire)
      const right = record.stream ? 'text/event-stream; charset=utf-8' : 'application/json'
      wire.head(200, { 'content-type': plan.contentType === 'right' ? right : 'text/html' })
      if (record.stream) new Stream(this.#kernel, record).next()
      else this.#kernel.after(plan.gapMs, `engine ${name}.${number} answers`, () => answerWhole(record))
    })
  }

  /** How often the house called for this request, refused connections included. */
  attemptsFor(name: string): number {
    return this.#attempts.get(name) ?? 0
  }

  #planOf(name: string, number: number): AnswerPlan {
    const plans = this.#plans.get(name)
    const plan = plans?.[Math.min(number, plans.length - 1)]
    if (plan === undefined) throw new Error(`an upstream call for "${name}", which nobody asked for`)
    return plan
  }
}

/** One streamed answer, packet by packet. */
class Stream {
  readonly #kernel: Kernel
  readonly #record: AttemptRecord
  readonly #label: string
  #at = 0

  constructor(kernel: Kernel, record: AttemptRecord) {
    this.#kernel = kernel
    this.#record = record
    this.#label = `engine ${record.request}.${record.number} sends`
  }

  next(): void {
    const { gapMs, ending } = this.#record.plan
    this.#kernel.after(ending === 'endless' ? ENDLESS_GAP_MS : gapMs, this.#label, () => this.#send())
  }

  #send(): void {
    const { plan, wire } = this.#record
    if (wire.gone) return
    const limit = plan.ending === 'endless' ? ENDLESS_FRAMES_MAX : framesOf(this.#record).length
    let text = ''
    for (let i = plan.framesPerPacket; i > 0 && this.#at < limit; i--) text += this.#frame(this.#at++)
    wire.data(encoder.encode(text))
    if (this.#at < limit) this.next()
    else this.#kernel.after(0, `${this.#label} ending (${plan.ending})`, () => this.#end())
  }

  #frame(at: number): string {
    const record = this.#record
    const kind = record.plan.frames[at % Math.max(1, record.plan.frames.length)] ?? 'text'
    if (kind === 'comment') return ': still here\n\n'
    const choices = choicesOf(kind, `${record.request}.${record.number}.${at} `)
    record.sent.push(choices)
    const usage = record.plan.usage === 'on every chunk' ? usageOf('right', at + 1, record) : undefined
    if (usage !== undefined) record.usage = usage
    const extra = kind === 'extra' ? { service_tier: 'flex', 'x-unknown': { deep: [at] } } : {}
    return this.#sse(chunkOf(record, { choices, ...extra, ...(usage === undefined ? {} : { usage }) }))
  }

  #end(): void {
    const { plan, wire } = this.#record
    if (wire.gone || plan.ending === 'hang' || plan.ending === 'endless') return
    if (plan.ending === 'reset') return wire.reset('ECONNRESET')
    let text = ''
    if (plan.ending === 'error frame') text = this.#sse({ error: OUT_OF_MEMORY })
    else if (plan.ending === 'error chunk')
      text = this.#sse(
        chunkOf(this.#record, {
          error: OUT_OF_MEMORY,
          choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error' }],
        }),
      )
    else if (plan.ending === 'garbage') text = 'data: {"choices": [{"delta"\n\n<html>502 Bad Gateway</html>\n\n'
    else if (plan.ending === 'bare done') text = DONE
    else if (plan.ending !== 'cut') text = this.#finish()
    wire.data(encoder.encode(text))
    if (plan.ending !== 'lingers') wire.end()
  }

  #finish(): string {
    const record = this.#record
    const { plan } = record
    const indices = plan.frames.includes('second choice') ? [0, 1] : [0]
    const last: Json = indices.map((index) => ({ index, delta: {}, finish_reason: finishOf(record) }))
    record.sent.push(last)
    record.finished = true
    let text = this.#sse(chunkOf(record, { choices: last }))
    const usage = usageOf(plan.usage, framesOf(record).length, record)
    if (usage !== undefined) {
      record.usage = usage
      text += this.#sse(chunkOf(record, { choices: [], usage }))
    }
    if (plan.ending === 'no done') return text
    text += DONE
    if (plan.ending === 'two dones') text += DONE
    if (plan.ending === 'chatter') text += this.#sse(chunkOf(record, { choices: choicesOf('text', 'after the end ') }))
    return text
  }

  #sse(value: JsonObject): string {
    return writeEvent(JSON.stringify(value), value, this.#record.plan.lines)
  }
}

function writeEvent(json: string, value: JsonObject, lines: LinesPlan): string {
  if (lines === 'tight') return `data:${json}\n\n`
  const folded = JSON.stringify(value, null, 1).replaceAll(/^/gm, 'data: ')
  if (lines === 'folded') return `${folded}\n\n`
  if (lines === 'crlf') return `${folded.replaceAll('\n', '\r\n')}\r\n\r\n`
  if (lines === 'wordy') return `event: message\nid: 7\nretry: 10\ndata: ${json}\n\n`
  return `data: ${json}\n\n`
}

function answerWhole(record: AttemptRecord): void {
  const { plan, wire } = record
  if (wire.gone || plan.ending === 'hang' || plan.ending === 'endless') return
  if (plan.ending === 'reset') return wire.reset('ECONNRESET')
  if (plan.ending === 'error frame' || plan.ending === 'error chunk') {
    wire.data(encoder.encode(JSON.stringify({ error: OUT_OF_MEMORY })))
    return wire.end()
  }
  const usage = usageOfWhole(record)
  const [word, answer] = wholeOf(record)
  const bytes = encoder.encode(JSON.stringify({ ...answer, ...(usage === undefined ? {} : { usage }) }))
  const broken =
    plan.ending === 'cut' || plan.ending === 'bare done' || plan.ending === 'garbage' || plan.ending === 'lingers'
  if (!broken) {
    record.sent.push(word)
    record.usage = usage
    record.finished = true
  }
  wire.data(
    plan.ending === 'garbage'
      ? encoder.encode('<html>502 Bad Gateway</html>')
      : broken
        ? bytes.subarray(0, bytes.length >> 1)
        : bytes,
  )
  if (plan.ending !== 'lingers') wire.end()
}

/** What a whole answer says, and the answer around it. */
function wholeOf(record: AttemptRecord): [Json, JsonObject] {
  const { request, number, wire } = record
  if (wire.request.url.endsWith('/rerank')) {
    const results: Json = [0, 1, 2].map((index) => ({ index, relevance_score: (number + 1) * 100 - index }))
    return [results, { results }]
  }
  if (wire.request.url.endsWith('/embeddings')) {
    const data: Json = [0, 1].map((index) => ({ object: 'embedding', index, embedding: [number, index, 0.5] }))
    return [data, { object: 'list', data }]
  }
  const content = framesOf(record)
    .map((kind, at) => `${request}.${number}.${at}${kind === 'wide' ? WIDE : ''} `)
    .join('')
  const choices: Json = [
    { index: 0, message: { role: 'assistant', content, refusal: null }, finish_reason: finishOf(record) },
  ]
  return [choices, { ...chunkOf(record, { choices }), object: 'chat.completion' }]
}

function refuse(plan: AnswerPlan, wire: ServerSide): void {
  const json = plan.contentType === 'right'
  wire.head(plan.status, {
    'content-type': json ? 'application/json' : 'text/html',
    ...(plan.status === 429 ? { 'retry-after': '1' } : {}),
  })
  const body = json
    ? JSON.stringify({ error: { message: `no: ${plan.status}`, type: 'x', param: null, code: null } })
    : `<html>${plan.status}</html>`
  wire.data(encoder.encode(body))
  if (plan.ending === 'reset') wire.reset('ECONNRESET')
  else if (plan.ending !== 'hang') wire.end()
}

const WIDE = ' \u{1f702} Grüße 你好'

function choicesOf(kind: FramePlan, tag: string): Json {
  const delta = (fields: JsonObject, index = 0): Json => [{ index, delta: fields, finish_reason: null }]
  if (kind === 'role') return delta({ role: 'assistant', content: '' })
  if (kind === 'empty') return delta({ content: '' })
  if (kind === 'wide') return delta({ content: tag + WIDE })
  if (kind === 'reasoning') return delta({ reasoning_content: tag })
  if (kind === 'tool')
    return delta({
      tool_calls: [{ index: 0, id: `call_${tag.trim()}`, type: 'function', function: { name: 'f', arguments: tag } }],
    })
  return delta({ content: tag }, kind === 'second choice' ? 1 : 0)
}

const chunkOf = (record: AttemptRecord, fields: JsonObject): JsonObject => ({
  id: `chatcmpl-${record.request}.${record.number}`,
  object: 'chat.completion.chunk',
  created: 1_700_000_000 + record.number,
  model: 'weights',
  ...fields,
})

/** Only a chat has output to account for. */
function usageOfWhole(record: AttemptRecord): JsonObject | undefined {
  const { plan, wire } = record
  if (wire.request.url.endsWith('/completions'))
    return usageOf(plan.usage === 'on every chunk' ? 'right' : plan.usage, framesOf(record).length, record)
  return plan.usage === 'none' ? undefined : { prompt_tokens: plan.usage === 'negative' ? -5 : 29, total_tokens: 29 }
}

/** At least what the house makes of a frame that nobody counted for it. */
const FRAME_TOKENS = 9
const LAST_TOKENS = 3
/** What whoever ignores its cap writes beyond it, at most. */
const CAP_IGNORED = 2_000

/** What it says before it stops by itself, or at its cap. */
function framesOf({ plan, outputTokensMax }: AttemptRecord): readonly FramePlan[] {
  if (plan.cap === 'ignored') return plan.frames
  return plan.frames.slice(0, Math.max(0, Math.floor((outputTokensMax - LAST_TOKENS) / FRAME_TOKENS)))
}

const finishOf = (record: AttemptRecord): string =>
  framesOf(record).length < record.plan.frames.length ? 'length' : 'stop'

/** What an engine claims to have used; every figure is different, so that none is mistaken for
 *  another. */
function usageOf(
  plan: UsagePlan,
  frames: number,
  { outputTokensMax, plan: { cap } }: AttemptRecord,
): JsonObject | undefined {
  const prompt = 101
  const written = frames * FRAME_TOKENS + LAST_TOKENS
  const completion =
    cap === 'heeded' ? Math.min(written, outputTokensMax) : written + Math.min(outputTokensMax, CAP_IGNORED)
  const whole: JsonObject = { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion }
  if (plan === 'none') return undefined
  if (plan === 'cached') return { ...whole, prompt_tokens_details: { cached_tokens: 37 } }
  if (plan === 'reasoning')
    return { ...whole, completion_tokens_details: { reasoning_tokens: Math.min(2, completion) } }
  if (plan === 'negative') return { prompt_tokens: prompt, completion_tokens: -3, total_tokens: prompt - 3 }
  if (plan === 'absurd') return { prompt_tokens: prompt, completion_tokens: 1e300, total_tokens: null }
  return whole
}

function bodyOf(request: ClientRequest): JsonObject {
  const body: unknown = JSON.parse(
    typeof request.body === 'string' ? request.body : new TextDecoder().decode(request.body),
  )
  return isObject(body) ? body : {}
}

/** The cap that an upstream call carries. */
export function capIn(request: ClientRequest): number | undefined {
  const { max_tokens: cap } = bodyOf(request)
  return typeof cap === 'number' ? cap : undefined
}

/** The deployment's name for its model. */
export const modelIn = (request: ClientRequest): string => String(bodyOf(request)['model'])

/** Whose request an upstream call serves. */
export function nameIn(request: ClientRequest): string {
  const body = bodyOf(request)
  const message = ((body['messages'] ?? []) as readonly Json[]).at(-1)
  const [input] = (body['input'] ?? []) as readonly Json[]
  const name = isObject(message) ? message['content'] : (body['query'] ?? input)
  return typeof name === 'string' ? name : ''
}
