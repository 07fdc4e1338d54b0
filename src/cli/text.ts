/** Text for terminals: widths, wrapping, tables. */

/** What a terminal can be given: text from documents and engines loses its control characters,
 *  so that it cannot move the cursor, retitle the window or hide what was printed. */
export const printable = (text: string): string =>
  text.replace(/\r\n?/g, '\n').replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, '')

/** One line of it. */
export const oneLine = (text: string): string => printable(text).replace(/\s+/g, ' ').trim()

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u
const ZERO = /\p{M}|\p{Cf}/u

/** Columns a text takes: two for wide characters, none for combining marks. */
export function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += ZERO.test(character) ? 0 : WIDE.test(character) ? 2 : 1
  return width
}

/** Cut to at most `width` columns, with an ellipsis where something is missing. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let out = ''
  let used = 0
  for (const character of text) {
    used += widthOf(character)
    if (used > width - 1) break
    out += character
  }
  return `${out.trimEnd()}…`
}

export const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - widthOf(text)))
export const padLeft = (text: string, width: number): string => ' '.repeat(Math.max(0, width - widthOf(text))) + text

/** Broken at blanks into lines of at most `width`; a longer word has a line of its own. */
export function wrap(text: string, width: number, indent = ''): string {
  const lines: string[] = []
  for (const paragraph of text.split('\n')) {
    let line = ''
    for (const word of paragraph.split(/ +/)) {
      if (line !== '' && widthOf(indent) + widthOf(line) + 1 + widthOf(word) > width) {
        lines.push(indent + line)
        line = word
      } else line = line === '' ? word : `${line} ${word}`
    }
    lines.push(line === '' ? '' : indent + line)
  }
  return lines.join('\n')
}

/** Columns lined up, two blanks between; the last one is cut to fit `width`. `right` names the
 *  columns of numbers. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
  right: readonly number[] = [],
): string {
  const all = [head, ...rows]
  const widths = head.map((_, at) => Math.max(...all.map((row) => widthOf(row[at] ?? ''))))
  const last = head.length - 1
  const before = widths.slice(0, last).reduce((sum, one) => sum + one + 2, 0)
  const room = Math.max(10, width - before)
  return all
    .map((row) =>
      head
        .map((_, at) => {
          const cell = at === last ? cut(row[at] ?? '', room) : (row[at] ?? '')
          return right.includes(at) ? padLeft(cell, widths[at] ?? 0) : at === last ? cell : pad(cell, widths[at] ?? 0)
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Wraps a stream of text at blanks as it comes; what is inside a code fence stays as it is. A
 *  word is held back until it is complete. */
export class StreamWrapper {
  readonly #width: number
  readonly #write: (text: string) => void
  #column = 0
  #word = ''
  #blanks = ''
  #line = ''
  #fenced = false

  constructor(width: number, write: (text: string) => void) {
    this.#width = width
    this.#write = write
  }

  push(text: string): void {
    for (const character of printable(text)) {
      if (character === '\n') this.#newLine()
      else if (character === ' ') this.#blank()
      else this.#word += character
    }
  }

  end(): void {
    this.#flush()
  }

  #blank(): void {
    this.#flush()
    this.#blanks += ' '
  }

  #newLine(): void {
    this.#flush()
    if (this.#line.startsWith('```')) this.#fenced = !this.#fenced
    this.#write('\n')
    this.#column = 0
    this.#blanks = ''
    this.#line = ''
  }

  #flush(): void {
    if (this.#word === '') return
    const wanted = this.#column + this.#blanks.length + widthOf(this.#word)
    if (!this.#fenced && this.#column > 0 && wanted > this.#width) {
      this.#write('\n')
      this.#column = 0
    } else {
      this.#write(this.#blanks)
      this.#column += this.#blanks.length
    }
    this.#write(this.#word)
    this.#column += widthOf(this.#word)
    this.#line += this.#blanks + this.#word
    this.#word = ''
    this.#blanks = ''
  }
}
