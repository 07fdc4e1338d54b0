/** Text of a PDF page that is drawn with neither fill nor outline (ISO 32000-2, table 104). The
 *  library's text does not say so; its list of drawing operators does. */

/** The operators that matter, by the library's numbers. */
export interface Operators {
  readonly save: number
  readonly restore: number
  readonly setTextRenderingMode: number
  readonly showText: number
}

export interface OperatorList {
  readonly fnArray: readonly number[]
  readonly argsArray: readonly unknown[]
}

/** Rendering modes: invisible; only a part of the clipping path. */
const UNSEEN_MODES: ReadonlySet<unknown> = new Set([3, 7])

/** A stretch of text of one visibility. */
export interface Shown {
  text: string
  readonly isUnseen: boolean
}

/** What is written on the page, in order, without white space. */
export function shownText({ fnArray, argsArray }: OperatorList, operators: Operators): Shown[] {
  const runs: Shown[] = []
  const saved: boolean[] = []
  let isUnseen = false
  for (const [at, operator] of fnArray.entries()) {
    const args = argsArray[at]
    if (operator === operators.save) saved.push(isUnseen)
    else if (operator === operators.restore) isUnseen = saved.pop() ?? isUnseen
    else if (operator === operators.setTextRenderingMode) isUnseen = Array.isArray(args) && UNSEEN_MODES.has(args[0])
    else if (operator === operators.showText && Array.isArray(args)) {
      const text = squeezed(glyphs(args[0]))
      const last = runs.at(-1)
      if (last?.isUnseen === isUnseen) last.text += text
      else if (text !== '') runs.push({ text, isUnseen })
    }
  }
  return runs
}

function glyphs(list: unknown): string {
  let text = ''
  for (const glyph of Array.isArray(list) ? (list as readonly unknown[]) : [])
    if (typeof glyph === 'object' && glyph !== null && 'unicode' in glyph && typeof glyph.unicode === 'string')
      text += glyph.unicode
  return text
}

const squeezed = (text: string): string => text.normalize('NFKC').replace(/\s+/g, '')

/** For each of the strings the library gives for a page, what of it can be seen. The two lists are
 *  walked together; where they part ways (text that runs right to left), a run is looked for. */
export function seenOf(strings: readonly string[], runs: readonly Shown[]): { seen: string[]; unseen: string[] } {
  const whole = strings.map(squeezed).join('')
  /** Ranges of `whole` that cannot be seen. */
  const hidden: Range[] = []
  const unseen: string[] = []
  let cursor = 0
  for (const { text, isUnseen } of runs) {
    const start = whole.startsWith(text, cursor) ? cursor : whole.indexOf(text, cursor)
    if (start === -1) continue
    cursor = start + text.length
    if (!isUnseen) continue
    hidden.push({ start, end: cursor })
    unseen.push(text)
  }
  let at = 0
  let next = 0
  const seen = strings.map((string) => {
    const start = at
    at += squeezed(string).length
    while ((hidden[next]?.end ?? Infinity) <= start) next++
    return (hidden[next]?.start ?? Infinity) < at ? without(string, start, hidden, next) : string
  })
  return { seen, unseen }
}

interface Range {
  readonly start: number
  readonly end: number
}

/** A string that begins at `start`, without what stands in the ranges from number `next` on. */
function without(string: string, start: number, ranges: readonly Range[], next: number): string {
  let kept = ''
  let at = start
  for (const character of string) {
    const end = at + squeezed(character).length
    while ((ranges[next]?.end ?? Infinity) <= at && end > at) next++
    const range = ranges[next]
    if (end === at || range === undefined || end <= range.start || at >= range.end) kept += character
    at = end
  }
  return kept.replace(/\s+/g, ' ')
}
