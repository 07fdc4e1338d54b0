/** Sentences of prose and Markdown, with what each is: the unit in which answers quote and the
 *  highlighter marks. Not a Markdown parser: it only keeps apart what must not be read as one. */

export interface Sentence {
  /** Range in the text, in UTF-16 code units: [start, end). Marks of headings, list items and
   *  quotations are outside it; the fences of code are inside. */
  readonly start: number
  readonly end: number
  /** `columns` is a table's head. Code is one sentence, whatever it holds. */
  readonly kind: 'prose' | 'heading' | 'item' | 'code' | 'columns' | 'row'
  /** Paragraph, list item, table or code block: counted from 0. */
  readonly block: number
  /** Headings: 1 to 6. Items: columns of indentation. Else 0. */
  readonly level: number
  /** An item with a number. */
  readonly ordered: boolean
}

/** A run without an end (a minified file, a table of numbers) is cut at about this length. */
const SENTENCE_UNITS_MAX = 2000

const COMMENT_LINES_MAX = 200

const FENCE = /^[ \t>]*(`{3,}|~{3,})/
const HEADING = /^ {0,3}(#{1,6})[ \t]+/
const UNDERLINE = /^ {0,3}(=+|-{2,})[ \t]*$/
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/
const ITEM = /^([ \t>]*)(?:[-*+•]|(\d{1,9})[.)])[ \t]+(?:\[[ xX]\][ \t]+)?/
const ROW = /^[ \t>]*\|.*\|[ \t]*$/
const DIVIDER = /^[ \t>]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/
const SILENT = /^[ \t>]*(?:\[[^\n]{1,200}\]:[ \t]+\S+.*|<\/?[a-z][^<>]*>[ \t]*)?$/i
const INDENTED = /^(?: {4}|\t)/

export function sentences(text: string): Sentence[] {
  return new Splitter(text).run()
}

interface Line {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** A paragraph or list item being gathered, line by line. */
interface Open {
  readonly kind: 'prose' | 'item'
  readonly level: number
  readonly ordered: boolean
  readonly start: number
  end: number
}

class Splitter {
  readonly #text: string
  readonly #lines: Line[] = []
  readonly #found: Sentence[] = []
  #block = 0
  #open: Open | undefined
  /** Inside a list, indented lines continue it and are no code. */
  #inList = false

  constructor(text: string) {
    this.#text = text
    let start = 0
    for (const line of text.split('\n')) {
      const end = start + line.length
      this.#lines.push({ start, end, text: line.endsWith('\r') ? line.slice(0, -1) : line })
      start = end + 1
    }
  }

  run(): Sentence[] {
    for (let at = 0; at < this.#lines.length;) at = this.#take(at)
    this.#close()
    return this.#found
  }

  /** Takes one line, or the whole block that it opens. Returns the next line's number. */
  #take(at: number): number {
    const line = this.#lines[at]
    if (line === undefined) return at + 1
    if (line.text.startsWith('<!--')) return this.#comment(at)
    const fence = FENCE.exec(line.text)
    if (fence !== null) return this.#fenced(at, fence[1] ?? '```')
    if (SILENT.test(line.text)) {
      this.#close()
      return at + 1
    }
    const heading = HEADING.exec(line.text)
    if (heading !== null) {
      this.#heading(
        line.start + heading[0].length,
        line.start + withoutClosing(line.text).length,
        heading[1]?.length ?? 1,
      )
      return at + 1
    }
    if (this.#underlines(line)) return at + 1
    if (RULE.test(line.text)) {
      this.#close()
      return at + 1
    }
    if (ROW.test(line.text) || (DIVIDER.test(this.#lines[at + 1]?.text ?? '') && line.text.includes('|')))
      return this.#table(at)
    if (INDENTED.test(line.text) && this.#open === undefined && !this.#inList) return this.#indented(at)
    this.#line(line)
    return at + 1
  }

  #line(line: Line): void {
    const item = ITEM.exec(line.text)
    if (item !== null) {
      this.#close()
      this.#inList = true
      const level = (item[1] ?? '').replaceAll('\t', '    ').length
      this.#open = {
        kind: 'item',
        level,
        ordered: item[2] !== undefined,
        start: line.start + item[0].length,
        end: line.end,
      }
      return
    }
    if (this.#open !== undefined) {
      this.#open.end = line.end
      return
    }
    const indent = /^[ \t>]*/.exec(line.text)?.[0].length ?? 0
    // After a blank line, an indented paragraph still belongs to the item above it.
    this.#inList &&= indent > 0
    this.#open = {
      kind: this.#inList ? 'item' : 'prose',
      level: this.#inList ? indent : 0,
      ordered: false,
      start: line.start + indent,
      end: line.end,
    }
  }

  /** The second line of a heading in the underlined style. */
  #underlines(line: Line): boolean {
    const open = this.#open
    if (open?.kind !== 'prose' || !UNDERLINE.test(line.text) || this.#text.slice(open.start, open.end).includes('\n'))
      return false
    this.#open = undefined
    this.#heading(
      open.start,
      open.start + this.#text.slice(open.start, open.end).trimEnd().length,
      line.text.includes('=') ? 1 : 2,
    )
    return true
  }

  #heading(start: number, end: number, level: number): void {
    this.#close()
    this.#inList = false
    if (end > start) this.#push('heading', start, end, level)
    this.#block++
  }

  /** To its end, however many lines that takes; one that is never closed is only its first line. */
  #comment(at: number): number {
    this.#close()
    for (let last = at; last < Math.min(at + COMMENT_LINES_MAX, this.#lines.length); last++) {
      if (this.#lines[last]?.text.includes('-->')) return last + 1
    }
    return at + 1
  }

  #fenced(at: number, fence: string): number {
    this.#close()
    const closing = new RegExp(`^[ \\t>]*${fence[0] === '`' ? '`' : '~'}{${fence.length},}[ \\t]*$`)
    let last = at + 1
    while (last < this.#lines.length && !closing.test(this.#lines[last]?.text ?? '')) last++
    return this.#code(at, Math.min(last, this.#lines.length - 1))
  }

  #indented(at: number): number {
    let last = at
    for (let next = at + 1; next < this.#lines.length; next++) {
      const text = this.#lines[next]?.text ?? ''
      if (INDENTED.test(text)) last = next
      else if (text.trim() !== '') break
    }
    return this.#code(at, last)
  }

  #code(first: number, last: number): number {
    this.#push('code', this.#lines[first]?.start ?? 0, this.#lines[last]?.end ?? this.#text.length, 0)
    this.#block++
    return last + 1
  }

  #table(at: number): number {
    this.#close()
    this.#inList = false
    let next = at
    for (; next < this.#lines.length; next++) {
      const line = this.#lines[next]
      if (line === undefined || !line.text.includes('|') || SILENT.test(line.text)) break
      if (DIVIDER.test(line.text)) continue
      const isHead = next === at && DIVIDER.test(this.#lines[at + 1]?.text ?? '')
      const indent = /^[ \t>]*/.exec(line.text)?.[0].length ?? 0
      this.#push(isHead ? 'columns' : 'row', line.start + indent, line.start + line.text.trimEnd().length, 0)
    }
    this.#block++
    return Math.max(next, at + 1)
  }

  #close(): void {
    const open = this.#open
    if (open === undefined) return
    this.#open = undefined
    for (const { start, end } of splitProse(this.#text, open.start, open.end)) {
      this.#push(open.kind, start, end, open.level, open.ordered)
    }
    this.#block++
  }

  #push(kind: Sentence['kind'], start: number, end: number, level: number, ordered = false): void {
    this.#found.push({ kind, start, end, block: this.#block, level, ordered })
  }
}

