import type { GivenText } from './prompt.ts'
import type { Question } from './question.ts'
import { ended, fenced, plainRow, plainSentence } from './render.ts'
import type { Scored } from './score.ts'
import { endsWithColon, isRunIn, type Unit } from './units.ts'

/** From ranked sentences to an answer. */

export interface Answer {
  readonly answered: boolean
  readonly text: string
  readonly quotes: readonly Quote[]
}

/** What the answer rests on: a range in the text of the source with that number. */
export interface Quote {
  readonly source: number
  readonly start: number
  readonly end: number
}

/** Sentences of an answer; a list, table or code block that one of them introduces comes on top. */
const SENTENCES_MAX = 3
const ITEMS_MAX = 10
const CODE_LINES_MAX = 40
/** A lone sentence shorter than this takes the next one of its paragraph along. */
const LONE_UNITS_MIN = 110

/** An example stands at most this many sentences below what it shows. */
const EXAMPLE_REACH = 3

/** A further sentence must be this near to the best ... */
const SCORE_SHARE_MIN = 0.75
/** ... or this near where it adds no word of the question. */
const SCORE_SHARE_REPEATING = 0.92
/** A sentence of another text must be this near: unlike its neighbours it may be about another case. */
const SCORE_SHARE_ELSEWHERE = 0.88
/** Sentences sharing this part of their words say the same. */
const SAME_OVERLAP = 0.5

export class Composer {
  readonly #texts: readonly GivenText[]
  readonly #units: readonly Unit[]
  readonly #question: Question
  readonly #taken = new Set<number>()

  constructor(texts: readonly GivenText[], units: readonly Unit[], question: Question) {
    this.#texts = texts
    this.#units = units
    this.#question = question
  }

