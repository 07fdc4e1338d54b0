import { fault } from '../../base/errors.ts'
import { checkCount, checkVersion, COMMIT_CHANGES_MAX, COMMIT_UNITS_MAX, jsonText } from '../../store/bounds.ts'
import { interval, keyOf, keyText } from '../../store/keys.ts'
import { SCAN_MAX, type Change, type Key, type Range, type Rows, type Stored, type Table } from '../../store/rows.ts'

interface Kept {
  readonly json: string
  readonly version: number
}

/** Rows in a map, kept as JSON text so that no caller holds what is stored. */
export class MemoryRows implements Rows {
  readonly #kept = new Map<string, Kept>()
  /** The keys in order, until a key comes or goes. */
  #ordered: string[] | undefined
  #version = 0
  #closed = false

  async get<Row>(from: Table<Row>, key: Key): Promise<Stored<Row> | undefined> {
    return this.#stored<Row>(keyText(from.name, key))
  }

  async getMany<Row>(from: Table<Row>, keys: readonly Key[]): Promise<(Stored<Row> | undefined)[]> {
    checkCount('keys', keys.length, SCAN_MAX)
    return keys.map((key) => this.#stored<Row>(keyText(from.name, key)))
  }

  async scan<Row>(from: Table<Row>, range: Range): Promise<Stored<Row>[]> {
    this.#checkOpen()
    const within = interval(from.name, range)
    this.#ordered ??= [...this.#kept.keys()].sort()
    const texts = this.#ordered.slice(
      firstNotBefore(this.#ordered, within.from),
      firstNotBefore(this.#ordered, within.to),
    )
    if (range.reverse === true) texts.reverse()
    return texts.slice(0, range.limit).flatMap((text) => this.#stored<Row>(text) ?? [])
  }

  async commit(changes: readonly Change[]): Promise<boolean> {
    this.#checkOpen()
    checkCount('changes', changes.length, COMMIT_CHANGES_MAX)
    const changed = new Map<string, Kept | undefined>()
    let units = 0
    let holds = true
    for (const change of changes) {
      const text = keyText(change.table, change.key)
      if (change.version !== undefined) checkVersion(change.version)
      const json = change.op === 'put' ? jsonText('a row', change.row) : undefined
      checkCount('units of JSON', (units += json?.length ?? 0), COMMIT_UNITS_MAX)
      const present = changed.has(text) ? changed.get(text) : this.#kept.get(text)
      if (change.version !== undefined && change.version !== (present?.version ?? 0)) holds = false
      changed.set(text, json === undefined ? undefined : { json, version: ++this.#version })
    }
    if (!holds) return false
    for (const [text, kept] of changed) {
      if (this.#kept.has(text) !== (kept !== undefined)) this.#ordered = undefined
      if (kept === undefined) this.#kept.delete(text)
      else this.#kept.set(text, kept)
    }
    return true
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #stored<Row>(text: string): Stored<Row> | undefined {
    this.#checkOpen()
    const kept = this.#kept.get(text)
    return kept && { key: keyOf(text), row: JSON.parse(kept.json) as Row, version: kept.version }
  }

  #checkOpen(): void {
    if (this.#closed) throw fault('store_unavailable', { reason: 'it is closed' })
  }
}

/** The position of the first text that is not before `bound`. */
function firstNotBefore(ordered: readonly string[], bound: string): number {
  let low = 0
  let high = ordered.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ordered[middle] ?? '') < bound) low = middle + 1
    else high = middle
  }
  return low
}
