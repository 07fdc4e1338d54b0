/** One after the other for each name, in the order they came. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  take<Value>(name: string, work: () => Promise<Value>): Promise<Value> {
    const before = this.#last.get(name)
    const own = before === undefined ? work() : before.then(work, work)
    this.#last.set(name, own)
    const done = (): void => {
      if (this.#last.get(name) === own) this.#last.delete(name)
    }
    own.then(done, done)
    return own
  }
}
