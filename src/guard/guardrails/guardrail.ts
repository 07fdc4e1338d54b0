import type { Detector } from './finding.ts'
import type { RemoteCheck } from './remote.ts'

/** What becomes of a finding.
 *  `note`      it is counted on the record of the request, and nothing else.
 *  `redact`    `[EMAIL]` stands in its place.
 *  `tokenise`  `<EMAIL_1>` stands in its place, for the model alone: the answer has it again.
 *  `block`     the request is refused, or the answer ended. */
export type Action = 'note' | 'redact' | 'tokenise' | 'block'

interface Common {
  readonly name: string
  /** Absent: it does not look there. */
  readonly input?: Action
  readonly output?: Action
  /** For all texts of one point. */
  readonly budgetMs: number
  /** What follows where the time is up, or a remote check gives no verdict. */
  readonly onFailure: 'block' | 'pass'
}

/** Finds spans. */
export interface SpanGuardrail extends Common {
  readonly kind: 'spans'
  readonly detector: Detector
}

/** Doubts whole texts. */
export interface InjectionGuardrail extends Common {
  readonly kind: 'injection'
  readonly scoreMin: number
}

/** Holds answers to the JSON schema that their request asks for. */
export interface SchemaGuardrail extends Common {
  readonly kind: 'schema'
}

export interface RemoteGuardrail extends Common {
  readonly kind: 'remote'
  readonly check: RemoteCheck
}

export type Guardrail = SpanGuardrail | InjectionGuardrail | SchemaGuardrail | RemoteGuardrail
