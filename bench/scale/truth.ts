import { Top } from '../../src/drivers/filesystem/top.ts'

/** The nearest of all vectors to some questions, found by comparing each with each: the judge, which
 *  owes nothing to the index that is judged. */

const NEAREST = 10

/** Which vectors a question may be answered with. */
export const SCOPES = [
  { name: 'all', fits: () => true },
  { name: 'one in ten', fits: (number: number) => number % 10 === 3 },
  { name: 'one in a hundred', fits: (number: number) => number % 100 === 7 },
] as const

/** For each scope, for each question: number and cosine, best first. */
export type Nearest = readonly (readonly (readonly { readonly number: number; readonly score: number }[])[])[]

export class Truth {
  readonly #questions: Float32Array
  readonly #dimension: number
  readonly #tops: Top[][]

  constructor(questions: readonly Float32Array[], dimension: number) {
    this.#dimension = dimension
    this.#questions = new Float32Array(questions.length * dimension)
    for (const [at, question] of questions.entries()) this.#questions.set(question, at * dimension)
    this.#tops = SCOPES.map(() => questions.map(() => new Top(NEAREST)))
  }

  /** Numbers come in rising order. */
  add(number: number, vector: Float32Array): void {
    const dimension = this.#dimension
    const scopes = this.#tops.filter((_, at) => SCOPES[at]?.fits(number))
    const questions = this.#questions
    for (let question = 0, from = 0; from < questions.length; question++, from += dimension) {
      let [s0, s1, s2, s3] = [0, 0, 0, 0]
      for (let i = 0; i < dimension; i += 4) {
        s0 += (vector[i] ?? 0) * (questions[from + i] ?? 0)
        s1 += (vector[i + 1] ?? 0) * (questions[from + i + 1] ?? 0)
        s2 += (vector[i + 2] ?? 0) * (questions[from + i + 2] ?? 0)
        s3 += (vector[i + 3] ?? 0) * (questions[from + i + 3] ?? 0)
      }
      for (const tops of scopes) tops[question]?.offer(number, s0 + s1 + s2 + s3)
    }
  }

  nearest(): Nearest {
    return this.#tops.map((tops) => tops.map((top) => top.sorted()))
  }
}

/** Of several parts of the vectors, together. */
export function merged(parts: readonly Nearest[]): Nearest {
  return SCOPES.map((_, scope) =>
    (parts[0]?.[scope] ?? []).map((_one, question) =>
      parts
        .flatMap((part) => part[scope]?.[question] ?? [])
        .toSorted((a, b) => b.score - a.score)
        .slice(0, NEAREST),
    ),
  )
}
