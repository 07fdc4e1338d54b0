/** What was fetched of one partition and is not committed, in its order: documents replace one another,
 *  so an earlier state must never come after a later one. */

export interface Entry {
  readonly offset: bigint
  readonly bytes: Uint8Array
}

export class Partition {
  #entries: (Entry & { isDone: boolean })[] = []
  /** How many of them are handed out. */
  #handed = 0
  #notBeforeMs = 0
  #bytes = 0

  /** Of what is not committed. */
  get count(): number {
    return this.#entries.length
  }

  get bytes(): number {
    return this.#bytes
  }

  add(entry: Entry): void {
    const last = this.#entries.at(-1)
    if (last !== undefined && entry.offset <= last.offset) {
      if (this.#entries.some(({ offset }) => offset === entry.offset)) return
      // It is read from an earlier place: what is here will come once more.
      this.clear()
    }
    this.#entries.push({ ...entry, isDone: false })
    this.#bytes += entry.bytes.length
  }

  take(most: number, nowMs: number): readonly Entry[] {
    if (nowMs < this.#notBeforeMs) return []
    const taken = this.#entries.slice(this.#handed, this.#handed + most)
    for (const entry of taken) entry.isDone = false
    this.#handed += taken.length
    return taken
  }

  /** When the next one may be handed out; undefined where there is none. */
  get dueAtMs(): number | undefined {
    return this.#handed < this.#entries.length ? this.#notBeforeMs : undefined
  }

  /** The offset to commit, where everything before it is done. */
  done(offset: bigint): bigint | undefined {
    const entry = this.#entries.find((one) => one.offset === offset)
    if (entry === undefined) return undefined
    entry.isDone = true
    let count = 0
    while (count < this.#handed && this.#entries[count]?.isDone === true) count++
    const gone = this.#entries.splice(0, count)
    this.#handed -= count
    for (const { bytes } of gone) this.#bytes -= bytes.length
    const last = gone.at(-1)
    return last === undefined ? undefined : last.offset + 1n
  }

  /** It and what follows comes again. */
  again(offset: bigint, notBeforeMs: number): void {
    const at = this.#entries.findIndex((one) => one.offset === offset)
    if (at === -1) return
    this.#handed = Math.min(this.#handed, at)
    this.#notBeforeMs = notBeforeMs
  }

  clear(): void {
    this.#entries = []
    this.#handed = 0
    this.#bytes = 0
  }
}
