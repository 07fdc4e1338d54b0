import type { Analyzer } from '../../base/words.ts'
import type { Passage } from '../passage.ts'
import { sourceTitle } from './assemble.ts'
import { topicOf } from './topic.ts'

/** Whether the sources hold an answer: what retrieval shows before a model is asked, and what the
 *  model says of it. */

/** Passages looked at. */
const PASSAGES_MAX = 20

/** The largest share of the question's topical words that one passage holds with its headings: 0 to
 *  1. A question without any topical word says nothing against a passage: 1. */
export function evidenceOf(analyzer: Analyzer, question: string, passages: readonly Passage[]): number {
  const topic = [...topicOf(analyzer, question).keys()]
  if (topic.length === 0) return passages.length > 0 ? 1 : 0
  let most = 0
  for (const passage of passages.slice(0, PASSAGES_MAX)) {
    const terms = new Set(analyzer.terms(`${sourceTitle(passage)}\n${passage.text}`))
    most = Math.max(most, topic.filter((term) => terms.has(term)).length / topic.length)
  }
  return most
}

/** Whether passages were found by their words alone: only then do missing words say that there is no
 *  answer. */
export const isLexical = (passages: readonly Passage[]): boolean =>
  passages.every(({ legs }) => legs?.vector === undefined)

/** Of an answer its beginning says whether it is one. */
const STATEMENT_UNITS_MAX = 300

const STATEMENTS: readonly RegExp[] = [
  /\b(?:sources?|documents?|passages?|context|texts?|information|material)\b[^.\n]{0,60}?\b(?:do|does|did)(?: not|n['’]t) (?:\w+ )?(?:answer|contain|hold|include|mention|say|specify|provide|give|cover|describe|discuss|explain|state|address|tell)/i,
  /\b(?:not|nothing|no (?:information|answer|mention|details?))\b[^.\n]{0,60}?\b(?:in|among|from) (?:the|these|any of the|your|given|provided)[^.\n]{0,20}?(?:sources?|documents?|passages?|context|texts?)\b/i,
  /\b(?:could|can)(?: not|not|n['’]t) (?:find|answer|determine|tell|be (?:found|answered|determined))\b[^.\n]{0,80}?\b(?:sources?|documents?|passages?|context|texts?)\b/i,
]

/** Whether a model says plainly, at the beginning, that its sources do not hold the answer. English;
 *  other languages are told by their missing citations. */
export function saysUnanswered(answer: string): boolean {
  const [beginning = ''] = answer
    .slice(0, STATEMENT_UNITS_MAX)
    .trim()
    .split(/(?<=[.!?])\s/, 1)
  return STATEMENTS.some((one) => one.test(beginning))
}
