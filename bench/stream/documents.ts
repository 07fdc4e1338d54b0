import { uniqueWord } from '../../tests/kit/hashed-embeddings.ts'
import { type Prose, prose } from '../prose.ts'

/** Documents of one chunk each, and questions about them. */

const WORDS = 60
const QUESTION_WORDS = 6
const SEED = 1

export class Documents {
  readonly #prose: Prose = prose(SEED)
  #made = 0

  /** `count` were made before, by a run whose data are kept. */
  goOn(count: number): void {
    this.#made = Math.max(this.#made, count)
  }

  get made(): number {
    return this.#made
  }

  /** One line for the push API, and the word that nothing else has. `number`: of a document there is already. */
  next(number: number = this.#made): { readonly id: string; readonly word: string; readonly line: string } {
    const word = uniqueWord(this.#made++)
    const id = `d${number}`
    const text = `The document ${word} says ${this.#prose.words(WORDS)}.`
    return { id, word, line: JSON.stringify({ id, text }) }
  }

  question(): string {
    return this.#prose.words(QUESTION_WORDS)
  }

  /** Uniform in [0, 1). */
  chance(): number {
    return this.#prose.next()
  }
}
