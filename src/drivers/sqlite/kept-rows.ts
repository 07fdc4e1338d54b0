/** Rows as they were read, so that one which has not changed is neither sent nor parsed again. The process
 *  that has the store open sees every commit, its own and those of others, and then knows without asking
 *  what is still so; any other asks by the version. */

/** JSON of all of them together, in UTF-16 units. */
const KEPT_UNITS_MAX = 4 * 2 ** 20
/** A larger one would push out many that are asked for as often. */
const ROW_UNITS_MAX = KEPT_UNITS_MAX / 4

export interface KeptRow {
  readonly version: number
  readonly row: unknown
  readonly units: number
}

export class KeptRows {
  /** Whether every commit passes by here. */
  readonly seesCommits: boolean
  readonly #kept = new Map<string, { readonly one: KeptRow; isUsed: boolean }>()
  readonly #unitsMax: number
  #units = 0
  /** Counts changes. Of what changed since the oldest reading under way, when it did. */
  #now = 0
  readonly #changed = new Map<string, number>()
  readonly #readings = new Set<number>()

  constructor(seesCommits = false, unitsMax: number = KEPT_UNITS_MAX) {
    this.seesCommits = seesCommits
    this.#unitsMax = unitsMax
  }

  get(key: string): KeptRow | undefined {
    const found = this.#kept.get(key)
    if (found !== undefined) found.isUsed = true
    return found?.one
  }

  /** A reading begins; what is kept of it is told by the number that comes back, which must be given to
   *  `ended` whatever comes of it. */
  begun(): number {
    const reading = ++this.#now
    this.#readings.add(reading)
    return reading
  }

  /** Nothing is kept that a commit changed since the reading began: it may be from before. */
  keep(key: string, one: KeptRow, reading: number): void {
    this.forget(key)
    if (one.units > ROW_UNITS_MAX || (this.#changed.get(key) ?? 0) > reading) return
    this.#kept.set(key, { one, isUsed: false })
    this.#units += one.units
    // Those used since they were last met here come round once more (second chance, Corbató 1968).
    for (const [oldest, held] of this.#kept) {
      if (this.#units <= this.#unitsMax) return
      this.#kept.delete(oldest)
      if (held.isUsed) this.#kept.set(oldest, { one: held.one, isUsed: false })
      else this.#units -= held.one.units
    }
  }

  ended(reading: number): void {
    this.#readings.delete(reading)
    const [oldest = Infinity] = this.#readings
    for (const [key, at] of this.#changed) {
      if (at > oldest) return
      this.#changed.delete(key)
    }
  }

  /** A commit of it is asked for, or was answered: in between, either may be read. */
  change(key: string): void {
    this.forget(key)
    if (this.#readings.size === 0) return
    this.#changed.delete(key)
    this.#changed.set(key, ++this.#now)
  }

  forget(key: string): void {
    this.#units -= this.#kept.get(key)?.one.units ?? 0
    this.#kept.delete(key)
  }
}

/** A value of JSON that several readers share, so that none can change what another reads. */
export function frozen<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value
  for (const one of Object.values(value)) if (typeof one === 'object') frozen(one)
  return Object.freeze(value)
}
