/** How the latest calls of a deployment ended. */

/** Calls that are looked back at. */
const OUTCOMES_MAX = 64

export class Outcomes {
  readonly #answered = new Uint8Array(OUTCOMES_MAX)
  #count = 0

  record(isAnswered: boolean): void {
    this.#answered[this.#count++ % OUTCOMES_MAX] = Number(isAnswered)
  }

  /** Calls that are remembered. */
  get known(): number {
    return Math.min(this.#count, OUTCOMES_MAX)
  }

  /** Share of them that were answered. */
  get answeredShare(): number {
    let answered = 0
    for (let at = 0; at < this.known; at++) answered += this.#answered[at] ?? 0
    return this.known === 0 ? 1 : answered / this.known
  }

  forget(): void {
    this.#count = 0
  }
}
