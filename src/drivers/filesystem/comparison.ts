import type { Answering, Candidates, ComparedQuestion, ComparedRows } from './compared-rows.ts'
import { Top } from './top.ts'

/** Which of many compared rows are among the `k` nearest: certainly none that is at most less than the
 *  `k`th best is at least, so that few cosines need be computed. */
export class Comparison {
  readonly #question: ComparedQuestion
  /** The best by what they are at least. */
  readonly #nearest: Top
  readonly #found = new Map<ComparedRows, Candidates>()

  constructor(question: ComparedQuestion, k: number) {
    this.#question = question
    this.#nearest = new Top(k)
  }

  look(rows: ComparedRows, answering: Answering): void {
    this.#found.set(rows, rows.collect(this.#question, answering, this.#nearest))
  }

  /** Once all were looked at: offers the cosines of those of `rows` that may be among the nearest, numbered
   *  from `base` on. */
  offer(rows: ComparedRows, base: number, top: Top): void {
    const found = this.#found.get(rows)
    for (const [at, row] of found?.rows.entries() ?? []) {
      const most = found?.most[at] ?? 0
      if (most >= this.#nearest.worst && most > top.worst) top.offer(base + row, rows.cosine(this.#question, row))
    }
  }
}
