import { type Sentence, sentences } from '../../base/sentences.ts'
import type { Analyzer } from '../../base/words.ts'
import { TITLE_SEPARATOR } from '../../engine/sources.ts'
import type { GivenText } from './prompt.ts'

/** One sentence of what was given, with what stands around it. */
export interface Unit extends Sentence {
  /** The given text it is of. */
  readonly text: number
  readonly terms: ReadonlySet<string>
  /** Its terms in order, for pairs of neighbours. */
  readonly sequence: readonly string[]
  readonly section: Section
  /** The unit that leads in to it: the one before it in its paragraph, the colon above its list or
   *  code, the head of its table. */
  readonly leadIn: number | undefined
  /** 0 for the first sentence after a heading. */
  readonly place: number
}

/** What stands under one heading. */
export interface Section {
  /** Outermost first; those of the title above the text come before those in it. */
  readonly headings: readonly ReadonlySet<string>[]
  /** All terms of its headings and sentences. */
  readonly terms: Set<string>
}

/** Longer code is taken apart at its empty lines, so that a part can be quoted. */
const CODE_LINES_WHOLE = 12

/** One given text, taken apart. Units are numbered from `first`. */
export function unitsOf(analyzer: Analyzer, given: GivenText, number: number, first: number): Unit[] {
  return new Reading(analyzer, given, number, first).units
}

class Reading {
  readonly units: Unit[] = []
  readonly #analyzer: Analyzer
  readonly #text: string
  readonly #number: number
  readonly #first: number
  readonly #headings: { readonly level: number; readonly terms: ReadonlySet<string> }[]
  #section: Section
  #place = 0
  /** What the next list, code or table is led in by. */
  #lead: number | undefined

  constructor(analyzer: Analyzer, { title, text }: GivenText, number: number, first: number) {
    this.#analyzer = analyzer
    this.#text = text
    this.#number = number
    this.#first = first
    this.#headings = title
      .split(TITLE_SEPARATOR)
      .map((heading) => ({ level: 0, terms: new Set(analyzer.terms(heading)) }))
    this.#section = this.#openSection()
    for (const sentence of sentences(text)) {
      if (sentence.kind === 'code') for (const part of codeParts(text, sentence)) this.#add(part)
      else this.#add(sentence)
    }
  }

  #add(sentence: Sentence): void {
    const raw = this.#text.slice(sentence.start, sentence.end)
    const sequence = this.#analyzer.terms(raw)
    const terms = new Set(sequence)
    if (sentence.kind === 'heading') this.#enter(sentence.level, terms)
    for (const term of terms) this.#section.terms.add(term)
    this.units.push({
      ...sentence,
      text: this.#number,
      terms,
      sequence,
      section: this.#section,
      leadIn: this.#leadIn(sentence),
      place: this.#place,
    })
    const here = this.#first + this.units.length - 1
    if (sentence.kind === 'prose') this.#lead = endsWithColon(raw) ? here : undefined
    else if (sentence.kind === 'columns') this.#lead = here
    if (sentence.kind !== 'heading') this.#place++
  }

  #enter(level: number, terms: ReadonlySet<string>): void {
    while ((this.#headings.at(-1)?.level ?? 0) >= level) this.#headings.pop()
    this.#headings.push({ level, terms })
    this.#section = this.#openSection()
    this.#place = 0
    this.#lead = undefined
  }

  #openSection(): Section {
    const headings = this.#headings.map(({ terms }) => terms)
    return { headings, terms: headings.reduce((all: Set<string>, terms) => all.union(terms), new Set<string>()) }
  }

  #leadIn({ kind, block }: Sentence): number | undefined {
    const former = this.units.at(-1)
    if (former?.block === block && (kind === 'prose' || kind === 'item')) return this.#first + this.units.length - 1
    return kind === 'prose' || kind === 'heading' ? undefined : this.#lead
  }
}

function codeParts(text: string, code: Sentence): Sentence[] {
  const lines = text.slice(code.start, code.end).split('\n')
  if (lines.length <= CODE_LINES_WHOLE) return [code]
  const parts: Sentence[] = []
  let [start, at] = [code.start, code.start]
  for (const line of [...lines, '']) {
    const end = at + line.length
    if (line.trim() === '' && at > start) parts.push({ ...code, start, end: at - 1 })
    if (line.trim() === '') start = end + 1
    at = end + 1
  }
  return parts.filter((part) =>
    /[\p{L}\p{N}]/u.test(text.slice(part.start, part.end).replace(/^[ \t>]*[`~]{3,}.*$/gm, '')),
  )
}

export const endsWithColon = (raw: string): boolean => /[:：][\s*_)\]]{0,3}$/.test(raw)

/** `**Errors.**`: a heading in all but name. */
export const isRunIn = (raw: string): boolean => /^(?:\*\*|__)[^*_]{1,80}(?:\*\*|__)[.:]?$/.test(raw)
