import { type Analyzer, STOP_TERMS } from '../../base/words.ts'

/** What a question is about, in words. */

/** Words of asking rather than of the thing asked about. */
const FRAME_WORDS =
  'tell explain describe mean meaning definition happen work need want wish way possible know find use using get make give show list call much many long often ' +
  'different difference example thing kind type sort exactly actually really there exist say go able take set look like see please help can could should would ' +
  'good best better right wrong become come keep try tried time second place own various main important also'

/** Of a long question the first words count. */
const TERMS_MAX = 64

/** The terms of what a text is about, in order, each as it was written. */
export function topicOf(analyzer: Analyzer, text: string): Map<string, string> {
  const frame = new Set(FRAME_WORDS.split(' ').map((word) => analyzer.term(word)))
  const topic = new Map<string, string>()
  for (const { term, start, end } of analyzer.words(text)) {
    if (topic.size === TERMS_MAX) break
    if (!STOP_TERMS.has(term) && !frame.has(term) && !topic.has(term)) topic.set(term, text.slice(start, end))
  }
  return topic
}
