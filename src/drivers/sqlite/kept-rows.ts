/** Rows as they were read, so that one which has not changed is neither sent nor parsed again. What is
 *  kept is only ever used once the store has said that its version is still the present one. */

/** JSON of all of them together, in UTF-16 units. */
const KEPT_UNITS_MAX = 8 * 2 ** 20
/** A larger one would push out many that are asked for as often. */
const ROW_UNITS_MAX = KEPT_UNITS_MAX / 8

export interface KeptRow {
  readonly version: number
  readonly row: unknown
  readonly units: number
}

export class KeptRows {
  /** By key, the one used last at the end. */
  readonly #kept = new Map<string, KeptRow>()
  readonly #unitsMax: number
  #units = 0

  constructor(unitsMax: number = KEPT_UNITS_MAX) {
    this.#unitsMax = unitsMax
  }

  get(key: string): KeptRow | undefined {
    const found = this.#kept.get(key)
    if (found === undefined) return undefined
    this.#kept.delete(key)
    this.#kept.set(key, found)
    return found
  }

  keep(key: string, kept: KeptRow): void {
    this.forget(key)
    if (kept.units > ROW_UNITS_MAX) return
    this.#kept.set(key, kept)
    this.#units += kept.units
    for (const oldest of this.#kept.keys()) {
      if (this.#units <= this.#unitsMax) return
      this.forget(oldest)
    }
  }

  forget(key: string): void {
    this.#units -= this.#kept.get(key)?.units ?? 0
    this.#kept.delete(key)
  }
}

/** A value of JSON that several readers share, so that none can change what another reads. */
export function frozen<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value
  for (const one of Object.values(value)) if (typeof one === 'object') frozen(one)
  return Object.freeze(value)
}
