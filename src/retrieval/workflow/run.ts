import { fault, toFault } from '../../base/errors.ts'
import type { JsonObject } from '../../base/json.ts'
import type { Attempt, ChatCall, ChatEnd, ChatSink } from '../../engine/port.ts'
import type { OpenSpan } from '../../trace/trace.ts'
import type { Passage } from '../passage.ts'
import { distinct, fitPassages, newMarks, promptWith, sourcesText } from './assemble.ts'
import { askModel } from './ask.ts'
import { annotations, citationsIn, type Citation, quotesOf, sourcesJson } from './cite.ts'
import { Draft, withAnnotations } from './draft.ts'
import type { WorkflowDependencies } from './dependencies.ts'
import { evidenceOf, isLexical, saysUnanswered } from './evidence.ts'
import { find, type Found } from './find.ts'
import {
  type Claim,
  claimsOf,
  type Groundedness,
  groundednessJson,
  judgePrompt,
  lexicalGroundedness,
  readVerdicts,
  scoreOf,
} from './ground.ts'
import { lineageOf } from './lineage.ts'
import { LinkRules } from './links.ts'
import { offer, type Offered, Outlet } from './outlet.ts'
import { hashOf, type WorkflowSpec } from './spec.ts'

/** One answer of a workflow, stage by stage: rewrite, search, rerank, assemble, generate, ground. */

const JUDGE_TOKENS_MAX = 1024

const NOT_IN_SOURCES = 'The sources do not answer this question.'

/** Who decided that the sources do not hold an answer. */
type Decider = 'retrieval' | 'engine' | 'statement' | 'citations'

interface Answered {
  readonly draft: Draft
  readonly last: JsonObject
  readonly citations: readonly Citation[]
  readonly decider: Decider | undefined
  readonly deployment: string | null
  readonly score: Groundedness | undefined
  readonly end: ChatEnd
}

export class Run implements Attempt {
  #spec: WorkflowSpec
  readonly #version: string
  readonly #dependencies: WorkflowDependencies
  readonly #call: ChatCall
  readonly #sink: ChatSink
  readonly #stop = new AbortController()
  #inner: Attempt | undefined
  #over = false
  #paused = false
  /** Models beside the answering one were called: its usage is not the whole's. */
  #isShared = false
  #passages: readonly Passage[] = []
  #offered: Offered | undefined
  #evidence = 0
  #lineage: JsonObject = {}
  #draft: Draft | undefined
  #sentFirst = false

  constructor(spec: WorkflowSpec, version: string, dependencies: WorkflowDependencies, call: ChatCall, sink: ChatSink) {
    this.#spec = spec
    this.#version = version
    this.#dependencies = dependencies
    this.#call = call
    this.#sink = sink
  }

