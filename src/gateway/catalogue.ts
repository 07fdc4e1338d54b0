import type { DeploymentHealth } from '../engine/health.ts'
import type { Engine, Operation } from '../engine/port.ts'
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
  readonly health?: Pick<DeploymentHealth, 'begin' | 'circuit' | 'tokensInFlight'>
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
 *  `cheapest`           by what the request can cost there; unknown prices last. */
export type Routing = 'weighted' | 'priority' | 'least_outstanding' | 'p2c' | 'cheapest'

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
  /** Absent for a workflow, which is never asked twice. */
  readonly retries?: Pick<RetryBudget, 'earn' | 'spend'>
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
