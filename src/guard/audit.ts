import type { Clock } from '../base/clock.ts'
import { reasonOf, Refusal } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import type { JsonObject } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import type { Entry, Events, Page } from '../store/events.ts'
import type { Principal } from './principal.ts'

/** The record of what administrators did: who, what, to what, why, and what came of it. An entry
 *  is opened, durably, before anything is done, so that nothing is done without one. */

const AUDIT_KIND = 'audit'

export interface AuditDependencies {
  readonly events: Events
  readonly clock: Clock
  readonly random: Random
}

export interface Act {
  /** What was done, such as `budget.override`. */
  readonly action: string
  /** To what. */
  readonly object: string
  /** How, and why; never a secret. */
  readonly details: JsonObject
}

export class Audit {
  readonly #dependencies: AuditDependencies

  constructor(dependencies: AuditDependencies) {
    this.#dependencies = dependencies
  }

  /** Does it, on record. `changed` says what the result was, for the record. A refusal and a failure
   *  are recorded as what they are. Rejects, with nothing done, where it cannot be recorded. */
  async record<Result>(
    principal: Principal | undefined,
    { action, object, details }: Act,
    run: () => Promise<Result>,
    changed: (result: Result) => JsonObject = () => ({}),
  ): Promise<Result> {
    const { clock, random, events } = this.#dependencies
    const id = newId('act', clock, random)
    const by = { by: principal?.id ?? 'nobody', byName: principal?.name ?? '' }
    const facts: JsonObject = { action, object, ...by, ...details }
    const entry = (phase: Entry['phase'], body: JsonObject): Entry => ({
      id,
      phase,
      kind: AUDIT_KIND,
      atMs: clock.wallMs(),
      body,
    })
    await events.append([entry('open', facts)])
    const close = (body: JsonObject): Promise<void> => events.append([entry('close', { ...facts, ...body })])
    let result: Result
    try {
      result = await run()
    } catch (thrown) {
      await close({ outcome: 'failed', reason: reasonOf(thrown) })
      throw thrown
    }
    await close(
      result instanceof Refusal ? { outcome: 'refused', error: result.code } : { outcome: 'done', ...changed(result) },
    )
    return result
  }

  /** Newest first. */
  recent(before: string | undefined, limit: number): Promise<Page> {
    return this.#dependencies.events.recent({ kind: AUDIT_KIND, limit, ...(before === undefined ? {} : { before }) })
  }
}