/** A heading's line without the marks that may close it. */
function withoutClosing(line: string): string {
  let end = line.trimEnd().length
  while (line[end - 1] === '#') end--
  return end > 0 && /\s/.test(line[end - 1] ?? '') ? line.slice(0, end).trimEnd() : line.trimEnd()
}

/** Abbreviations after which a sentence goes on though a capital follows. */
const ABBREVIATION =
  /(?:^|[\s(["'“])(?:[zv]|\p{L}\.\p{L}|cf|ca|approx|incl|excl|resp|vs|etc|al|no|nos|fig|figs|eq|sec|ch|pp|vol|ed|eds|est|min|max|avg|dept|inc|ltd|co|corp|st|mr|mrs|ms|dr|prof|jr|sr|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|z\.\s?b|d\.\s?h|u\.\s?a|bzw|usw|ggf|evtl|nr|abs|art)$/iu
/** A letter standing for a first name. */
const INITIAL = /(?:^|[\s(.])\p{Lu}$/u
/** Of these a sentence may end, if a capital follows. */
const MAY_END = /(?:etc|al|inc|ltd|co|corp|usw)$/i

/** Where a sentence may end: a stop with what closes after it; or backticks, since code is skipped. */
const STOP = /`+|[.!?…。！？]["'”’)\]*_」』）.!?…。！？]*/gu

/** Code in a line of prose is shorter. */
const INLINE_CODE_UNITS_MAX = 400

function* splitProse(text: string, from: number, to: number): Generator<{ start: number; end: number }> {
  let start = from
  const stop = new RegExp(STOP)
  stop.lastIndex = from
  for (let match = stop.exec(text); match !== null && match.index < to; match = stop.exec(text)) {
    if (match[0].startsWith('`')) {
      const inside = match.index + match[0].length
      const close = text.slice(inside, Math.min(to, inside + INLINE_CODE_UNITS_MAX)).indexOf(match[0])
      if (close >= 0) stop.lastIndex = inside + close + match[0].length
      continue
    }
    const end = match.index + match[0].length
    if (
      end > to ||
      !endsSentence(text.slice(Math.max(start, match.index - 16), match.index), match[0], text.slice(end, end + 40))
    )
      continue
    yield* pieces(text, start, end)
    start = end
  }
  yield* pieces(text, start, to)
}

/** Full-width stops need no space after them; others do, and no small letter after that. */
function endsSentence(before: string, stop: string, after: string): boolean {
  if (/[。！？]/.test(stop)) return true
  const next = after.trimStart()
  if (next === '') return true
  if (next.length === after.length || /^[\p{Ll},;:)\]]/u.test(next)) return false
  if (!stop.startsWith('.') || stop.startsWith('..')) return true
  return !(ABBREVIATION.test(before) || INITIAL.test(before)) || MAY_END.test(before)
}

/** The range without the space around it; in parts where it is too long to be read as one. */
function* pieces(text: string, from: number, to: number): Generator<{ start: number; end: number }> {
  let start = from
  while (start < to) {
    while (start < to && /\s/.test(text[start] ?? '')) start++
    let end = Math.min(to, start + SENTENCE_UNITS_MAX)
    if (end < to) {
      const space = text.slice(start, end).lastIndexOf(' ')
      if (space > SENTENCE_UNITS_MAX / 2) end = start + space
      else if (/[\udc00-\udfff]/.test(text[end] ?? '')) end--
    }
    const next = end
    while (end > start && /\s/.test(text[end - 1] ?? '')) end--
    if (end > start) yield { start, end }
    start = next
  }
}
