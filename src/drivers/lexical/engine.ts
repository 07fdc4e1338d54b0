import { setImmediate as turn } from 'node:timers/promises'
import { inverseDocumentFrequency, lengthNorm, saturation } from '../../base/bm25.ts'
import { fault, type Fault } from '../../base/errors.ts'
import { expandQuestion, FEEDBACK_TEXTS_MAX } from '../../base/feedback.ts'
import { type Analyzer, STOP_TERMS } from '../../base/words.ts'
import type { Attempt, ChatCall, ChatSink, Engine, Operation, RerankCall, RerankResult } from '../../engine/port.ts'
import { unsupported, unsupportedChat } from '../../engine/unsupported.ts'

export interface LexicalOptions {
  readonly name: string
  readonly analyzer: Analyzer
}

const DOCUMENTS_MAX = 1000
/** All documents together, in UTF-16 units: some 2 million words. */
const UNITS_MAX = 10_000_000
/** Read at a stretch, about 2 ms; then others get a turn. */
const STRETCH_UNITS = 60_000

/** The embedded reranker: BM25 over the documents of the call, then once more with the words of the
 *  best (RM3). It needs no weights. Scores are comparable within one answer only; tokens are words. */
export class LexicalEngine implements Engine {
  readonly name: string
  readonly operations: ReadonlySet<Operation> = new Set(['rerank'])
  readonly #analyzer: Analyzer

  constructor({ name, analyzer }: LexicalOptions) {
    this.name = name
    this.#analyzer = analyzer
  }

  async rerank({ query, documents, topN, model, signal }: RerankCall): Promise<RerankResult> {
    if (documents.length > DOCUMENTS_MAX)
      throw tooMany('documents', `has ${documents.length} entries`, `Send at most ${DOCUMENTS_MAX}.`)
    const units = documents.reduce((sum, document) => sum + document.length, query.length)
    if (units > UNITS_MAX)
      throw fault('context_too_long', {
        tokens: `more than ${UNITS_MAX} characters and not so many`,
        model,
        limit: UNITS_MAX,
      })
    signal.throwIfAborted()
    const pool = await this.#read(documents, signal)
    const asked = this.#analyzer.terms(query)
    const topical = asked.filter((term) => !STOP_TERMS.has(term))
    const question = new Map<string, number>()
    for (const term of topical.length > 0 ? topical : asked) question.set(term, (question.get(term) ?? 0) + 1)
    const first = pool.rank(question)
    const witnesses = first.filter(({ score }) => score > 0).slice(0, FEEDBACK_TEXTS_MAX)
    const expanded = expandQuestion(
      question,
      witnesses.map(({ index, score }) => ({ terms: pool.terms(index), score })),
      STOP_TERMS,
    )
    await turn()
    signal.throwIfAborted()
    const inputTokens = asked.length + pool.length
    return {
      results: pool.rank(expanded).slice(0, topN),
      usage: { inputTokens, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: 0, estimated: false },
    }
  }

  chat(_call: ChatCall, sink: ChatSink): Attempt {
    return unsupportedChat(this.name, sink)
  }

  embed(): Promise<never> {
    return Promise.reject(unsupported(this.name, 'embed'))
  }

  async models(): Promise<string[]> {
    return [this.name]
  }

  async #read(documents: readonly string[], signal: AbortSignal): Promise<Pool> {
    const terms: string[][] = []
    let read = 0
    for (const document of documents) {
      const of: string[] = []
      for (let at = 0; at < document.length;) {
        const end = wordBoundary(document, at + STRETCH_UNITS)
        for (const term of this.#analyzer.terms(document.slice(at, end))) of.push(term)
        read += end - at
        at = end
        if (read < STRETCH_UNITS) continue
        read = 0
        await turn()
        signal.throwIfAborted()
      }
      terms.push(of)
    }
    return new Pool(terms)
  }
}

interface Ranked {
  readonly index: number
  readonly score: number
}

/** The documents of one call. */
class Pool {
  readonly length: number
  readonly #terms: readonly (readonly string[])[]
  readonly #counts: readonly ReadonlyMap<string, number>[]

  constructor(terms: readonly (readonly string[])[]) {
    this.#terms = terms
    this.#counts = terms.map((list) => {
      const counts = new Map<string, number>()
      for (const term of list) counts.set(term, (counts.get(term) ?? 0) + 1)
      return counts
    })
    this.length = terms.reduce((sum, list) => sum + list.length, 0)
  }

  terms(index: number): readonly string[] {
    return this.#terms[index] ?? []
  }

  /** All documents, best first; equals stay in their order. */
  rank(weights: ReadonlyMap<string, number>): Ranked[] {
    const scores = new Float64Array(this.#counts.length)
    const lengthMean = this.length / Math.max(1, scores.length) || 1
    for (const [term, weight] of weights) {
      const holding = this.#counts.filter((counts) => counts.has(term)).length
      const worth = weight * inverseDocumentFrequency(scores.length, holding)
      for (const [index, counts] of this.#counts.entries()) {
        const count = counts.get(term)
        if (count === undefined) continue
        const norm = lengthNorm(this.terms(index).length, lengthMean)
        scores[index] = (scores[index] ?? 0) + worth * saturation(count, norm)
      }
    }
    return Array.from(scores, (score, index) => ({ index, score })).sort((a, b) => b.score - a.score)
  }
}

/** The nearest space at or after `from`, not far off: a word must not be cut in two. */
function wordBoundary(text: string, from: number): number {
  if (from >= text.length) return text.length
  const space = text.slice(from, from + 200).search(/\s/)
  return space < 0 ? Math.min(text.length, from + 200) : from + space
}

const tooMany = (field: string, problem: string, remedy: string): Fault =>
  fault('field_invalid', { field, problem, remedy })
