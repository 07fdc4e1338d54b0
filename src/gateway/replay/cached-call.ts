import { hash } from 'node:crypto'
import type { Timer } from '../../base/clock.ts'
import type { Problem } from '../../base/errors.ts'
import type { Headers } from '../../base/http.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { Attempt, ChatEnd } from '../../engine/port.ts'
import type { Scopes } from '../../guard/identify.ts'
import type { CallDependencies, CallRequest, CallSink } from '../call.ts'
import { guardedCall } from '../guarded-call.ts'
import { type CachePolicy, deploymentName, type Deployment, type LogicalModel } from '../catalogue.ts'
import type { CachedAnswer, ExactCache, Landing, Lead } from './exact-cache.ts'

/** A call whose answer may be had from the cache: given again as it came, frame by frame; made once
 *  for all who ask the same at the same time. Who waits for another's answer gets it when it is
 *  whole, so that nobody's answer depends on another caller's staying. */

/** What a caller asks of caches (RFC 9111, section 5.2.1), as far as it is about answers. */
export interface CacheControl {
  readonly noStore: boolean
  readonly noCache: boolean
  readonly maxAgeMs: number
}

export function readCacheControl(header: string | undefined): CacheControl {
  const directives = (header ?? '').toLowerCase().split(',')
  const names = new Set(directives.map((one) => one.trim()))
  const ages = directives.map((one) => /^\s*max-age\s*=\s*"?(\d{1,9})"?\s*$/.exec(one)?.[1]).filter(Boolean)
  return {
    noStore: names.has('no-store'),
    noCache: names.has('no-cache'),
    maxAgeMs: Math.min(Infinity, ...ages.map((age) => Number(age) * 1000)),
  }
}

/** How long one waits for an answer that another is getting, at most. */
const WAIT_MS_MAX = 30_000

/** Says who asks, and nothing about the answer. */
const NOT_ASKED: ReadonlySet<string> = new Set([
  'user',
  'metadata',
  'safety_identifier',
  'prompt_cache_key',
  'stream_options',
  'store',
])

/** What one request makes of the cache. */
export class CacheUse {
  readonly #cache: ExactCache
  readonly #policy: CachePolicy
  readonly #control: CacheControl
  readonly #key: string | undefined
  #state: 'hit' | 'miss' | 'bypass'
  #ageMs = 0

  constructor(
    cache: ExactCache,
    { model, policy }: { readonly model: LogicalModel; readonly policy: CachePolicy },
    asked: { readonly body: JsonObject; readonly scopes: Scopes; readonly control: CacheControl },
  ) {
    this.#cache = cache
    this.#policy = policy
    this.#control = asked.control
    const isBypassed = asked.control.noStore || (!policy.tools && hasTools(asked.body))
    this.#state = isBypassed ? 'bypass' : 'miss'
    this.#key = isBypassed ? undefined : keyOf(model, policy, asked.scopes, asked.body)
  }

  get state(): 'hit' | 'miss' | 'bypass' {
    return this.#state
  }

  headers(): Headers {
    const age = this.#state === 'hit' ? { age: String(Math.floor(this.#ageMs / 1000)) } : {}
    return { 'x-headworks-cache': this.#state, ...age }
  }

  call(dependencies: CallDependencies, request: CallRequest, sink: CallSink): Attempt {
    if (this.#key === undefined) return guardedCall(dependencies, request, sink)
    const call = new CachedCall(this.#key, dependencies, request, sink, {
      lead: (key, onLanded) => this.#cache.lead(key, onLanded),
      find: (key) => this.#find(key),
      keep: (key, answer) => this.#cache.keep(key, answer, this.#policy.ttlMs),
      isFresh: this.#control.noCache,
    })
    call.start()
    return call
  }

  #find(key: string): CachedAnswer | undefined {
    const found = this.#cache.find(key, this.#control.maxAgeMs)
    if (found === undefined) return undefined
    this.#state = 'hit'
    this.#ageMs = found.ageMs
    return found.answer
  }
}

interface Shelf {
  lead(key: string, onLanded: (landing: Landing) => void): Lead | undefined
  find(key: string): CachedAnswer | undefined
  keep(key: string, answer: CachedAnswer): void
  /** The caller wants a new answer. */
  readonly isFresh: boolean
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
    if (this.#lead !== undefined) return this.#make()
    this.#timer = this.#dependencies.clock.after(WAIT_MS_MAX, () => go('useless'))
  }

  cancel(): void {
    this.#isOver = true
    this.#timer?.cancel()
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
    this.#shelf.keep(this.#key, { model: model.name, deployment, frames, end: { ...end, usage } })
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

const hasTools = (body: JsonObject): boolean =>
  [body['tools'], body['functions']].some((tools) => Array.isArray(tools) && tools.length > 0)

function keyOf(model: LogicalModel, policy: CachePolicy, scopes: Scopes, body: JsonObject): string {
  const { key, tenant, user } = scopes
  const whose = policy.scope === 'tenant' && tenant !== undefined ? { tenant } : { key }
  const asked = Object.fromEntries(Object.entries(body).filter(([field]) => !NOT_ASKED.has(field)))
  return hash(
    'sha256',
    canonical({
      whose: { ...whose, ...(policy.scope === 'user' && user !== undefined ? { user } : {}) },
      model: model.name,
      version: policy.version,
      outputTokensMax: model.outputTokensMax,
      asked: { stream: false, ...asked },
    }),
    'hex',
  )
}

/** The same text for the same value, whatever the order of its fields (as RFC 8785 has it). */
function canonical(value: Json | undefined): string {
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(canonical).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value ?? null)
  const fields = Object.keys(value).filter((name) => value[name] !== undefined)
  return `{${fields
    .toSorted()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`)
    .join(',')}}`
}
