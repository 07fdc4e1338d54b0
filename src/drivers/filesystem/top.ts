/** The `k` best of many scored numbers: a binary heap with the worst on top. Of equal scores the
 *  one offered first is the better. */
export class Top {
  readonly #k: number
  readonly #numbers: number[] = []
  readonly #scores: number[] = []

  constructor(k: number) {
    this.#k = k
  }

  /** What a score must exceed to be kept, where all are above 0. */
  get least(): number {
    return this.#numbers.length < this.#k ? 0 : (this.#scores[0] ?? 0)
  }

  /** The same where scores may be below 0. */
  get worst(): number {
    return this.#numbers.length < this.#k ? -Infinity : (this.#scores[0] ?? 0)
  }

  /** Numbers must be offered in rising order. */
  offer(number: number, score: number): void {
    const size = this.#numbers.length
    if (size < this.#k) {
      this.#numbers.push(number)
      this.#scores.push(score)
      this.#rise(size)
    } else if (score > (this.#scores[0] ?? 0)) {
      this.#numbers[0] = number
      this.#scores[0] = score
      this.#sink()
    }
  }

  /** Best first. */
  sorted(): { readonly number: number; readonly score: number }[] {
    return this.#numbers
      .map((number, at) => ({ number, score: this.#scores[at] ?? 0 }))
      .sort((a, b) => b.score - a.score || a.number - b.number)
  }

  #worse(a: number, b: number): boolean {
    const difference = (this.#scores[a] ?? 0) - (this.#scores[b] ?? 0)
    return difference === 0 ? (this.#numbers[a] ?? 0) > (this.#numbers[b] ?? 0) : difference < 0
  }

  #rise(from: number): void {
    for (let at = from; at > 0;) {
      const parent = (at - 1) >> 1
      if (!this.#worse(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #sink(): void {
    const size = this.#numbers.length
    for (let at = 0; ;) {
      let worst = at
      for (let child = 2 * at + 1; child <= 2 * at + 2 && child < size; child++)
        if (this.#worse(child, worst)) worst = child
      if (worst === at) return
      this.#swap(at, worst)
      at = worst
    }
  }

  #swap(a: number, b: number): void {
    const [number = 0, score = 0] = [this.#numbers[a], this.#scores[a]]
    this.#numbers[a] = this.#numbers[b] ?? 0
    this.#scores[a] = this.#scores[b] ?? 0
    this.#numbers[b] = number
    this.#scores[b] = score
  }
}
