import { expandQuestion, FEEDBACK_TEXTS_MAX, type FeedbackText } from '../../base/feedback.ts'
import { type Analyzer, STOP_TERMS } from '../../base/words.ts'
import type { ChunkRow } from '../document.ts'

/** The words of a question, and those it is lent by what was found. */

export interface WeighedWord {
  readonly word: string
  readonly weight: number
}

/** A question is searched by its first words; what a caller pastes may be a book. */
const QUESTION_TERMS_MAX = 64

export class QuestionWords {
  readonly #analyzer: Analyzer
  /** How each term was written, since the index takes words, not terms. In lower case, so that an
   *  identifier is not taken apart a second time. */
  readonly #words = new Map<string, string>()
  #terms: ReadonlyMap<string, number>

  constructor(analyzer: Analyzer, question: string) {
    this.#analyzer = analyzer
    this.#terms = this.#questionTerms(question)
  }

  get weighed(): WeighedWord[] {
    return [...this.#terms].map(([term, weight]) => ({ word: this.#words.get(term) ?? term, weight }))
  }

  /** Takes up the words of the best that was found, best first. Returns how many lent. */
  learn(found: readonly { readonly row: ChunkRow; readonly score: number }[]): number {
    const texts = found
      .slice(0, FEEDBACK_TEXTS_MAX)
      .map(({ row, score }): FeedbackText => ({ terms: this.#read(`${row.headings.join('\n')}\n${row.text}`), score }))
    this.#terms = expandQuestion(this.#terms, texts, STOP_TERMS)
    return texts.length
  }

  /** Without stop terms, unless there is nothing else; a word said twice weighs twice. */
  #questionTerms(question: string): Map<string, number> {
    const words = this.#read(question)
    const topical = words.filter((term) => !STOP_TERMS.has(term))
    const terms = new Map<string, number>()
    for (const term of (topical.length > 0 ? topical : words).slice(0, QUESTION_TERMS_MAX))
      terms.set(term, (terms.get(term) ?? 0) + 1)
    return terms
  }

  #read(text: string): string[] {
    const terms: string[] = []
    for (const { term, start, end } of this.#analyzer.words(text)) {
      terms.push(term)
      if (!this.#words.has(term)) this.#words.set(term, text.slice(start, end).toLowerCase())
    }
    return terms
  }
}
