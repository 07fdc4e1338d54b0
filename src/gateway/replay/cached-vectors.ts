import { sleep } from '../../base/clock.ts'
import { Refusal } from '../../base/errors.ts'
import type { Headers } from '../../base/http.ts'
import type { JsonObject } from '../../base/json.ts'
import { estimateTextTokens } from '../../meter/estimate.ts'
import { inputTokensOf, NO_USAGE } from '../../meter/usage.ts'
import type { CallDependencies } from '../call.ts'
import { deploymentName, type Deployment } from '../catalogue.ts'
import { askInTurn, type DirectCall } from '../in-turn.ts'
import type { CacheControl } from './cache-control.ts'
import { type Cached, textKey, vectorsKey } from './cache-keys.ts'
import type { CachedVector, ExactCache, Landing } from './exact-cache.ts'

/** Embeddings whose vectors may be had from the cache, text by text: only what is not there is asked, once
 *  for all who ask for it at the same time. */

export interface Embedded {
  readonly deployment: Deployment
  /** One per input, in order. */
  readonly vectors: readonly Float32Array[]
  /** Of all inputs. */
  readonly tokens: number
}

export type EmbeddingCall = Omit<DirectCall, 'operation' | 'texts' | 'textsFor' | 'units'>

/** How long one waits for a vector that another is getting, at most. */
const WAIT_MS_MAX = 30_000

/** Rejects with the last `Fault`; a budget's refusal is returned. `use`: where the model has a cache. */
export function embedTexts(
  dependencies: CallDependencies,
  call: EmbeddingCall,
  inputs: readonly string[],
  use?: VectorUse,
): Promise<Embedded | Refusal> {
  return use === undefined ? asked(dependencies, call, inputs) : use.embed(dependencies, call, inputs)
}

/** What one request makes of the cache. */
export class VectorUse {
  readonly #cache: ExactCache
  readonly #cached: Cached
  readonly #control: CacheControl
  readonly #prefix: string
  #state: 'hit' | 'partial' | 'miss' | 'bypass'
  #ageMs = 0

  constructor(cache: ExactCache, cached: Cached, control: CacheControl) {
    this.#cache = cache
    this.#cached = cached
    this.#control = control
    this.#prefix = vectorsKey(cached)
    this.#state = control.noStore ? 'bypass' : 'miss'
  }

