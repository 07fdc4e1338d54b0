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
  readonly #texts: ChunkWords
  /** How each term was written, since the index takes words, not terms. In lower case, so that an
   *  identifier is not taken apart a second time. */
  readonly #words = new Map<string, string>()
  #terms: ReadonlyMap<string, number>

  constructor(texts: ChunkWords, question: string) {
    this.#analyzer = texts.analyzer
    this.#texts = texts
    this.#terms = this.#questionTerms(question)
  }

  get weighed(): WeighedWord[] {
    return [...this.#terms].map(([term, weight]) => ({ word: this.#words.get(term) ?? term, weight }))
  }

  /** Takes up the words of the best that was found, best first. Returns how many lent. */
  learn(found: readonly { readonly row: ChunkRow; readonly score: number }[]): number {
    const texts = found
      .slice(0, FEEDBACK_TEXTS_MAX)
      .map(({ row, score }): FeedbackText => ({ terms: this.#take(this.#texts.words(row)), score }))
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
    return this.#take(writtenWords(this.#analyzer, text))
  }

  #take(words: readonly WrittenWord[]): string[] {
    return words.map(({ term, written }) => {
      if (!this.#words.has(term)) this.#words.set(term, written)
      return term
    })
  }
}

interface WrittenWord {
  readonly term: string
  /** In lower case. */
  readonly written: string
}

/** The words of chunks, taken apart once for all that a search does with them, and for the next search
 *  where the store hands out the same row again. */
export class ChunkWords {
  readonly analyzer: Analyzer
  readonly #words = new WeakMap<ChunkRow, readonly WrittenWord[]>()
  readonly #terms = new WeakMap<ChunkRow, ReadonlySet<string>>()

  constructor(analyzer: Analyzer) {
    this.analyzer = analyzer
  }

  /** With its headings, in order. */
  words(row: ChunkRow): readonly WrittenWord[] {
    const known = this.#words.get(row)
    if (known !== undefined) return known
    const words = writtenWords(this.analyzer, `${row.headings.join('\n')}\n${row.text}`)
    this.#words.set(row, words)
    return words
  }

  /** Without them. */
  terms(row: ChunkRow): ReadonlySet<string> {
    const known = this.#terms.get(row)
    if (known !== undefined) return known
    const terms = new Set(this.analyzer.terms(row.text))
    this.#terms.set(row, terms)
    return terms
  }
}

const writtenWords = (analyzer: Analyzer, text: string): WrittenWord[] =>
  Array.from(analyzer.words(text), ({ term, start, end }) => ({ term, written: text.slice(start, end).toLowerCase() }))
