import type { Clock } from '../base/clock.ts'
import { type Problem, type Refusal, statusOf } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import type { Operation } from '../engine/port.ts'
import type { Scopes } from '../guard/identify.ts'
import type { Accounting } from '../meter/accounting.ts'
import type { Spending } from '../meter/spending.ts'
import { Trace } from '../trace/trace.ts'
import type { Closing, Journal } from './journal.ts'
import { outcomeOf, problemJson, spendingJson, stagesJson } from './settle.ts'

/** A call that no request of the data plane makes, such as embedding what is ingested: a request of its
 *  own, held and charged on an account and on record, without an answer. */

export interface Account {
  readonly scopes: Partial<Scopes>
  /** Budgets of the key. */
  readonly budgets?: readonly JsonObject[]
}

export interface OwnDependencies {
  readonly clock: Clock
  readonly journal: Journal
  readonly accounting: Pick<Accounting, 'spending'>
}

export class OwnRequest {
  readonly spending: Spending
  readonly #id: string
  readonly #journal: Journal
  readonly #trace: Trace
  readonly #facts: JsonObject

  constructor(
    { clock, journal, accounting }: OwnDependencies,
    { id, operation, model }: { readonly id: string; readonly operation: Operation; readonly model: string },
    { scopes, budgets }: Account,
  ) {
    this.spending = accounting.spending(id, { ...scopes, model }, budgets)
    this.#id = id
    this.#journal = journal
    this.#trace = new Trace(clock)
    this.#facts = { operation, ...scopes, model, stream: false }
  }

  /** Counts it, before anything else; what refuses it is on record. */
  async enter(): Promise<Refusal | undefined> {
    this.#journal.open(this.#id, this.#facts, 'soon').catch(() => {})
    const refused = await this.spending.enter()
    if (refused !== undefined) await this.end(refused)
    return refused
  }

  async end(problem?: Problem): Promise<void> {
    const closing: Closing = {
      ...this.#facts,
      ...spendingJson(this.spending, undefined),
      deployment: this.spending.charges.at(-1)?.deployment ?? null,
      totalMs: this.#trace.elapsedMs(),
      stages: stagesJson(this.#trace.spans()),
      outcome: problem === undefined ? 'answered' : outcomeOf(problem),
      status: problem === undefined ? 200 : statusOf(problem),
      ...(problem === undefined ? {} : problemJson(problem)),
    }
    this.spending.leave()
    await this.#journal.close(this.#id, closing).catch(() => this.#journal.closeLater(this.#id, closing))
  }
}
