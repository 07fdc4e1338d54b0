/** Counts who reads what, so that a thing dropped while it is read goes with its last reader. */
export class Readers {
  readonly #remove: (name: string) => Promise<void>
  readonly #counts = new Map<string, number>()
  readonly #leaving = new Set<string>()
  #removals: Promise<void> = Promise.resolve()

  constructor(remove: (name: string) => Promise<void>) {
    this.#remove = remove
  }

  enter(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
  }

  /** What fails to go with its last reader stays behind; whoever looks after the store finds it. */
  leave(name: string): void {
    const others = (this.#counts.get(name) ?? 1) - 1
    if (others > 0) return void this.#counts.set(name, others)
    this.#counts.delete(name)
    if (!this.#leaving.has(name)) return
    this.#removals = this.#removals
      .then(() => this.#remove(name))
      .catch(() => {})
      .finally(() => this.#leaving.delete(name))
  }

  /** Now, or once nobody reads it. */
  async drop(name: string): Promise<void> {
    if (this.#counts.has(name)) this.#leaving.add(name)
    else await this.#remove(name)
  }

  /** Dropped, and still there. */
  isLeaving(name: string): boolean {
    return this.#leaving.has(name)
  }

  /** Resolves when nothing is being removed. */
  settled(): Promise<void> {
    return this.#removals
  }
}
