import type { Timer } from '../../base/clock.ts'
import type { Problem } from '../../base/errors.ts'
import type { Headers } from '../../base/http.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { Attempt, ChatEnd } from '../../engine/port.ts'
import type { CallDependencies, CallRequest, CallSink } from '../call.ts'
import { guardedCall } from '../guarded-call.ts'
import { deploymentName, type Deployment } from '../catalogue.ts'
import type { CacheControl } from './cache-control.ts'
import { answerKey, type Cached, hasTools } from './cache-keys.ts'
import type { Asked, CachedAnswer, ExactCache, Landing, Lead } from './exact-cache.ts'
import type { Near } from './meanings.ts'
import { askedQuestion, readQuestion } from './question.ts'

/** A call whose answer may be had from the cache: given again as it came, frame by frame; made once
 *  for all who ask the same at the same time. Who waits for another's answer gets it when it is
 *  whole, so that nobody's answer depends on another caller's staying. */

/** How long one waits for an answer that another is getting, at most. */
const WAIT_MS_MAX = 30_000

/** What one request makes of the cache. */
export class CacheUse {
  readonly #cache: ExactCache
  readonly #cached: Cached
  readonly #control: CacheControl
  readonly #promptVersion: string | undefined
  readonly #key: string | undefined
  #state: 'hit' | 'miss' | 'bypass'
  #ageMs = 0
  /** Of a hit on another question. */
  #similarity: number | undefined

  /** `promptVersion`: of the prompt that it was made from. */
  constructor(
    cache: ExactCache,
    cached: Cached,
    asked: { readonly body: JsonObject; readonly control: CacheControl; readonly promptVersion?: string | undefined },
  ) {
    this.#cache = cache
    this.#cached = cached
    this.#control = asked.control
    this.#promptVersion = asked.promptVersion
    const isBypassed = asked.control.noStore || (!cached.policy.tools && hasTools(asked.body))
    this.#state = isBypassed ? 'bypass' : 'miss'
    this.#key = isBypassed ? undefined : answerKey(cached, asked.body)
  }

  get state(): 'hit' | 'miss' | 'bypass' {
    return this.#state
  }

  headers(): Headers {
    const age = this.#state === 'hit' ? { age: String(Math.floor(this.#ageMs / 1000)) } : {}
    const near =
      this.#similarity === undefined ? {} : { 'x-headworks-cache-similarity': similarityText(this.#similarity) }
    return { 'x-headworks-cache': this.#state, ...age, ...near }
  }

  /** As the entry of the request says it. */
  record(): JsonObject {
    const similarity = this.#similarity
    return {
      cache: this.#state,
      ...(this.#state === 'hit' ? { cacheAgeMs: Math.floor(this.#ageMs) } : {}),
      ...(similarity === undefined ? {} : { cacheSimilarity: similarityText(similarity) }),
    }
  }

  call(dependencies: CallDependencies, request: CallRequest, sink: CallSink): Attempt {
    if (this.#key === undefined) return guardedCall(dependencies, request, sink)
    const { semantic } = this.#cached.policy
    const question = semantic && readQuestion(this.#cached, semantic, request, this.#promptVersion)
    const call = new CachedCall(this.#key, dependencies, request, sink, {
      lead: (key, onLanded) => this.#cache.lead(key, onLanded),
      find: (key) => this.#find(key),
      keep: (key, answer) => this.#cache.keep(key, answer, this.#cached.policy.ttlMs),
      isFresh: this.#control.noCache,
      ...(semantic === undefined || question === undefined
        ? {}
        : {
            place: (signal) => {
              const embedding = { cache: this.#cache, cached: this.#cached, control: this.#control, semantic }
              return askedQuestion(dependencies, request, { ...embedding, question }, signal)
            },
            near: (key, asked) => this.#near(key, asked, semantic.similarityMin),
          }),
    })
    call.start()
    return call
  }

  #find(key: string): CachedAnswer | undefined {
    const { maxAgeMs } = this.#control
    const found = this.#cache.find(key, maxAgeMs)
    if (found === undefined) return undefined
    if ('frames' in found.value) return this.#hit(found.value, found.ageMs, undefined)
    if (!('to' in found.value)) return undefined
    const { to, similarity } = found.value
    const answer = this.#cache.find(to, maxAgeMs)
    if (answer === undefined || !('frames' in answer.value)) return undefined
    return this.#hit(answer.value, answer.ageMs, similarity)
  }

  /** Found once, the same words find it again without being measured. */
  #near(key: string, asked: Asked, similarityMin: number): CachedAnswer | undefined {
    const near: Near | undefined = this.#cache.near(asked, similarityMin, this.#control.maxAgeMs)
    if (near === undefined) return undefined
    const { model, policy } = this.#cached
    this.#cache.keep(key, { model: model.name, to: near.key, similarity: near.similarity }, policy.ttlMs)
    return this.#find(key)
  }

  #hit(answer: CachedAnswer, ageMs: number, similarity: number | undefined): CachedAnswer {
    this.#state = 'hit'
    this.#ageMs = ageMs
    this.#similarity = similarity
    return answer
  }
}

const similarityText = (similarity: number): string => similarity.toFixed(4)

interface Shelf {
  lead(key: string, onLanded: (landing: Landing) => void): Lead | undefined
  find(key: string): CachedAnswer | undefined
  keep(key: string, answer: CachedAnswer): void
  /** The caller wants a new answer. */
  readonly isFresh: boolean
  /** Where the question lies; absent where its meaning is not to be looked at. Never rejects. */
  readonly place?: (signal: AbortSignal) => Promise<Asked | undefined>
  /** The answer to one that means the same. */
  readonly near?: (key: string, asked: Asked) => CachedAnswer | undefined
}

class CachedCall implements Attempt {
  readonly #key: string
  readonly #dependencies: CallDependencies
  readonly #request: CallRequest
  readonly #sink: CallSink
  readonly #shelf: Shelf
  #inner: Attempt | undefined
  #lead: Lead | undefined
  #timer: Timer | undefined
  /** Frames of a cached answer that were given. */
  #given = 0
  #replaying: CachedAnswer | undefined
  #isPaused = false
  #isOver = false
  /** While it is found out where the question lies. */
  readonly #placing = new AbortController()
  #asked: Asked | undefined

