/** Parts that arrive one by one and are read one by one: whoever hands one over waits until it is
 *  taken, so that none pile up. */
export class Inflow<Part> implements AsyncIterable<Part> {
  #next: { readonly part: Part; readonly taken: PromiseWithResolvers<void> } | undefined
  #wake: PromiseWithResolvers<void> | undefined
  #ended: { readonly reason?: Error } | undefined
  #refused: Error | undefined

  /** Resolves when the part is taken; rejects when nobody will take it. One at a time. */
  push(part: Part): Promise<void> {
    if (this.#refused !== undefined) return Promise.reject(this.#refused)
    const taken = Promise.withResolvers<void>()
    this.#next = { part, taken }
    this.#wake?.resolve()
    return taken.promise
  }

  /** No more come. With a reason, what was read so far is not all. */
  end(reason?: Error): void {
    this.#ended = reason === undefined ? {} : { reason }
    this.#wake?.resolve()
  }

  /** The reader has failed: nothing more is taken. */
  refuse(reason: Error): void {
    this.#refused = reason
    this.#next?.taken.reject(reason)
    this.#next = undefined
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Part> {
    for (;;) {
      const next = this.#next
      if (next !== undefined) {
        this.#next = undefined
        next.taken.resolve()
        yield next.part
      } else if (this.#ended !== undefined) {
        if (this.#ended.reason !== undefined) throw this.#ended.reason
        return
      } else {
        this.#wake = Promise.withResolvers()
        await this.#wake.promise
      }
    }
  }
}
