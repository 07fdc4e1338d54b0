import { inverseDocumentFrequency } from '../../base/bm25.ts'
import { type Analyzer, STOP_TERMS } from '../../base/words.ts'
import { formOf, trustIn } from './form.ts'
import { type Question, SYNONYM_CREDIT, synonymsOf } from './question.ts'
import type { Unit } from './units.ts'

/** Gives others a turn when this one has lasted. */
export type Breathe = () => Promise<void> | undefined

/** How well a sentence answers. */
export interface Scored {
  readonly unit: Unit
  /** The place of the unit in the list of all. */
  readonly at: number
  /** What it is ranked by. */
  readonly score: number
  /** The part of the question, weighed by rarity, that the sentence and what stands around it
   *  speak of: 0 to 1. */
  readonly covered: number
  /** The terms of the question that the sentence itself holds. */
  readonly held: ReadonlySet<string>
}

/** What a word of the question earns that stands not in the sentence but around it. */
const CREDIT = { leadIn: 0.6, nearestHeading: 0.8, heading: 0.55, section: 0.35 }

/** Words around a sentence count for its rank by this much of that. */
const AROUND_WEIGHT = 0.6

/** A section that speaks of the whole question lends its sentences this much. */
const SECTION_WEIGHT = 0.2

/** A heading that is the question is answered by the first sentence under it: this much where it
 *  holds every word, falling with the square of what it holds. */
const OPENING_BONUS = 0.7
const OPENING_COVERED_MIN = 0.6

/** A text that was found later is somewhat less likely to hold the answer. */
const RANK_LOSS = 0.02

/** Sentences of more terms hold words of the question by chance. */
const LENGTH_FREE = 32

/** Words that no text holds are worth less than the rarest that one does: most are the asker's way
 *  of putting it. Not so a name: a text without it is about something else. */
const UNSEEN_SHARE = 0.7

/** Rarity is told from no fewer sentences: in a handful every word is rare. */
const SENTENCES_LEAST = 30

export class Judge {
  readonly #question: Question
  readonly #synonyms: ReadonlyMap<string, ReadonlySet<string>>
  readonly #units: readonly Unit[]
  /** What each term of the question is worth: its weight times its rarity among the sentences. */
  readonly #worth = new Map<string, number>()
  #worthOfAll = Number.MIN_VALUE

  private constructor(question: Question, synonyms: ReadonlyMap<string, ReadonlySet<string>>, units: readonly Unit[]) {
    this.#question = question
    this.#synonyms = synonyms
    this.#units = units
  }

  static async open(analyzer: Analyzer, question: Question, units: readonly Unit[], breathe: Breathe): Promise<Judge> {
    const judge = new Judge(question, synonymsOf(analyzer, question.terms.keys()), units)
    for (const [term, weight] of question.terms) {
      judge.#weigh(term, weight)
      await breathe()
    }
    return judge
  }

  #weigh(term: string, weight: number): void {
    const holding = this.#units.filter(({ terms }) => this.#holds(terms, term) > 0).length
    const share = holding > 0 || this.#question.names.has(term) ? 1 : UNSEEN_SHARE
    const worth = weight * share * inverseDocumentFrequency(Math.max(this.#units.length, SENTENCES_LEAST), holding)
    this.#worth.set(term, worth)
    this.#worthOfAll += worth
  }

  /** Undefined where the unit cannot be an answer or shares nothing with the question. */
  judge(at: number, raw: string): Scored | undefined {
    const unit = this.#units[at]
    if (unit === undefined || unit.kind === 'heading' || unit.kind === 'columns') return undefined
    const held = new Set<string>()
    let [own, around, section, heading] = [0, 0, 0, 0]
    for (const [term, worth] of this.#worth) {
      const inside = this.#holds(unit.terms, term)
      if (inside > 0) held.add(term)
      own += worth * inside
      around += worth * Math.max(0, this.#credit(unit, term) - inside)
      section += worth * this.#holds(unit.section.terms, term)
      heading += worth * this.#holds(unit.section.headings.at(-1) ?? NOTHING, term)
    }
    const all = this.#worthOfAll
    const covered = (own + around) / all
    if (covered === 0) return undefined
    const length = Math.min(1, Math.sqrt(LENGTH_FREE / Math.max(1, unit.sequence.length)))
    let score = (length * (own + AROUND_WEIGHT * around) + SECTION_WEIGHT * section) / all
    if (heading / all >= OPENING_COVERED_MIN && opens(unit)) score += OPENING_BONUS * (heading / all) ** 2
    score += this.#position(unit) + formOf(this.#question, unit, raw) * covered
    return {
      unit,
      at,
      held,
      covered,
      score: score * trustIn(this.#question, unit, raw) * (1 - RANK_LOSS * Math.min(unit.text, 15)),
    }
  }

  /** 1 where the term stands there, less where only a neighbour of it does. */
  #holds(terms: ReadonlySet<string>, term: string): number {
    if (terms.has(term)) return 1
    const synonyms = this.#synonyms.get(term)
    return synonyms !== undefined && !synonyms.isDisjointFrom(terms) ? SYNONYM_CREDIT : 0
  }

  #credit({ leadIn, section }: Unit, term: string): number {
    const inSection = this.#holds(section.terms, term)
    if (inSection === 0) return 0
    let credit = CREDIT.section * inSection
    const lead = leadIn === undefined ? undefined : this.#units[leadIn]
    if (lead !== undefined) credit = Math.max(credit, CREDIT.leadIn * this.#holds(lead.terms, term))
    for (const [depth, terms] of section.headings.entries()) {
      const worth = depth === section.headings.length - 1 ? CREDIT.nearestHeading : CREDIT.heading
      credit = Math.max(credit, worth * this.#holds(terms, term))
    }
    return credit
  }

  #position({ place, sequence, kind }: Unit): number {
    let bonus = place === 0 ? 0.06 : place === 1 ? 0.03 : 0
    let pairs = 0
    for (let at = 1; at < sequence.length; at++)
      if (this.#question.pairs.has(`${sequence[at - 1]} ${sequence[at]}`)) pairs++
    bonus += 0.06 * Math.min(2, pairs)
    // What a sentence is about tends to stand at its beginning.
    if (sequence.slice(0, 4).some((term) => this.#question.terms.get(term) === 1)) bonus += 0.06
    if (sequence.length < 4 && kind !== 'code' && place > 0) bonus -= 0.25
    return bonus
  }
}

/** The first sentence of a section, if it says more than the heading did. */
function opens({ place, kind, terms, section }: Unit): boolean {
  return (
    place === 0 &&
    kind === 'prose' &&
    terms.difference(section.headings.at(-1) ?? NOTHING).difference(STOP_TERMS).size >= 2
  )
}

const NOTHING: ReadonlySet<string> = new Set()
