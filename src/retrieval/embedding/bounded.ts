import { type Change, type Key, put, remove, type Rows, type Stored, type Table, table } from '../../store/rows.ts'

/** Texts by key, bounded in bytes: the oldest go. */

interface ValueRow {
  readonly value: string
}

interface ArrivalRow {
  readonly key: Key
  readonly bytes: number
}

interface TotalRow {
  readonly bytes: number
  /** Of the next to come. */
  readonly order: number
}

const TOTAL_KEY: Key = ['all']
/** Read or forgotten at once. */
const PAGE = 500
/** After any part of a key that is used. */
const BEYOND = '\uffff'
/** Beside the value itself: keys and what the store adds. */
const ROW_BYTES = 250

interface Fresh {
  readonly key: Key
  readonly value: string
}

export class BoundedCache {
  readonly #rows: Rows
  readonly #bytesMax: number
  readonly #values: Table<ValueRow>
  readonly #arrivals: Table<ArrivalRow>
  readonly #total: Table<TotalRow>
  /** Writes take turns: each counts on from what the one before it left. */
  #writing: Promise<void> = Promise.resolve()
  #waiting: Fresh[] = []
  /** The write that takes what waits. */
  #next: Promise<void> | undefined

  /** @param name Of its tables. */
  constructor(rows: Rows, name: string, bytesMax: number) {
    this.#rows = rows
    this.#bytesMax = bytesMax
    this.#values = table(name)
    this.#arrivals = table(`${name}_arrivals`)
    this.#total = table(`${name}_total`)
  }

  /** One for each key, undefined where it is not known. */
  async get(keys: readonly Key[]): Promise<(string | undefined)[]> {
    const found: (string | undefined)[] = []
    for (let at = 0; at < keys.length; at += PAGE) {
      const page: (Stored<ValueRow> | undefined)[] = await this.#rows.getMany(this.#values, keys.slice(at, at + PAGE))
      found.push(...page.map((stored) => stored?.row.value))
    }
    return found
  }

  async forget(keys: readonly Key[]): Promise<void> {
    // What is on its way in would come back.
    await this.#writing
    for (let at = 0; at < keys.length; at += PAGE)
      await this.#rows.commit(keys.slice(at, at + PAGE).map((key) => remove(this.#values, key)))
  }

  /** The first parts of all keys, each once. */
  async prefixes(parts: number): Promise<Key[]> {
    const found: Key[] = []
    for (let after: Key | undefined; ;) {
      const [next] = await this.#rows.scan(this.#values, { limit: 1, ...(after === undefined ? {} : { after }) })
      if (next === undefined) return found
      const prefix = next.key.slice(0, parts)
      found.push(prefix)
      after = [...prefix, BEYOND]
    }
  }

  keep(fresh: readonly Fresh[]): Promise<void> {
    this.#waiting.push(...fresh)
    this.#next ??= this.#after(this.#writing)
    return this.#next
  }

  /** What comes while a write is going on is written together. */
  #after(writing: Promise<void>): Promise<void> {
    const kept = writing.then(async () => {
      const fresh = this.#waiting
      this.#waiting = []
      this.#next = undefined
      for (let at = 0; at < fresh.length; at += PAGE) await this.#keepPage(fresh.slice(at, at + PAGE))
    })
    this.#writing = kept.catch(() => {})
    return kept
  }

  async #keepPage(page: readonly Fresh[]): Promise<void> {
    const total = await this.#rows.get(this.#total, TOTAL_KEY)
    let { bytes, order } = total?.row ?? { bytes: 0, order: 0 }
    const changes: Change[] = []
    for (const { key, value } of page) {
      const size = value.length + ROW_BYTES
      changes.push(put(this.#values, key, { value }), put(this.#arrivals, arrivalKey(order), { key, bytes: size }))
      bytes += size
      order++
    }
    while (bytes > this.#bytesMax) {
      const oldest = await this.#rows.scan(this.#arrivals, { limit: PAGE })
      if (oldest.length === 0) break
      const gone: Change[] = []
      for (const { key, row } of oldest) {
        if (bytes <= this.#bytesMax) break
        gone.push(remove(this.#arrivals, key), remove(this.#values, row.key))
        bytes -= row.bytes
      }
      // Before what is new comes in: it must not be what goes.
      await this.#rows.commit([...gone, put(this.#total, TOTAL_KEY, { bytes, order })])
    }
    // Another process keeps as well: what it counted stands, ours is made again one day.
    const now = await this.#rows.get(this.#total, TOTAL_KEY)
    await this.#rows.commit([...changes, put(this.#total, TOTAL_KEY, { bytes, order }, now?.version ?? 0)])
  }
}

const arrivalKey = (order: number): Key => [order.toString().padStart(16, '0')]