  /** `ranked` best first, not empty. */
  compose(ranked: readonly Scored[]): Answer {
    const chosen = this.#choose(ranked)
    for (const { at } of chosen) this.#take(at)
    const [best] = chosen
    if (best !== undefined) this.#takeNext(best.at)
    const order = [...new Set(chosen.map(({ unit }) => unit.text))]
    const places = [...this.#taken].sort(
      (a, b) => order.indexOf(this.#unit(a).text) - order.indexOf(this.#unit(b).text) || a - b,
    )
    return { answered: true, text: this.#render(places), quotes: this.#quotes(places) }
  }

  /** The best, and what adds to it. */
  #choose(ranked: readonly Scored[]): Scored[] {
    const [best] = ranked
    if (best === undefined) return []
    const chosen = [best]
    const held = new Set(best.held)
    for (const one of ranked.slice(1)) {
      if (chosen.length === SENTENCES_MAX || one.score < best.score * SCORE_SHARE_MIN) break
      const adds = !one.held.isSubsetOf(held)
      if (!adds && one.score < best.score * SCORE_SHARE_REPEATING) continue
      if (one.unit.text !== best.unit.text && one.score < best.score * SCORE_SHARE_ELSEWHERE) continue
      if (one.unit.kind === 'code') continue
      if (endsWithColon(this.#raw(one.unit)) && this.#units[one.at + 1]?.kind === 'code') continue
      if (chosen.some((other) => overlap(one.unit.terms, other.unit.terms) > SAME_OVERLAP)) continue
      chosen.push(one)
      for (const term of one.held) held.add(term)
    }
    return chosen
  }

  /** Takes a sentence and what it cannot be read without. */
  #take(at: number): void {
    const unit = this.#unit(at)
    if (unit.kind === 'item') return this.#takeItem(at)
    if (unit.kind === 'code') this.#takeCode(at)
    else this.#taken.add(at)
    if (unit.kind !== 'prose') return
    const raw = this.#raw(unit)
    const former = this.#units[at - 1]
    if (LEANS_BACK.test(raw) && former?.block === unit.block && former.text === unit.text) this.#taken.add(at - 1)
    if (endsWithColon(raw)) this.#takeLed(at)
    else if (this.#question.kind === 'how' && !this.#showsCode()) this.#takeExample(at)
  }

  /** The code that shows what an instruction says: the first in its section, if it follows soon. */
  #takeExample(at: number): void {
    const { section } = this.#unit(at)
    for (let next = at + 1; next <= at + EXAMPLE_REACH; next++) {
      const unit = this.#units[next]
      if (unit === undefined || unit.section !== section || (unit.kind !== 'code' && unit.kind !== 'prose')) return
      if (unit.kind === 'code') return void this.#taken.add(next)
    }
  }

  /** All that a lead-in leads to. */
  #takeLed(lead: number): void {
    const first = this.#units[lead + 1]
    if (first === undefined || first.text !== this.#unit(lead).text) return
    if (first.kind === 'code') return this.#takeCode(lead + 1)
    if (first.kind === 'item') return this.#takeList(lead + 1)
    if (first.kind !== 'columns' && first.kind !== 'row') return
    for (let at = lead + 1; this.#units[at]?.block === first.block && at <= lead + 1 + ITEMS_MAX; at++)
      this.#taken.add(at)
  }

  /** An item alone, with its list where the list is the answer, or with the line above it where it
   *  says too little by itself. */
  #takeItem(at: number): void {
    const unit = this.#unit(at)
    let first = at
    while (this.#isSameList(first - 1, at)) first--
    const lead = this.#unit(first).leadIn
    const isAskedFor =
      this.#asksFor(unit.section.headings.at(-1)) ||
      this.#asksFor(lead === undefined ? undefined : this.#unit(lead).terms)
    if (isAskedFor && (this.#question.kind === 'list' || (this.#question.kind === 'how' && unit.ordered))) {
      if (lead !== undefined) this.#taken.add(lead)
      return this.#takeList(first)
    }
    this.#taken.add(at)
    const former = this.#units[at - 1]
    const opens = former === undefined || former.block !== unit.block
    if (!opens && (isRunIn(this.#raw(former)) || LEANS_BACK.test(this.#raw(unit)))) this.#taken.add(at - 1)
    if (isRunIn(this.#raw(unit)) && this.#units[at + 1]?.block === unit.block) this.#taken.add(at + 1)
    if (opens && unit.leadIn !== undefined && unit.sequence.length < 8) this.#taken.add(unit.leadIn)
  }

  #asksFor(terms: ReadonlySet<string> = new Set()): boolean {
    return [...this.#question.terms].some(([term, weight]) => weight === 1 && terms.has(term))
  }

  #takeList(first: number): void {
    let items = 0
    let block = -1
    for (let at = first; at === first || this.#isSameList(at, first); at++) {
      const unit = this.#unit(at)
      if (unit.block !== block && ++items > ITEMS_MAX) break
      block = unit.block
      if (unit.level <= this.#unit(first).level) this.#taken.add(at)
    }
  }

  #isSameList(at: number, as: number): boolean {
    const [one, other] = [this.#units[at], this.#unit(as)]
    return (
      one !== undefined &&
      one.kind === 'item' &&
      one.text === other.text &&
      Math.abs(one.block - this.#unit(at < as ? at + 1 : at - 1).block) <= 1
    )
  }

  /** One block is enough: answers are to be read. */
  #showsCode(): boolean {
    return [...this.#taken].some((at) => this.#unit(at).kind === 'code')
  }

  #takeCode(at: number): void {
    const unit = this.#unit(at)
    if (this.#showsCode()) return
    if (this.#raw(unit).split('\n').length > CODE_LINES_MAX) return
    this.#taken.add(at)
    if (unit.leadIn !== undefined && unit.leadIn !== at) this.#taken.add(unit.leadIn)
    else if (this.#units[at - 1]?.kind === 'prose' && this.#unit(at - 1).text === unit.text) this.#taken.add(at - 1)
  }

  /** A short answer of one sentence reads on. */
  #takeNext(at: number): void {
    const only = this.#taken.size === 1 && this.#question.kind !== 'number' ? this.#unit(at) : undefined
    if (only === undefined || only.kind === 'row' || only.kind === 'code' || only.end - only.start >= LONE_UNITS_MIN)
      return
    const next = this.#units[at + 1]
    if (
      next !== undefined &&
      next.block === only.block &&
      next.text === only.text &&
      !/[:：?？]\W{0,3}$/.test(this.#raw(next))
    )
      this.#taken.add(at + 1)
  }

  #unit(at: number): Unit {
    const unit = this.#units[at]
    if (unit === undefined) throw new RangeError(`no sentence ${at}`)
    return unit
  }

  #raw(unit: Unit): string {
    return this.#texts[unit.text]?.text.slice(unit.start, unit.end) ?? ''
  }

  /** Running prose on one line; lists, tables and code each in a paragraph of their own. */
  #render(places: readonly number[]): string {
    let text = ''
    let ordinal = 0
    for (const [turn, at] of places.entries()) {
      const unit = this.#unit(at)
      const next = places[turn + 1] === undefined ? undefined : this.#unit(places[turn + 1] ?? 0)
      const former = turn === 0 ? undefined : this.#unit(places[turn - 1] ?? 0)
      const goesOn = former?.text === unit.text && former.kind === 'item'
      ordinal = goesOn ? ordinal + Number(former.block !== unit.block) : 1
      text += separator(former, unit) + this.#piece(unit, former, next, ordinal)
    }
    return text
  }

  #piece(unit: Unit, former: Unit | undefined, next: Unit | undefined, ordinal: number): string {
    const raw = this.#raw(unit)
    const cite = this.#cite(unit)
    // Code and tables cannot hold a marker; the sentence before carries it for them.
    if (unit.kind === 'code') return isLedBy(former, unit) ? fenced(raw) : `${fenced(raw)}\n${cite.trim()}`.trimEnd()
    if (unit.kind === 'row')
      return (isList(unit, former, next) ? '- ' : '') + ended(plainRow(raw, this.#columnsOf(unit))) + cite
    if (unit.kind === 'columns') return ''
    const sentence = plainSentence(raw)
    if (unit.kind === 'item' && isList(unit, former, next)) {
      const mark = former?.block === unit.block ? '' : unit.ordered ? `${ordinal}. ` : '- '
      // One marker for a run of items, at its end.
      return mark + sentence + (next?.kind === 'item' && next.text === unit.text ? '' : cite)
    }
    const leads =
      next !== undefined &&
      next.text === unit.text &&
      /[:：]$/.test(sentence) &&
      (next.kind === 'item' || next.kind === 'columns')
    return leads || isRunIn(raw)
      ? ended(sentence) + (leads ? '' : next === undefined ? cite : '')
      : ended(sentence) + cite
  }

  #columnsOf(unit: Unit): string | undefined {
    const columns = unit.leadIn === undefined ? undefined : this.#unit(unit.leadIn)
    const head =
      columns?.kind === 'columns'
        ? columns
        : this.#units.find(({ kind, block, text }) => kind === 'columns' && block === unit.block && text === unit.text)
    return head === undefined ? undefined : this.#raw(head)
  }

  #cite({ text }: Unit): string {
    const number = this.#texts[text]?.number
    return number === undefined ? '' : ` [${number}]`
  }

  #quotes(places: readonly number[]): Quote[] {
    return places.flatMap((at) => {
      const { text, start, end } = this.#unit(at)
      const { number: source, offset = 0 } = this.#texts[text] ?? {}
      return source === undefined ? [] : [{ source, start: offset + start, end: offset + end }]
    })
  }
}

/** Begins with a word that stands for something said before. */
const LEANS_BACK =
  /^[\s*_]*(?:it|its|they|them|their|this|that|these|those|he|she|such|so|then|there|both|otherwise|however|instead|also|but|and|or|hence|therefore|thus)\b/i

/** Whether items stand under one another in the answer, as a list. */
const isList = (unit: Unit, former: Unit | undefined, next: Unit | undefined): boolean =>
  [former, next].some(
    (other) =>
      other?.kind === unit.kind && other.text === unit.text && (unit.kind === 'row' || other.block !== unit.block),
  ) ||
  (former !== undefined && former.text === unit.text && former.kind === 'prose' && unit.leadIn !== undefined)

const isLedBy = (former: Unit | undefined, unit: Unit): boolean => former?.text === unit.text && former.kind !== 'code'

function separator(former: Unit | undefined, unit: Unit): string {
  if (former === undefined) return ''
  const isBlock = (kind: Unit['kind']): boolean => kind === 'code'
  if (former.kind === 'columns') return ''
  if (former.text === unit.text && former.block === unit.block)
    return unit.kind === 'row' || unit.kind === 'code' ? '\n' : ' '
  if (unit.kind === 'item' && former.kind === 'item' && former.text === unit.text) return '\n'
  if (
    isBlock(unit.kind) ||
    isBlock(former.kind) ||
    unit.kind === 'item' ||
    former.kind === 'item' ||
    unit.kind === 'columns'
  )
    return '\n\n'
  return ' '
}

function overlap(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const shared = a.intersection(b).size
  return shared / Math.max(1, Math.min(a.size, b.size))
}
