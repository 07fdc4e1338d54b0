import { createHash } from 'node:crypto'
import type { Json } from '../../base/json.ts'
import { instructionsOf } from './instructions.ts'
import type { LinkPolicy } from './links.ts'

/** What a workflow is, and which version of it. */

export interface WorkflowSpec {
  readonly name: string
  readonly collection: string
  readonly topK: number
  /** How a question that leans on the conversation is made to stand alone: `terms` of earlier
   *  questions are carried over, or the model of this name writes it; `none`. */
  readonly rewrite: string
  /** The model that reorders what was found. */
  readonly rerank?: string
  /** The model that answers. */
  readonly model: string
  readonly contextTokensMax: number
  readonly instructions?: string
  /** The prompt that the instructions are taken from, as it is declared: `answer@production`; then, as it was
   *  found: `answer@3`. */
  readonly prompt?: string
  readonly spotlight: 'delimit' | 'datamark'
  /** Share of the question's words that the passages must hold for a model to be asked, 0 to 1. */
  readonly evidenceMin: number
  /** What judges whether an answer rests on its sources: `lexical`, the model of this name, `none`. */
  readonly groundedness: string
  readonly policy: WorkflowPolicy
}

export interface WorkflowPolicy extends LinkPolicy {
  /** `none`: the model is offered no tools, and calls none. `caller`: those of the request. */
  readonly tools: 'none' | 'caller'
}

/** Grows when answers are shaped otherwise by the same declaration. */
const SHAPE = 1

const VERSION_DIGITS = 16

/** The same for all that answers alike: a hash over everything that shapes an answer. `models`: what
 *  stands behind the names of models. */
export function versionOf(spec: WorkflowSpec, models: Json): string {
  const { name: _, ...shaping } = spec
  return hashOf(canonical({ shape: SHAPE, ...shaping, prompt: promptVersionOf(spec), models })).slice(0, VERSION_DIGITS)
}

/** Of all that is said to the model beside sources and conversation. */
export const promptVersionOf = (spec: WorkflowSpec): string =>
  hashOf(instructionsOf(spec, { nonce: '' })).slice(0, VERSION_DIGITS)

/** SHA-256, hexadecimal. */
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** JSON whose fields stand in one order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  )
}
