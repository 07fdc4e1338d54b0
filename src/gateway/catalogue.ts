import type { Books } from '../engine/health.ts'
import type { Engine, Operation } from '../engine/port.ts'
import type { Outliers } from '../engine/outliers.ts'
import type { RetryBudget } from '../engine/retries.ts'
import type { PriceAt } from '../meter/prices.ts'
import type { Tokenizer } from '../meter/tokenizer/tokenizer.ts'
import type { Guardrails } from '../guard/guardrails/guardrails.ts'
import type { GateSettings } from './admission/gate.ts'

/** What callers can name, resolved when the configuration loads: per request only look-ups
 *  remain. */

export interface Deployment {
  readonly engine: Engine
  /** The engine's own name of the model. */
  readonly model: string
  /** Share of first attempts, relative to its siblings; 0 takes none. */
  readonly weight: number
  readonly label?: string
  /** Absent, or undefined at an instant: calls are counted, and their cost is unknown, which is not
   *  the same as free. */
  readonly priceAt?: PriceAt
  /** What its input is counted with; absent: its bytes. */
  readonly tokenizer?: Tokenizer
  /** How it fares. Absent for a workflow: the calls that it makes have their own. */
  readonly health?: Books
}

export interface Timeouts {
  readonly connectMs: number
  /** From sending the request to the first content. */
  readonly firstTokenMs: number
  readonly betweenTokensMs: number
  readonly totalMs: number
}

/** In which order the deployments of a model are tried:
 *  `weighted`           drawn by weight.
 *  `priority`           as they stand in the file.
 *  `least_outstanding`  least tokens in flight for its weight.
 *  `p2c`                the better of two drawn by weight, likewise (Mitzenmacher, "The Power of Two
 *                       Choices in Randomized Load Balancing", 2001).
 *  `cheapest`           by what the request can cost there; unknown prices last.
 *  `fastest`            by how soon it will begin to answer. */
export type Routing = 'weighted' | 'priority' | 'least_outstanding' | 'p2c' | 'cheapest' | 'fastest'

/** What makes requests keep to one deployment: their user, their session, or what it has cached of their
 *  prompt, until it works on so many tokens for its weight that it has not cached. */
export type Affinity = { readonly by: 'user' | 'session' } | { readonly by: 'prefix'; readonly releaseTokens: number }

/** Whether answers are given again to the same question. */
export interface CachePolicy {
  readonly ttlMs: number
  /** Who shares them: one key, the keys of one tenant, or nobody but one user of one key. */
  readonly scope: 'key' | 'tenant' | 'user'
  /** Requests that offer tools take part. */
  readonly tools: boolean
  /** Changes with the deployments and their engines, and with what measures meanings. */
  readonly version: string
  /** Absent: only the very same question is answered again. */
  readonly semantic?: SemanticPolicy
}

/** Whether answers are also given to questions that mean the same. */
export interface SemanticPolicy {
  /** The model that says where a question lies. */
  readonly embedding: string
  /** Cosine of two questions, at least. */
  readonly similarityMin: number
  /** Turns of the user in a conversation, at most. */
  readonly turnsMax: number
}

export interface LogicalModel {
  readonly name: string
  readonly kind: 'model' | 'workflow'
  readonly description: string
  /** Of a workflow: the same for all that answers alike. */
  readonly version?: string
  readonly operations: readonly Operation[]
  readonly deployments: readonly Deployment[]
  /** Absent: `weighted`. */
  readonly routing?: Routing
  /** Of `fastest`: how soon an answer shall begin, 95 times of 100. */
  readonly firstTokenMs?: number
  /** Absent: requests keep to nobody. */
  readonly affinity?: Affinity
  /** Absent: one deployment at a time is asked. Otherwise another is asked as well where a stream has not
   *  begun after so long; without a time, after the 95th percentile of the fastest. */
  readonly hedge?: { readonly afterMs?: number }
  /** Absent: nobody is ejected for being worse than its peers. */
  readonly outliers?: Pick<Outliers, 'look'>
  /** Absent for a workflow, which is never asked twice. */
  readonly retries?: Pick<RetryBudget, 'earn' | 'spend' | 'spendSpare'>
  /** Tried in order when every deployment has failed before its first content. */
  readonly fallback: readonly LogicalModel[]
  /** The cap of every call; a caller may ask for less. */
  readonly outputTokensMax: number
  readonly timeouts: Timeouts
  /** What its requests and answers are looked at by. */
  readonly guardrails?: Guardrails
  /** Absent: every question is asked anew. */
  readonly cache?: CachePolicy
  /** Absent: every request is called at once. */
  readonly admission?: GateSettings
}

export type Catalogue = ReadonlyMap<string, LogicalModel>

/** `engine/model`, as shown in headers, traces and errors. */
export const deploymentName = ({ engine, model }: Pick<Deployment, 'engine' | 'model'>): string =>
  model === engine.name ? model : `${engine.name}/${model}`
