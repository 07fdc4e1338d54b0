import type { Clock } from '../../base/clock.ts'
import type { JsonObject } from '../../base/json.ts'
import { PII_KINDS } from '../../config/pii-kinds.ts'
import { type Detector, findIn, OUT_OF_TIME, WINDOW_CHARS_MAX } from './finding.ts'
import { suspicionOf } from './injection.ts'
import { piiDetector } from './pii.ts'
import { secretDetector } from './secrets.ts'

/** A score from which a text is flagged. */
const INJECTION_MIN = 0.5

/** What all detectors find in a text, as one result of OpenAI's moderations; undefined where time is up before
 *  it is read. */
export function judgeBy(clock: Clock): (text: string, deadlineMs: number) => JsonObject | undefined {
  const detectors: readonly (readonly [string, Detector])[] = [
    ['pii', piiDetector(PII_KINDS)],
    ['secrets', secretDetector()],
  ]
  return (text, deadlineMs) => {
    const categories: { [name: string]: boolean } = { pii: false, secrets: false, injection: false }
    const scores: { [name: string]: number } = { pii: 0, secrets: 0, injection: 0 }
    for (const [name, detector] of detectors) {
      const found = findIn(detector, text, clock, deadlineMs)
      if (found === OUT_OF_TIME) return undefined
      for (const category of found.flatMap(({ kind }) => [name, `${name}/${kind}`])) {
        categories[category] = true
        scores[category] = 1
      }
    }
    let score = 0
    for (let from = 0; from === 0 || from < text.length; from += WINDOW_CHARS_MAX / 2) {
      if (clock.monotonicMs() > deadlineMs) return undefined
      score = Math.max(score, suspicionOf(text.slice(from, from + WINDOW_CHARS_MAX)).score)
    }
    scores['injection'] = score
    categories['injection'] = score >= INJECTION_MIN
    return { flagged: Object.values(categories).includes(true), categories, category_scores: scores }
  }
}