  async start(): Promise<void> {
    const { explainNothing, instructionsOf } = this.#dependencies
    const { prompt } = this.#spec
    if (prompt !== undefined && instructionsOf !== undefined)
      this.#spec = { ...this.#spec, ...(await instructionsOf(prompt)) }
    const { collection, evidenceMin } = this.#spec
    this.#offered = offer(this.#call.body, this.#spec.policy)
    const found = await find(this.#spec, this.#dependencies, this.#call, this.#stop.signal)
    if (this.#over) return
    this.#isShared = found.isShared
    this.#assemble(found)
    if (this.#passages.length === 0) return this.#unanswered(await explainNothing(collection))
    if (isLexical(this.#passages) && this.#evidence < evidenceMin) return this.#unanswered(NOT_IN_SOURCES)
    this.#generate(this.#offered)
  }

  cancel(): void {
    this.#over = true
    this.#stop.abort(fault('stream_broken', { engine: this.#spec.name, reason: 'the caller left' }))
    this.#inner?.cancel()
  }

  pause(): void {
    this.#paused = true
    this.#inner?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#inner?.resume()
  }

  fail(thrown: unknown): void {
    if (this.#over) return
    this.#over = true
    this.#sink.fail(toFault(thrown))
  }

  #assemble({ question, rewrite, passages: ranked, found }: Found): void {
    const { span } = this.#call
    const { contextTokensMax, model } = this.#spec
    const { analyzer, tokenizersOf } = this.#dependencies
    const assembly = span.child('assemble')
    const tokenizers = tokenizersOf(model)
    this.#evidence = Math.round(evidenceOf(analyzer, question, ranked) * 1000) / 1000
    const { passages, tokens } = fitPassages(distinct(analyzer, ranked), contextTokensMax, tokenizers)
    this.#passages = passages
    const counted = [...new Set(tokenizers.map(({ name }) => name))]
    const context = { tokens, tokensMax: contextTokensMax, tokenizers: counted }
    assembly.end({ passages: passages.length, evidence: this.#evidence, ...context })
    const shown = { question, rewrite, found, evidence: this.#evidence, context, passages }
    this.#lineage = lineageOf({ spec: this.#spec, version: this.#version, ...shown })
    const { prompt } = this.#spec
    span.note({ lineage: this.#lineage, ...(prompt === undefined ? {} : { prompt }) })
  }

  #generate(offered: Offered): void {
    const { requestId, spending, stream, outputTokensMax } = this.#call
    const { random } = this.#dependencies
    const span = this.#call.span.child('generate')
    this.#draft = new Draft(
      new Outlet(offered, new LinkRules(this.#spec.policy, this.#passages)),
      this.#passages,
      stream,
    )
    const marks = newMarks(random, this.#spec.spotlight)
    const body = promptWith(offered.body, this.#spec, this.#passages, marks)
    const inner = this.#dependencies.callModel(
      this.#spec.model,
      { requestId, span, spending, stream, outputTokensMax, body },
      {
        frame: (frame) => this.#frame(frame),
        end: (end) => {
          span.end({ model: this.#spec.model })
          this.#end(end)
        },
        fail: (cause) => {
          span.end({ model: this.#spec.model, error: cause.code })
          this.fail(cause)
        },
      },
    )
    if (this.#over) return inner.cancel()
    this.#inner = inner
    if (this.#paused) inner.pause()
  }

  #frame(frame: JsonObject): void {
    if (this.#over) return
    const passed = this.#draft?.take(frame)
    if (passed === undefined) return
    const named: JsonObject = { ...passed, model: this.#spec.name }
    this.#sink.frame(this.#sentFirst ? named : { ...named, headworks: this.#opening() })
    this.#sentFirst = true
  }

  #end(end: ChatEnd): void {
    const draft = this.#draft
    if (this.#over || draft === undefined) return
    const deployment = this.#call.spending.charges.at(-1)?.deployment ?? null
    const last = draft.finish()
    const citations = citationsIn(this.#dependencies.analyzer, draft.text, this.#passages, draft.says.quotes)
    const decider = this.#unansweredBy(draft, citations)
    const complete = (score: Groundedness | undefined): void =>
      this.#complete({ draft, last, citations, decider, deployment, score, end })
    // A call of a tool states nothing yet.
    const score = decider === undefined && draft.text !== '' ? this.#ground(draft.text) : undefined
    if (!(score instanceof Promise)) return complete(score)
    score.then(complete).catch((thrown: unknown) => this.fail(thrown))
  }

  #complete({ draft, last, citations, decider, deployment, score, end }: Answered): void {
    if (this.#over) return
    const { reported, text, says, outlet } = draft
    const kept = {
      toolsWithheld: this.#offered?.withheld ?? 0,
      callsDropped: outlet.callsDropped,
      linksRemoved: outlet.linksRemoved,
    }
    const verdict = this.#verdict(decider, score)
    const cited = [...new Set(citations.map(({ source }) => source))]
    this.#note(verdict, { deployment, reported, answerHash: hashOf(text), cited, policy: kept })
    this.#close(withAnnotations(last, annotations(citations, this.#passages)), {
      sources: sourcesJson(this.#passages, says.quotes ?? quotesOf(citations)),
      ...verdict,
      policy: {
        tools_withheld: kept.toolsWithheld,
        calls_dropped: kept.callsDropped,
        links_removed: kept.linksRemoved,
      },
    })
    // What the whole took is the sum of its calls, not what the last one says of itself.
    if (!this.#over) this.#finish(this.#isShared ? {} : end)
  }

  #unansweredBy(draft: Draft, citations: readonly Citation[]): Decider | undefined {
    if (draft.says.answered !== undefined) return draft.says.answered ? undefined : 'engine'
    if (draft.outlet.calls > 0) return undefined
    if (saysUnanswered(draft.text)) return 'statement'
    return citations.length === 0 ? 'citations' : undefined
  }

  /** At once where no model is asked. */
  #ground(answer: string): Groundedness | undefined | Promise<Groundedness | undefined> {
    const { groundedness: by } = this.#spec
    if (by === 'none') return undefined
    const span = this.#call.span.child('ground')
    const closed = (score: Groundedness | undefined): Groundedness | undefined => {
      span.end(score === undefined ? { sentences: 0 } : groundednessJson(score))
      return score
    }
    const { analyzer } = this.#dependencies
    const lexical = lexicalGroundedness(analyzer, answer, this.#passages)
    if (by === 'lexical' || lexical === undefined) return closed(lexical)
    return this.#judge(by, claimsOf(analyzer, answer, this.#passages.length), span).then((score) =>
      closed(score ?? lexical),
    )
  }

  /** Undefined where the judge fails or does not say. */
  async #judge(model: string, claims: readonly Claim[], span: OpenSpan): Promise<Groundedness | undefined> {
    const { random, callModel } = this.#dependencies
    const { requestId, spending } = this.#call
    this.#isShared = true
    const sources = sourcesText(this.#passages, newMarks(random, 'delimit'))
    const reply = await askModel(callModel, model, {
      requestId,
      spending,
      span,
      signal: this.#stop.signal,
      messages: judgePrompt(claims, sources),
      outputTokensMax: JUDGE_TOKENS_MAX,
    })
    const verdicts = reply === undefined ? undefined : readVerdicts(reply, claims.length)
    return verdicts === undefined ? undefined : scoreOf(verdicts, { method: 'model', model })
  }

  #verdict(decider: Decider | undefined, grounded: Groundedness | undefined): JsonObject {
    return {
      answered: decider === undefined,
      ...(decider === undefined ? {} : { unanswered_by: decider }),
      evidence: this.#evidence,
      ...(grounded === undefined ? {} : { groundedness: groundednessJson(grounded) }),
      workflow_version: this.#version,
    }
  }

  /** What the journal keeps of it. */
  #note({ unanswered_by: by, answered, evidence, groundedness }: JsonObject, generation: JsonObject): void {
    this.#call.span.note({
      answered,
      evidence,
      ...(groundedness === undefined ? {} : { groundedness }),
      ...(by === undefined ? {} : { unansweredBy: by }),
      lineage: { ...this.#lineage, ...generation },
    })
  }

  /** Said plainly, without asking a model to invent something. */
  #unanswered(content: string): void {
    if (this.#over) return
    const verdict = this.#verdict('retrieval', undefined)
    this.#call.span.note({ answered: false, unansweredBy: 'retrieval', evidence: this.#evidence })
    const message = { role: 'assistant', content }
    const headworks = { sources: sourcesJson(this.#passages, []), ...verdict }
    if (!this.#call.stream) {
      this.#close({ object: 'chat.completion', choices: [{ index: 0, message, finish_reason: 'stop' }] }, headworks)
    } else {
      const chunk = { ...this.#common(), object: 'chat.completion.chunk' }
      this.#sink.frame({
        ...chunk,
        choices: [{ index: 0, delta: message, finish_reason: null }],
        headworks: this.#opening(),
      })
      if (this.#over) return
      this.#close({ ...chunk, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }, headworks)
    }
    if (!this.#over) this.#finish({})
  }

  /** The last frame, or the only one. */
  #close(frame: JsonObject, headworks: JsonObject): void {
    this.#sink.frame({ ...this.#common(), ...frame, model: this.#spec.name, headworks })
  }

  #finish(end: ChatEnd): void {
    this.#over = true
    this.#sink.end(end)
  }

  #common(): JsonObject {
    return {
      id: this.#call.requestId,
      created: Math.floor(this.#dependencies.clock.wallMs() / 1000),
      model: this.#spec.name,
    }
  }

  #opening(): JsonObject {
    return {
      request_id: this.#call.requestId,
      workflow_version: this.#version,
      sources: sourcesJson(this.#passages, []),
    }
  }
}
