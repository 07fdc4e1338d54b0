import type { Clock } from '../../base/clock.ts'

/** Something in a text that a guardrail is after, `start` and `end` in UTF-16 units. What it says is not
 *  kept with it, so that no log can. */
export interface Finding {
  readonly kind: string
  readonly start: number
  readonly end: number
}

/** What finds it. Pure, and local: whether a span is a finding depends on it and the `CONTEXT_CHARS` before
 *  it alone, so that a text may be read in pieces. */
export interface Detector {
  /** No finding is longer. */
  readonly spanCharsMax: number
  /** In order, without overlaps. */
  find(text: string): readonly Finding[]
  /** From where on the end of a text may yet become a finding, when more follows. */
  openFrom(text: string): number
}

/** Expressions run over no more at once: the time that one takes is bounded, whatever the text. */
export const WINDOW_CHARS_MAX = 4096

/** What stands before a span decides whether it begins a word. */
export const CONTEXT_CHARS = 64

/** Time is up before the text is read. */
export const OUT_OF_TIME = Symbol('out of time')

/** Reads a text of any length by windows that overlap by the longest finding. */
export function findIn(
  detector: Detector,
  text: string,
  clock: Clock,
  deadlineMs: number,
): readonly Finding[] | typeof OUT_OF_TIME {
  if (text.length <= WINDOW_CHARS_MAX) return detector.find(text)
  const found: Finding[] = []
  const overlap = Math.min(detector.spanCharsMax, WINDOW_CHARS_MAX / 2) + CONTEXT_CHARS
  let end = 0
  for (let from = 0; ; from += WINDOW_CHARS_MAX - overlap) {
    if (clock.monotonicMs() > deadlineMs) return OUT_OF_TIME
    const until = Math.min(text.length, from + WINDOW_CHARS_MAX)
    const isFirst = from === 0
    const isLast = until === text.length
    for (const one of detector.find(text.slice(from, until))) {
      // At the seams a span may be cut: the window that holds it whole, with what is before it, says.
      if (!isFirst && one.start < CONTEXT_CHARS) continue
      if (
        !isLast &&
        one.end > WINDOW_CHARS_MAX - CONTEXT_CHARS &&
        one.start >= WINDOW_CHARS_MAX - overlap + CONTEXT_CHARS
      )
        continue
      if (from + one.start < end) continue
      end = from + one.end
      found.push({ kind: one.kind, start: from + one.start, end })
    }
    if (isLast) return found
  }
}

/** Findings of several detectors in order; where they overlap, the earlier and then the longer stands. */
export function mergeFindings<One extends Finding>(lists: readonly (readonly One[])[]): readonly One[] {
  const [only] = lists
  if (lists.length === 1 && only !== undefined) return only
  const merged: One[] = []
  for (const one of lists.flat().sort((a, b) => a.start - b.start || b.end - a.end))
    if (one.start >= (merged.at(-1)?.end ?? 0)) merged.push(one)
  return merged
}