  headers(): Headers {
    const age = this.#isGiven ? { age: String(Math.floor(this.#ageMs / 1000)) } : {}
    return { 'x-headworks-cache': this.#state, ...age }
  }

  /** As the entry of the request says it. */
  record(): JsonObject {
    return { cache: this.#state, ...(this.#isGiven ? { cacheAgeMs: Math.floor(this.#ageMs) } : {}) }
  }

  get #isGiven(): boolean {
    return this.#state === 'hit' || this.#state === 'partial'
  }

  async embed(
    dependencies: CallDependencies,
    call: EmbeddingCall,
    inputs: readonly string[],
  ): Promise<Embedded | Refusal> {
    if (this.#control.noStore) return asked(dependencies, call, inputs)
    const texts = [...new Set(inputs)]
    // Whoever waits gets nothing itself meanwhile; nobody comes between the last look and the lead.
    for (let waiting = this.#flights(texts); waiting.length > 0; waiting = this.#flights(texts))
      if (!(await allLanded(dependencies, call, waiting))) break
    const found = this.#found(texts)
    const missing = texts.filter((text) => !found.has(text))
    const [first] = found.values()
    const made =
      first !== undefined && missing.length === 0
        ? { deployment: first.deployment, vectors: [], tokens: 0 }
        : await this.#make(dependencies, call, texts, missing)
    if (made instanceof Refusal) return made
    // Vectors of another model are not to be mixed with these.
    const isAlone = made.vectors.length === texts.length
    const [hits, fresh] = isAlone ? [new Map<string, CachedVector>(), texts] : [found, missing]
    const vectors = new Map(fresh.map((text, at) => [text, made.vectors[at]]))
    const tokens = made.tokens + this.#given(call, hits, missing.length === 0)
    const of = (text: string): Float32Array => hits.get(text)?.vector ?? vectors.get(text) ?? new Float32Array()
    return { deployment: made.deployment, vectors: inputs.map(of), tokens }
  }

  #flights(texts: readonly string[]): Promise<Landing>[] {
    return this.#control.noCache ? [] : texts.flatMap((text) => this.#cache.flight(this.#key(text)) ?? [])
  }

  #found(texts: readonly string[]): Map<string, CachedVector> {
    const found = new Map<string, CachedVector>()
    if (this.#control.noCache) return found
    for (const text of texts) {
      const kept = this.#cache.find(this.#key(text), this.#control.maxAgeMs)
      if (kept === undefined || !('vector' in kept.value)) continue
      found.set(text, kept.value)
      this.#ageMs = Math.max(this.#ageMs, kept.ageMs)
    }
    return found
  }

  /** Vectors of all `texts` where another model answers in place of this one, else of those `missing`. */
  async #make(
    dependencies: CallDependencies,
    call: EmbeddingCall,
    texts: readonly string[],
    missing: readonly string[],
  ): Promise<Embedded | Refusal> {
    const leads = missing.flatMap((text) => this.#cache.lead(this.#key(text), () => {}) ?? [])
    let landing: Landing = 'useless'
    const { deployments } = this.#cached.model
    try {
      const made = await asked(dependencies, call, texts, (one) => (deployments.includes(one) ? missing : texts))
      if (made instanceof Refusal) return made
      if (deployments.includes(made.deployment)) {
        this.#keep(made, missing)
        landing = 'kept'
      }
      return made
    } finally {
      if (call.signal.aborted && landing === 'useless') landing = 'abandoned'
      for (const lead of leads) lead.land(landing)
    }
  }

  #keep({ deployment, vectors }: Embedded, texts: readonly string[]): void {
    const { model, policy } = this.#cached
    for (const [at, text] of texts.entries()) {
      const vector = vectors[at]
      if (vector === undefined) continue
      const tokens = estimateTextTokens(text, deployment.tokenizer)
      // Of its own: one cut from a whole answer would keep all of that.
      this.#cache.keep(this.#key(text), { model: model.name, deployment, vector: vector.slice(), tokens }, policy.ttlMs)
    }
  }

  /** What came from the cache is on the bill, at no cost. */
  #given({ spending }: EmbeddingCall, hits: ReadonlyMap<string, CachedVector>, isAll: boolean): number {
    const [first] = hits.values()
    if (first === undefined) return 0
    this.#state = isAll ? 'hit' : 'partial'
    const tokens = hits.values().reduce((sum, one) => sum + one.tokens, 0)
    spending.charges.push({
      deployment: deploymentName(first.deployment),
      usage: { ...NO_USAGE, inputTokens: tokens, estimated: true },
      costNanoUsd: 0n,
      priceVersion: 'cache',
    })
    return tokens
  }

  #key(text: string): string {
    return textKey(this.#prefix, text)
  }
}

/** False where it is no use to look again. */
async function allLanded(
  { clock }: CallDependencies,
  { signal }: EmbeddingCall,
  flights: readonly Promise<Landing>[],
): Promise<boolean> {
  const stop = new AbortController()
  const late = sleep(clock, WAIT_MS_MAX, AbortSignal.any([signal, stop.signal])).catch(() => {})
  const landings = await Promise.race([Promise.all(flights), late])
  stop.abort()
  return landings?.includes('useless') === false
}

async function asked(
  dependencies: CallDependencies,
  call: EmbeddingCall,
  texts: readonly string[],
  textsFor: (deployment: Deployment) => readonly string[] = () => texts,
): Promise<Embedded | Refusal> {
  const made = await askInTurn(
    dependencies,
    { ...call, operation: 'embed', texts, textsFor },
    async (deployment, context) => {
      const { engine, model } = deployment
      const { vectors, usage } = await engine.embed({ ...context, model, inputs: textsFor(deployment) })
      return { vectors, usage }
    },
  )
  if (made instanceof Refusal) return made
  const { usage } = call.spending.charges.at(-1) ?? call.spending.total
  return { deployment: made.deployment, vectors: made.answered.vectors, tokens: inputTokensOf(usage) }
}
