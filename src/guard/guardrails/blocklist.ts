import { RE2JS } from 're2js'
import type { Refusal } from '../../base/errors.ts'
import { refuse } from '../../base/errors.ts'
import type { Detector, Finding } from './finding.ts'

/** Words and patterns of a house's own. Patterns are RE2's: they take linear time whatever is written. */

/** Of one match of a pattern; a longer one is not looked for. */
const MATCH_CHARS_MAX = 512
const WORD_CHAR = /[\p{L}\p{N}_]/u

export class Blocklist implements Detector {
  readonly spanCharsMax: number
  readonly #words: readonly string[]
  readonly #patterns: readonly RE2JS[]

  private constructor(words: readonly string[], patterns: readonly RE2JS[]) {
    this.#words = words.map(fold).filter((word) => word !== '')
    this.#patterns = patterns
    const longest = Math.max(1, ...words.map(({ length }) => length))
    this.spanCharsMax = patterns.length > 0 ? Math.max(MATCH_CHARS_MAX, longest) : longest
  }

  /** `field_invalid` for a pattern that RE2 does not know. */
  static of(words: readonly string[], patterns: readonly string[]): Blocklist | Refusal {
    const compiled: RE2JS[] = []
    for (const pattern of patterns) {
      const one = compileSafely(pattern, RE2JS.CASE_INSENSITIVE)
      if (one === undefined)
        return refuse('field_invalid', {
          field: 'patterns',
          problem: `has ${JSON.stringify(pattern)}, which is no expression of RE2`,
          remedy: 'Write it without look-around and back-references.',
        })
      compiled.push(one)
    }
    return new Blocklist(words, compiled)
  }

  find(text: string): readonly Finding[] {
    const found: Finding[] = []
    const folded = fold(text)
    // A case whose fold has another length would shift what follows: then the text is read as it stands.
    const read = folded.length === text.length ? folded : text
    for (const word of this.#words) {
      for (let at = read.indexOf(word); at >= 0; at = read.indexOf(word, at + 1)) {
        const end = at + word.length
        if (isWithinWord(read, at, word) || isWithinWord(read, end, word.slice(-1))) continue
        found.push({ kind: 'word', start: at, end })
      }
    }
    for (const pattern of this.#patterns) {
      const matcher = pattern.matcher(text)
      while (matcher.find()) {
        const [start, end] = [matcher.start(), matcher.end()]
        if (end > start && end - start <= MATCH_CHARS_MAX) found.push({ kind: 'pattern', start, end })
      }
    }
    found.sort((a, b) => a.start - b.start || b.end - a.end)
    let reached = 0
    return found.filter(({ start, end }) => start >= reached && (reached = end) > 0)
  }

  openFrom(text: string): number {
    return Math.max(0, text.length - this.spanCharsMax)
  }
}

/** Undefined for what RE2 does not know. */
export function compileSafely(pattern: string, flags = 0): RE2JS | undefined {
  try {
    return RE2JS.compile(pattern, flags)
  } catch {
    return undefined
  }
}

const fold = (text: string): string => text.normalize('NFC').toLowerCase()

/** Whether `at` lies inside a word: letters on both sides of it. `edge`: what begins or ends there. */
function isWithinWord(text: string, at: number, edge: string): boolean {
  return WORD_CHAR.test(edge[0] ?? '') && WORD_CHAR.test(text[at - 1] ?? '') && WORD_CHAR.test(text[at] ?? '')
}
