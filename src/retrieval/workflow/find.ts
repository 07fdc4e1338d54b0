import { fault } from '../../base/errors.ts'
import type { JsonObject } from '../../base/json.ts'
import type { ChatCall } from '../../engine/port.ts'
import type { Passage } from '../passage.ts'
import { askModel } from './ask.ts'
import { sourceTitle } from './assemble.ts'
import type { WorkflowDependencies } from './dependencies.ts'
import { carryTerms, readRewritten, rewritePrompt, type Turn, turnsOf } from './rewrite.ts'
import type { WorkflowSpec } from './spec.ts'

/** From a conversation to passages: rewrite, search, rerank. */

export interface Found {
  /** What was searched for. */
  readonly question: string
  /** How it came about. */
  readonly rewrite: JsonObject
  /** Best first. */
  readonly passages: readonly Passage[]
  /** How many the search gave. */
  readonly found: number
  /** Models were called, and charged. */
  readonly isShared: boolean
}

/** With a reranker, this many times `topK` are searched for and then reordered. */
const RERANK_POOL = 4

/** A longer question is cut for the search; the model still reads it whole. */
const QUESTION_UNITS_MAX = 4000

const REWRITE_TOKENS_MAX = 256

/** Rejects with a `Fault`: `field_invalid` where nothing is asked, or whatever the search and the
 *  reranker fail with. */
export async function find(
  spec: WorkflowSpec,
  dependencies: WorkflowDependencies,
  call: ChatCall,
  signal: AbortSignal,
): Promise<Found> {
  const { collection, topK, rerank } = spec
  const turns = turnsOf(call.body)
  const asked = turns.findLast(({ role }) => role === 'user')?.text ?? ''
  if (asked === '')
    throw fault('field_invalid', {
      field: 'messages',
      problem: 'hold no question',
      remedy: 'End with a message of the role "user".',
    })
  const { question, rewrite } = await rewritten(spec, dependencies, call, signal, turns)
  signal.throwIfAborted()
  const span = call.span.child('search')
  const k = rerank === undefined ? topK : topK * RERANK_POOL
  const access = { tenant: call.spending.tenant }
  const { passages } = await dependencies.search.search(collection, question, {
    k,
    access,
    span,
    payer: { spending: call.spending },
  })
  span.end({ collection, k, found: passages.length })
  signal.throwIfAborted()
  const isRanked = rerank !== undefined && passages.length > 0
  const ranked = isRanked ? await reranked(rerank, dependencies, call, signal, question, passages) : passages
  const isShared = isRanked || typeof rewrite['rewriteModel'] === 'string'
  return { question, rewrite, passages: ranked.slice(0, topK), found: passages.length, isShared }
}

/** Costs nothing where there is no conversation. A model that fails leaves it to the words. */
async function rewritten(
  { rewrite: by }: WorkflowSpec,
  { analyzer, callModel }: WorkflowDependencies,
  { span: parent, requestId, spending }: ChatCall,
  signal: AbortSignal,
  turns: readonly Turn[],
): Promise<Pick<Found, 'question' | 'rewrite'>> {
  const asked = turns.filter(({ role }) => role === 'user').map(({ text }) => text)
  const last = (asked.at(-1) ?? '').slice(0, QUESTION_UNITS_MAX)
  if (by === 'none' || asked.length < 2) return { question: last, rewrite: { rewrite: 'none' } }
  const span = parent.child('rewrite')
  const asksModel = by !== 'terms'
  const more: JsonObject = asksModel ? { rewriteModel: by } : {}
  if (asksModel) {
    const call = { requestId, spending, span, signal, outputTokensMax: REWRITE_TOKENS_MAX }
    const reply = await askModel(callModel, by, { ...call, messages: rewritePrompt(turns) })
    const question = reply === undefined ? undefined : readRewritten(reply)
    if (question !== undefined) {
      span.end({ method: 'model', model: by, question })
      return { question, rewrite: { rewrite: 'model', ...more } }
    }
  }
  const { question, carried } = carryTerms(analyzer, turns)
  const method = carried.length > 0 ? 'terms' : 'none'
  span.end({ method, carried, ...(asksModel ? { failed: by } : {}) })
  return { question: question.slice(0, QUESTION_UNITS_MAX), rewrite: { rewrite: method, carried, ...more } }
}

async function reranked(
  model: string,
  { rerank }: WorkflowDependencies,
  { span: parent, requestId, spending }: ChatCall,
  signal: AbortSignal,
  query: string,
  passages: readonly Passage[],
): Promise<readonly Passage[]> {
  const span = parent.child('rerank')
  const documents = passages.map((passage) => `${sourceTitle(passage)}\n${passage.text}`)
  const order = await rerank(model, { requestId, span, spending, signal, query, documents })
  span.end({ model, documents: documents.length })
  return order.flatMap((at) => passages[at] ?? [])
}
