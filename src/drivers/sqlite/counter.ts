import type { DatabaseSync, StatementSync } from 'node:sqlite'

/** The one counter of the store: versions of rows, places and tokens of jobs. It moves in memory
 *  and is written once a transaction. */
export class Counter {
  readonly #write: StatementSync
  #value = 0
  #written = 0

  constructor(db: DatabaseSync) {
    this.#write = db.prepare('UPDATE counter SET value = ?')
    this.#value = this.#written = Number(db.prepare('SELECT value FROM counter').get()?.['value'] ?? 0)
  }

  next(): number {
    return ++this.#value
  }

  /** Inside the transaction, before it commits. Should that be rolled back, the values it took
   *  are passed over; none of them was kept. */
  save(): void {
    if (this.#value !== this.#written) this.#write.run(this.#value)
    this.#written = this.#value
  }
}
