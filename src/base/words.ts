import { stemmer } from 'stemmer'

/** Words as the full-text search, the reader and the highlighter all see them. */

export interface Word {
  /** What is compared: lower case, without diacritics, stemmed (Porter 1980). */
  readonly term: string
  /** Range in the text, in UTF-16 code units: [start, end). */
  readonly start: number
  readonly end: number
}

const WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*(?:['’]\p{L}+)?/uy
const STARTS_WORD = /[\p{L}\p{N}]/u

/** Which of the first 128 characters are letters or digits: most text is made of these, and a look
 *  into a table is several times cheaper than the expression. */
const ASCII_WORD = Uint8Array.from({ length: 128 }, (_, unit) =>
  /[0-9A-Za-z]/.test(String.fromCharCode(unit)) ? 1 : 0,
)
const APOSTROPHE = 0x27

/** Scripts written without spaces between words (and Korean, whose particles are joined to the
 *  word): their runs are taken as overlapping pairs of characters, which needs no dictionary. */
const UNSPACED =
  /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\u30fc\uff70\p{sc=Hangul}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]+/u
const UNSPACED_RUN = new RegExp(UNSPACED.source, 'gu')

/** `outputTokensMax`: found by its parts too. A capital at the start (`OpenAI`) makes a name, which
 *  stays whole. */
const CAMEL = /^\p{Ll}{2,}[\p{Lu}\p{N}]*\p{Lu}/u
const CAMEL_PART = /\p{Lu}?\p{Ll}+|\p{Lu}+(?!\p{Ll})|\p{N}+/gu

/** The longest run taken for a word; more is cut, so that a hostile file cannot fill the
 *  dictionary with megabytes of one term. */
const WORD_UNITS_MAX = 64

const STEMS_MAX = 200_000

/** A term and its place inside the run of letters it came from. */
interface Part {
  readonly term: string
  readonly from: number
  readonly to: number
}

/** Splits text into words. Holds a bounded memory of stems, since text repeats itself. */
export class Analyzer {
  readonly #seen = new Map<string, string | readonly Part[]>()
  /** Its own copy: a sticky expression keeps its position in itself. */
  readonly #word = new RegExp(WORD)

  terms(text: string): string[] {
    const terms: string[] = []
    for (let start = wordStart(text, 0); start < text.length;) {
      const end = wordEnd(text, start, this.#word)
      const found = this.#look(text.slice(start, end))
      if (typeof found === 'string') terms.push(found)
      else for (const part of found) terms.push(part.term)
      start = wordStart(text, end)
    }
    return terms
  }

  /** The term of one word: the first, where it has several. */
  term(word: string): string {
    const found = this.#look(word)
    return typeof found === 'string' ? found : (found[0]?.term ?? '')
  }

  /** In the order of their starts. Ranges may overlap: an identifier comes before its parts, and
   *  neighbouring pairs of a script without spaces share a character. */
  *words(text: string): Generator<Word> {
    for (let start = wordStart(text, 0); start < text.length;) {
      const end = wordEnd(text, start, this.#word)
      const found = this.#look(text.slice(start, end))
      if (typeof found === 'string') yield { term: found, start, end }
      else for (const part of found) yield { term: part.term, start: start + part.from, end: start + part.to }
      start = wordStart(text, end)
    }
  }

  #look(run: string): string | readonly Part[] {
    const known = this.#seen.get(run)
    if (known !== undefined) return known
    const own = ownCopy(run)
    const found = dissect(own)
    if (run.length > WORD_UNITS_MAX) return found
    if (this.#seen.size >= STEMS_MAX) this.#seen.clear()
    this.#seen.set(own, found)
    return found
  }
}

/** Where the first word at or after `from` begins; the text's length when there is none. */
function wordStart(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit < 128) {
      if (ASCII_WORD[unit] === 1) return at
    } else if (STARTS_WORD.test(String.fromCodePoint(text.codePointAt(at) ?? 0))) {
      return at
    }
  }
  return text.length
}

function wordEnd(text: string, start: number, word: RegExp): number {
  for (let at = start; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit >= 128 || unit === APOSTROPHE) return uncommonEnd(text, start, word)
    if (ASCII_WORD[unit] === 0) return at
  }
  return text.length
}

function uncommonEnd(text: string, start: number, word: RegExp): number {
  word.lastIndex = start
  word.exec(text)
  return word.lastIndex
}

/** V8 keeps the whole text alive for the sake of a slice of 13 units or more; what is kept must
 *  not. */
const ownCopy = (slice: string): string => (slice.length < 13 ? slice : slice.split('').join(''))

function dissect(run: string): string | readonly Part[] {
  if (UNSPACED.test(run)) return pairs(run)
  const term = stem(run)
  if (!CAMEL.test(run) || run.length > WORD_UNITS_MAX) return term
  const parts: Part[] = [{ term, from: 0, to: run.length }]
  for (const { 0: part, index } of run.matchAll(CAMEL_PART)) {
    if (part.length > 1) parts.push({ term: stem(part), from: index, to: index + part.length })
  }
  return parts
}

/** Pairs of characters of the unspaced stretches; what stands between them is a word. */
function pairs(run: string): Part[] {
  const parts: Part[] = []
  const word = (from: number, to: number): void => {
    // An apostrophe or an accent alone is none.
    const at = from + (/^['’]*/.exec(run.slice(from, to))?.[0].length ?? 0)
    const term = stem(run.slice(at, to))
    if (term !== '') parts.push({ term, from: at, to })
  }
  let end = 0
  for (const { 0: stretch, index } of run.matchAll(UNSPACED_RUN)) {
    word(end, index)
    end = index + stretch.length
    const characters = [...stretch]
    if (characters.length === 1) word(index, end)
    let at = index
    for (let i = 0; i + 1 < characters.length; i++) {
      const [first = '', second = ''] = [characters[i], characters[i + 1]]
      parts.push({
        term: (first + second).normalize('NFKC').toLowerCase(),
        from: at,
        to: at + first.length + second.length,
      })
      at += first.length
    }
  }
  word(end, run.length)
  return parts
}

/** Accents and vowel points that a reader leaves out when typing. Vowel signs of Indic scripts are
 *  letters to their readers and stay. */
const ACCENTS = /[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670]/g

function stem(word: string): string {
  const cut =
    word.length > WORD_UNITS_MAX
      ? word
          .slice(0, WORD_UNITS_MAX)
          .toWellFormed()
          .replace(/\ufffd$/, '')
      : word
  const plain = cut
    .toLowerCase()
    .normalize('NFKD')
    .replace(ACCENTS, '')
    .normalize('NFC')
    .replace(/['’].*$/, '')
    .replaceAll('ς', 'σ')
  return /^[a-z]+$/.test(plain) ? stemmer(plain) : plain
}

/** Words that carry no topic, as terms. They are indexed (a phrase may need them) but a question
 *  is not searched by them. */
export const STOP_TERMS: ReadonlySet<string> = new Set(
  (
    'a about above after again all also am an and any are as at be been before being below between both but by can could did do does ' +
    'doing down during each few for from further had has have having he her here him his how i if in into is it its itself just let me more most my ' +
    'no nor not now of off on once one only or other our out over own please same she should so some such than that the their them then ' +
    'there these they this those through to too under until up us very was we were what when where which while who whom why will with would you your ' +
    'aren couldn didn doesn don hadn hasn haven isn shouldn wasn weren wouldn'
  )
    .split(' ')
    .map(stem),
)
