import type { Clock } from '../../base/clock.ts'
import type { JsonObject } from '../../base/json.ts'
import type { QualityBook } from './book.ts'

/** From the progress of ingest runs: how long what they read took to be searchable. A run counts its
 *  documents once their batch is committed and mounted, so what is new in the count can be found. */

/** Runs followed at once; of more the oldest is forgotten. */
const RUNS_MAX = 1_000

export class FreshnessWatch {
  readonly #clock: Clock
  readonly #book: Pick<QualityBook, 'fresh'>
  readonly #counted = new Map<string, number>()

  constructor(clock: Clock, book: Pick<QualityBook, 'fresh'>) {
    this.#clock = clock
    this.#book = book
  }

  /** As `GET /api/ingests/{run}` shows a run. */
  readonly told = ({ run, collection, documents, startedAt, endedAt }: JsonObject): void => {
    if (typeof run !== 'string' || typeof collection !== 'string') return
    if (typeof documents !== 'number' || typeof startedAt !== 'string') return
    const more = documents - (this.#counted.get(run) ?? 0)
    if (more > 0) this.#book.fresh(collection, this.#clock.wallMs() - Date.parse(startedAt), more)
    this.#counted.delete(run)
    if (typeof endedAt === 'string') return
    this.#counted.set(run, documents)
    const [oldest] = this.#counted.keys()
    if (this.#counted.size > RUNS_MAX && oldest !== undefined) this.#counted.delete(oldest)
  }
}
