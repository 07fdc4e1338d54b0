import type { Detector, Finding } from './finding.ts'

/** One form that a text may have, as a row of a table. */
export interface Pattern {
  readonly kind: string
  /** With the flag `g`, and bounded: every repetition has an end, no two in a row take the same characters. */
  readonly form: RegExp
  readonly spanCharsMax: number
  /** One character of those that it is made of: the end of a text that is made of these may yet become one. */
  readonly made: RegExp
  /** What the form cannot say: check digits, ranges. */
  readonly accepts?: (span: string) => boolean
}

/** Finds the forms of a table, the earlier row before the later one where two fit the same place. */
export class PatternDetector implements Detector {
  readonly spanCharsMax: number
  readonly #patterns: readonly Pattern[]

  constructor(patterns: readonly Pattern[]) {
    this.#patterns = patterns
    this.spanCharsMax = Math.max(1, ...patterns.map((one) => one.spanCharsMax))
  }

  find(text: string): readonly Finding[] {
    const found: Finding[] = []
    for (const { kind, form, accepts } of this.#patterns) {
      for (const match of text.matchAll(form)) {
        const [span] = match
        if (span === '' || (accepts !== undefined && !accepts(span))) continue
        const one = { kind, start: match.index, end: match.index + span.length }
        if (!found.some(({ start, end }) => start < one.end && one.start < end)) found.push(one)
      }
    }
    return found.sort((a, b) => a.start - b.start)
  }

  openFrom(text: string): number {
    let open = text.length
    for (const { made, spanCharsMax } of this.#patterns) {
      const least = Math.max(0, text.length - spanCharsMax)
      let from = text.length
      while (from > least && made.test(text[from - 1] ?? '')) from--
      open = Math.min(open, from)
    }
    return open
  }
}
