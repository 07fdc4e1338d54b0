import { type ErrorCode, Fault, type Refusal, refuse } from '../../base/errors.ts'
import { type Key, table } from '../../store/rows.ts'

/** Files that ended the process that read them. While they stay as they are they are not tried
 *  again for a while: every try costs a process, or the wait until it is given up. */
export interface QuarantineRow {
  readonly contentHash: string
  readonly code: ErrorCode
  readonly details: { readonly [name: string]: unknown }
  readonly atMs: number
}

export const QUARANTINE = table<QuarantineRow>('quarantine')
export const quarantineKey = (collection: string, document: string): Key => [collection, document]

/** A newer version of the parser, or more memory, may read it. */
export const QUARANTINE_MS = 24 * 3_600_000

/** What is said of a file whose reading ended with `death`. */
export function reasonForDeath(death: Fault, timeoutMs: number): Refusal {
  if (death.details['timedOut'] === true) return refuse('document_timeout', { limitMs: timeoutMs })
  return refuse('document_unreadable', {
    reason: `reading it took too much memory or crashed the reader (${String(death.details['reason'])})`,
  })
}

export const isDeath = (thrown: unknown): thrown is Fault => thrown instanceof Fault && thrown.code === 'child_died'
