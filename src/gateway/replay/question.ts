import { fault, Refusal } from '../../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { CallDependencies, CallRequest } from '../call.ts'
import type { LogicalModel, SemanticPolicy } from '../catalogue.ts'
import { guardedTexts } from '../guarded-texts.ts'
import type { CacheControl } from './cache-control.ts'
import { type Cached, groupKey } from './cache-keys.ts'
import { embedTexts, VectorUse } from './cached-vectors.ts'
import type { Asked, ExactCache } from './exact-cache.ts'
import { direction } from './meanings.ts'

/** What a conversation asks last, and where that lies among what was asked before. */

export interface Question {
  readonly text: string
  /** Questions to which its answers may be given. */
  readonly group: string
}

/** Longer ones say too many things to mean the same as another. */
const QUESTION_CHARS_MAX = 8_000
/** A question that is not placed by then is answered anew. */
const PLACE_MS_MAX = 5_000

/** Undefined for one whose meaning is not to be looked at: whose last turn is not the user's, or holds more
 *  than words. */
export function readQuestion(
  cached: Cached,
  { turnsMax }: SemanticPolicy,
  { body, stream }: Pick<CallRequest, 'body' | 'stream'>,
  promptVersion: string | undefined,
): Question | undefined {
  const messages = Array.isArray(body['messages']) ? (body['messages'] as readonly Json[]) : []
  const last = messages.at(-1)
  if (messages.filter(isOfUser).length > turnsMax || last === undefined || !isOfUser(last)) return undefined
  const { content = null, ...others } = last
  const text = textOf(content)
  if (text === undefined || text.trim() === '' || text.length > QUESTION_CHARS_MAX) return undefined
  const rest = { ...body, stream, messages: [...messages.slice(0, -1), others] }
  return { text, group: groupKey(cached, { rest, numerals: text.match(/\p{N}+/gu) ?? [], promptVersion }) }
}

const isOfUser = (message: Json): message is JsonObject => isObject(message) && message['role'] === 'user'

function textOf(content: Json): string | undefined {
  if (typeof content === 'string') return content
  const [part, ...others] = Array.isArray(content) ? (content as readonly Json[]) : []
  if (!isObject(part) || others.length > 0 || part['type'] !== 'text' || Object.keys(part).length > 2) return undefined
  return typeof part['text'] === 'string' ? part['text'] : undefined
}

interface Placing {
  readonly cache: ExactCache
  readonly cached: Cached
  readonly control: CacheControl
  readonly semantic: SemanticPolicy
  readonly question: Question
}

/** On the account of who asks. Undefined where it cannot be said; a question is answered without it. */
export async function askedQuestion(
  dependencies: CallDependencies,
  request: CallRequest,
  { cache, cached, control, semantic, question: { text, group } }: Placing,
  signal: AbortSignal,
): Promise<Asked | undefined> {
  const { clock, catalogue } = dependencies
  const model = catalogue().get(semantic.embedding)
  if (model === undefined) return undefined
  const span = request.span.child('meaning')
  const stop = new AbortController()
  const timer = clock.after(PLACE_MS_MAX, () =>
    stop.abort(fault('engine_timeout', { engine: model.name, phase: 'finish', limitMs: PLACE_MS_MAX })),
  )
  try {
    const texts = await passed([cached.model, model], text, { span })
    if (texts === undefined) return undefined
    const { requestId, spending } = request
    const use = model.cache && new VectorUse(cache, { model, policy: model.cache, scopes: cached.scopes }, control)
    const call = { requestId, model, spending, span, signal: AbortSignal.any([signal, stop.signal]) }
    const embedded = await embedTexts(dependencies, call, texts, use)
    const [vector] = embedded instanceof Refusal ? [] : embedded.vectors
    const towards = vector && direction(vector)
    return towards && { group, vector: towards }
  } catch {
    return undefined // A budget, an engine or a deadline: whoever answers says so, or does without.
  } finally {
    timer.cancel()
    span.end({ model: model.name })
  }
}

/** Words that a guardrail stops or changes are not measured: what it took out of them may stand in the
 *  answer, which is for nobody else. */
async function passed(
  models: readonly LogicalModel[],
  text: string,
  { span }: Pick<CallRequest, 'span'>,
): Promise<readonly string[] | undefined> {
  for (const model of models) {
    const looked = await guardedTexts(model, [text], span)
    if (looked instanceof Refusal || looked[0] !== text) return undefined
  }
  return [text]
}
