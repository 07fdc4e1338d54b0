import type { Clock } from '../../base/clock.ts'
import type { ClientHandler, Exchange } from '../../base/http.ts'
import { isObject, type Json, type JsonObject, parseJson } from '../../base/json.ts'
import type {
  Attempt,
  ChatCall,
  ChatSink,
  EmbedResult,
  Engine,
  Operation,
  PassedCall,
  Passthrough,
  RerankResult,
} from '../../engine/port.ts'
import { unsupported, unsupportedChat } from '../../engine/unsupported.ts'

/** OpenAI's moderations, answered by what guardrails find: personal data, secrets, injections. It needs no
 *  weights, and judges nothing else: what a text means is for a model. */

const INPUTS_MAX = 1000
const LIMITS = { bytesMax: 32 * 2 ** 20, depthMax: 16 }
/** Of one request. */
const BUDGET_MS = 1000
const PATH = '/moderations'

export interface DetectorsOptions {
  readonly name: string
  readonly clock: Clock
  readonly judge: Judge
}

/** What is found in a text, as one result of a moderation; undefined where time is up before it is read. */
type Judge = (text: string, deadlineMs: number) => JsonObject | undefined

export class DetectorsEngine implements Engine {
  readonly name: string
  readonly operations: ReadonlySet<Operation> = new Set(['moderations'])
  readonly passthrough: Passthrough
  readonly #clock: Clock
  readonly #judge: Judge

  constructor({ name, clock, judge }: DetectorsOptions) {
    this.name = name
    this.#clock = clock
    this.#judge = judge
    this.passthrough = { paths: new Set([PATH]), start: (call, handler) => this.#start(call, handler) }
  }

  chat({ model }: ChatCall, sink: ChatSink): Attempt {
    return unsupportedChat(model, sink)
  }

  rerank({ model }: { readonly model: string }): Promise<RerankResult> {
    return Promise.reject(unsupported(model, 'rerank'))
  }

  embed({ model }: { readonly model: string }): Promise<EmbedResult> {
    return Promise.reject(unsupported(model, 'embed'))
  }

  models(): Promise<string[]> {
    return Promise.resolve([this.name])
  }

  #start({ body }: PassedCall, handler: ClientHandler): Exchange {
    let over = false
    queueMicrotask(() => {
      if (over) return
      const [status, answer] = this.#answer(body)
      handler.head(status, { 'content-type': 'application/json' })
      if (over) return
      handler.data(Buffer.from(JSON.stringify(answer)))
      if (!over) handler.end()
    })
    return { abort: () => void (over = true), pause: () => {}, resume: () => {} }
  }

  #answer(bytes: Uint8Array): [number, JsonObject] {
    const body = parseJson(bytes, LIMITS)
    const texts = isObject(body) ? textsOf(body['input']) : undefined
    if (texts === undefined || texts.length === 0 || texts.length > INPUTS_MAX)
      return wrong(400, `\`input\` must be a text, parts with a \`text\`, or up to ${INPUTS_MAX} texts`)
    const deadlineMs = this.#clock.monotonicMs() + BUDGET_MS
    const results: JsonObject[] = []
    for (const text of texts) {
      const result = this.#judge(text, deadlineMs)
      if (result === undefined) return wrong(413, `\`input\` takes longer than ${BUDGET_MS} ms to read`)
      results.push(result)
    }
    return [200, { id: 'modr-headworks', model: this.name, results }]
  }
}

/** Undefined where it is neither. Pictures among the parts are passed over. */
function textsOf(input: Json | undefined): string[] | undefined {
  if (typeof input === 'string') return [input]
  if (!Array.isArray(input)) return undefined
  const parts = input as readonly Json[]
  if (parts.every((one) => typeof one === 'string')) return parts as string[]
  const said = parts.map((part) => (isObject(part) && typeof part['text'] === 'string' ? part['text'] : ''))
  return parts.every(isObject) ? [said.join('\n')] : undefined
}

const wrong = (status: number, message: string): [number, JsonObject] => [
  status,
  { error: { message, type: 'invalid_request_error', param: 'input', code: null } },
]