  constructor(key: string, dependencies: CallDependencies, request: CallRequest, sink: CallSink, shelf: Shelf) {
    this.#key = key
    this.#dependencies = dependencies
    this.#request = request
    this.#sink = sink
    this.#shelf = shelf
  }

  start(): void {
    if (this.#shelf.isFresh) return this.#make()
    const answer = this.#shelf.find(this.#key)
    if (answer !== undefined) return this.#replay(answer)
    let isWaiting = true
    const go = (landing: Landing): void => {
      if (!isWaiting || this.#isOver) return
      isWaiting = false
      this.#timer?.cancel()
      this.#timer = undefined
      if (landing === 'useless') this.#make()
      else this.start()
    }
    this.#lead = this.#shelf.lead(this.#key, go)
    if (this.#lead !== undefined) return this.#seek()
    this.#timer = this.#dependencies.clock.after(WAIT_MS_MAX, () => go('useless'))
  }

  cancel(): void {
    this.#isOver = true
    this.#timer?.cancel()
    this.#placing.abort()
    this.#inner?.cancel()
    this.#lead?.land('abandoned')
  }

  pause(): void {
    this.#isPaused = true
    this.#inner?.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#inner?.resume()
    if (this.#replaying !== undefined) this.#give()
  }

  /** What nobody has asked in these words may have been asked in others. */
  #seek(): void {
    const { place, near } = this.#shelf
    if (place === undefined || near === undefined) return this.#make()
    const placed = (asked: Asked | undefined): void => {
      if (this.#isOver) return
      this.#asked = asked
      const answer = asked && near(this.#key, asked)
      if (answer === undefined) return this.#make()
      this.#lead?.land('kept')
      this.#replay(answer)
    }
    void place(this.#placing.signal).then(placed)
  }

  #make(): void {
    const frames: JsonObject[] = []
    let deployment: Deployment | undefined
    const inner = guardedCall(this.#dependencies, this.#request, {
      commit: (chosen) => {
        deployment = chosen
        this.#sink.commit(chosen)
      },
      frame: (frame) => {
        frames.push(frame)
        this.#sink.frame(frame)
      },
      end: (end) => {
        const isKept = deployment !== undefined && this.#keep(deployment, frames, end)
        this.#lead?.land(isKept ? 'kept' : 'useless')
        this.#sink.end(end)
      },
      fail: (problem: Problem) => {
        this.#lead?.land('useless') // First: whoever is told of a failure lets go of the attempt.
        this.#sink.fail(problem)
      },
    })
    if (this.#isOver) return inner.cancel()
    this.#inner = inner
    if (this.#isPaused) inner.pause()
  }

  /** What another model said, or what was cut short (a budget may have done that), is not what the next
   *  would get. */
  #keep(deployment: Deployment, frames: readonly JsonObject[], end: ChatEnd): boolean {
    const { model } = this.#request
    const { usage } = end
    if (usage === undefined || !model.deployments.includes(deployment) || !frames.every(isWhole)) return false
    const asked = this.#asked === undefined ? {} : { asked: this.#asked }
    this.#shelf.keep(this.#key, { model: model.name, deployment, frames, end: { ...end, usage }, ...asked })
    return true
  }

  #replay(answer: CachedAnswer): void {
    this.#replaying = answer
    // By then whoever called has this attempt, and can pause it.
    queueMicrotask(() => {
      if (this.#isOver) return
      this.#sink.commit(answer.deployment)
      this.#give()
    })
  }

  #give(): void {
    const answer = this.#replaying
    while (!this.#isPaused && !this.#isOver) {
      const frame = answer?.frames[this.#given++]
      if (frame === undefined) break
      this.#sink.frame(frame)
    }
    if (this.#isPaused || this.#isOver || answer === undefined) return
    this.#isOver = true
    const { usage } = answer.end
    this.#request.spending.charges.push({
      deployment: deploymentName(answer.deployment),
      usage,
      costNanoUsd: 0n,
      priceVersion: 'cache',
    })
    this.#sink.end(answer.end)
  }
}

const isWhole = (frame: JsonObject): boolean => {
  const choices = frame['choices']
  return (
    !Array.isArray(choices) ||
    (choices as readonly Json[]).every(
      (choice) => !isObject(choice) || !CUT_SHORT.has(String(choice['finish_reason'] ?? '')),
    )
  )
}

const CUT_SHORT: ReadonlySet<string> = new Set(['length', 'content_filter', 'error'])
