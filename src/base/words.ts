import { stemmer } from 'stemmer'

/** Words as the full-text search, the reader and the highlighter all see them. */

export interface Word {
  /** What is compared: lower case, without diacritics, stemmed (Porter 1980). */
  readonly term: string
  /** Range in the text, in UTF-16 code units: [start, end). */
  readonly start: number
  readonly end: number
}

const WORD = /[\p{L}\p{N}]+(?:['’][\p{L}]+)?/gu

/** The longest run taken for a word; more is cut, so that a hostile file cannot fill the
 *  dictionary with megabytes of one term. */
const WORD_UNITS_MAX = 64

const STEMS_MAX = 200_000

/** Splits text into words. Holds a bounded memory of stems, since text repeats itself. */
export class Analyzer {
  readonly #stems = new Map<string, string>()

  terms(text: string): string[] {
    const found = text.match(WORD)
    return found === null ? [] : found.map((word) => this.term(word))
  }

  /** The term of one word. */
  term(word: string): string {
    const known = this.#stems.get(word)
    if (known !== undefined) return known
    if (this.#stems.size >= STEMS_MAX) this.#stems.clear()
    const term = stem(word)
    this.#stems.set(word, term)
    return term
  }

  *words(text: string): Generator<Word> {
    for (const match of text.matchAll(WORD)) {
      yield { term: this.term(match[0]), start: match.index, end: match.index + match[0].length }
    }
  }
}

function stem(word: string): string {
  const plain = word.slice(0, WORD_UNITS_MAX).toLowerCase().normalize('NFKD').replace(/\p{M}/gu, '').replace(/['’].*$/, '')
  return /^[a-z]+$/.test(plain) ? stemmer(plain) : plain
}

/** Words that carry no topic, as terms. They are indexed (a phrase may need them) but a question
 *  is not searched by them. */
export const STOP_TERMS: ReadonlySet<string> = new Set(
  (
    'a about above after again all also am an and any are as at be been before being below between both but by can could did do does ' +
    'doing down during each few for from further had has have having he her here him his how i if in into is it its itself just let me more most my ' +
    'no nor not now of off on once one only or other our out over own please same she should so some such than that the their them then ' +
    'there these they this those through to too under until up us very was we were what when where which while who whom why will with would you your'
  )
    .split(' ')
    .map(stem),
)
