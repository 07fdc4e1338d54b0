/** So much at once and no more: whoever finds no room waits, in the order they came. */
export class Slots {
  readonly #most: () => number
  #taken = 0
  readonly #waiting: { readonly weight: number; readonly go: () => void }[] = []

  /** @param most Read whenever there may be room, so that a reload takes effect. */
  constructor(most: () => number) {
    this.#most = most
  }

  /** Resolves to what gives the room back, once. What weighs more than all gets all. Undefined where
   *  `signal` aborts first. */
  take(weight: number, signal: AbortSignal): Promise<(() => void) | undefined> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(undefined)
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(one), 1)
        resolve(undefined)
        this.#admit()
      }
      const one = {
        weight,
        go: (): void => {
          signal.removeEventListener('abort', leave)
          resolve(this.#give(weight))
        },
      }
      signal.addEventListener('abort', leave, { once: true })
      this.#waiting.push(one)
      this.#admit()
    })
  }

  #give(weight: number): () => void {
    this.#taken += weight
    let isBack = false
    return () => {
      if (isBack) return
      isBack = true
      this.#taken -= weight
      this.#admit()
    }
  }

  #admit(): void {
    for (;;) {
      const [next] = this.#waiting
      if (next === undefined || (this.#taken > 0 && this.#taken + next.weight > this.#most())) return
      this.#waiting.shift()
      next.go()
    }
  }
}
