import type { Hit } from '../../store/index.ts'
import { put, type Rows, table } from '../../store/rows.ts'
import type { Leg } from '../passage.ts'
import type { LegHits, Spread } from './fuse.ts'

/** How the scores of each leg lie in each collection, learned from live queries, so that scores of
 *  different kinds can be added.
 *
 *  What a query's own hits say is believed as far as there are enough of them; the rest is the
 *  collection's mean over its queries (shrinkage, as an empirical Bayes estimate does it). A leg with
 *  neither is not calibrated. */
export class Calibration {
  readonly #rows: Pick<Rows, 'get' | 'commit'>
  readonly #known = new Map<string, Promise<Known>>()

  constructor(rows: Pick<Rows, 'get' | 'commit'>) {
    this.#rows = rows
  }

  /** Of the legs of one query, which are learned from on the way; undefined unless all are known. */
  async spreads(collection: string, legs: readonly LegHits[]): Promise<ReadonlyMap<Leg, Spread> | undefined> {
    const spreads = new Map<Leg, Spread>()
    for (const { leg, hits } of legs) {
      const known = await this.#of(collection, leg)
      const own = hits.length >= OWN_HITS_MIN ? spreadOf(hits) : undefined
      const spread = shrunk(own, hits.length, known.row)
      if (own !== undefined) this.#learn(collection, leg, known, own)
      if (spread !== undefined) spreads.set(leg, spread)
    }
    return spreads.size === legs.length ? spreads : undefined
  }

  #of(collection: string, leg: Leg): Promise<Known> {
    const key = `${collection}\0${leg}`
    const known =
      this.#known.get(key) ??
      this.#rows.get(CALIBRATIONS, [collection, leg]).then(
        (stored) => ({ row: stored?.row ?? NOTHING, unsaved: 0 }),
        () => ({ row: NOTHING, unsaved: 0 }),
      )
    if (!this.#known.has(key) && this.#known.size >= COLLECTIONS_MAX) this.#known.clear()
    this.#known.set(key, known)
    return known
  }

  #learn(collection: string, leg: Leg, known: Known, { mean, deviation }: Spread): void {
    const { row } = known
    const share = 1 / Math.min(row.queries + 1, QUERIES_MEMORY)
    known.row = {
      queries: row.queries + 1,
      mean: row.mean + share * (mean - row.mean),
      deviation: row.deviation + share * (deviation - row.deviation),
    }
    if (++known.unsaved < SAVE_EVERY) return
    known.unsaved = 0
    // Another process may write its own: both learn from the same queries, and either will do.
    void this.#rows.commit([put(CALIBRATIONS, [collection, leg], known.row)]).catch(() => {})
  }
}

interface CalibrationRow extends Spread {
  readonly queries: number
}

interface Known {
  row: CalibrationRow
  unsaved: number
}

const CALIBRATIONS = table<CalibrationRow>('calibrations')
const NOTHING: CalibrationRow = { queries: 0, mean: 0, deviation: 0 }

/** Fewer hits say nothing of how scores lie. */
const OWN_HITS_MIN = 10
/** At this many hits a query's own spread weighs as much as the collection's. */
const OWN_HITS_HALF = 20
/** Before as many queries a collection's mean says little. */
const QUERIES_MIN = 20
/** Older queries fade, so that it follows a collection that changes. */
const QUERIES_MEMORY = 1_000
const SAVE_EVERY = 50
/** Legs of collections whose figures are kept in memory. */
const COLLECTIONS_MAX = 10_000

function shrunk(own: Spread | undefined, n: number, { queries, mean, deviation }: CalibrationRow): Spread | undefined {
  const known = queries >= QUERIES_MIN && deviation > 0
  if (own === undefined) return known ? { mean, deviation } : undefined
  if (!known) return own
  const share = n / (n + OWN_HITS_HALF)
  return {
    mean: share * own.mean + (1 - share) * mean,
    deviation: share * own.deviation + (1 - share) * deviation,
  }
}

/** Undefined where all score alike: nothing can be said by how much one is better. */
function spreadOf(hits: readonly Hit[]): Spread | undefined {
  const mean = hits.reduce((sum, { score }) => sum + score, 0) / hits.length
  const squares = hits.reduce((sum, { score }) => sum + (score - mean) ** 2, 0)
  const deviation = Math.sqrt(squares / hits.length)
  return deviation > 0 ? { mean, deviation } : undefined
}
