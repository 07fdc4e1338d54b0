import type { Question } from './question.ts'
import { isRunIn, type Unit } from './units.ts'

/** What speaks for a sentence, or against it, by its form alone: -0.3 to 0.25. */
export function formOf(question: Question, unit: Unit, raw: string): number {
  if (isRunIn(raw) || /[?？]$|^(?:see|cf\.?)\s/i.test(raw)) return -0.3
  return unit.kind === 'code' ? 0 : answerForm(question, unit, raw)
}

/** How far a unit of this kind can be trusted to answer at all. Code and rows of tables hold many
 *  words side by side that no sentence joins. */
export function trustIn({ kind }: Question, unit: Unit, raw: string): number {
  const asksForValue = kind === 'number' || kind === 'list'
  if (unit.kind === 'row') return asksForValue || kind === 'where' ? 1 : 0.7
  if (unit.kind !== 'code') return 1
  return (asksForValue || kind === 'how' || kind === 'where' ? 0.75 : 0.5) - 0.01 * Math.min(raw.split('\n').length, 20)
}

function answerForm(question: Question, unit: Unit, raw: string): number {
  switch (question.kind) {
    case 'define':
      return defines(question, unit, raw) ? 0.25 : 0
    case 'how':
      return instructs(question, unit, raw) + (unit.ordered ? 0.05 : 0)
    case 'why':
      return REASON.test(raw) ? 0.15 : 0
    case 'number':
      return /\d/.test(raw) ? 0.15 : 0
    case 'where':
      return PLACE.test(raw) ? 0.12 : 0
    case 'list':
      return unit.kind === 'item' || /[:：]$/.test(raw) || raw.split(',').length > 3 ? 0.12 : 0
    default:
      return 0
  }
}

const REASON =
  /\b(?:because|so that|since|therefore|hence|in order to|otherwise|avoids?|prevents?|due to|that is why|the reason|would|cannot)\b/i
const PLACE = /[\w.-]+\/[\w.-]*|`[^`]*[./][^`]*`|\b(?:in|under|at|on) (?:the |`)|\bfolder\b/i

/** Verbs that tell the reader what to do, whatever the question is about. */
const NEUTRAL_VERB =
  /^[\s*_]*(?:to \w+|run|use|set|write|call|open|edit|put|choose|give|type|enter|click|go to|point|add|pass)\b/i
const COMMAND = /^[\s*_]*`(?:\$ )?(?:npx|npm|sudo|docker|curl|git|pip|apt)\b/

function instructs({ terms }: Question, { sequence }: Unit, raw: string): number {
  if (NEUTRAL_VERB.test(raw) || COMMAND.test(raw)) return 0.12
  // "Stop Headworks and ..." answers how to stop it; "Delete the files ..." not how to ingest them.
  if (/^\p{Lu}\p{Ll}+ (?!is|are|was|has|can|may)/u.test(raw) && terms.has(sequence[0] ?? '')) return 0.12
  return /`[^`]+`/.test(raw) ? 0.04 : 0
}

const COPULA =
  /^[\s*_`"'(]*((?:(?:an?|the)\s+)?[\p{L}\p{N}_.\-*`\s]{1,60}?)[*_`"')]*\s*(?:\bis (?:an?|the|what|how|where|when|extractive|not)?\b|\bare\b|\bmeans?\b|\brefers? to\b|\bstands for\b|\bholds?\b|:|–|—| - )/iu

/** "A segment is ...", "**Segment**: ...", "`segment`: ...": the thing asked about comes first. */
function defines({ terms }: Question, { sequence }: Unit, raw: string): boolean {
  return COPULA.test(raw) && sequence.slice(0, 4).some((term) => terms.get(term) === 1)
}
