import { Parser } from 'htmlparser2'
import type { Refusal } from '../base/errors.ts'
import { isUnseen, type Look, PLAIN, Sheet, styled } from './css.ts'
import { Extract, type Extracted, headingText } from './extract.ts'
import { NESTING_MAX, SLICE_UNITS, tooDeep, tooLong, tooSlow, type Deadline } from './limits.ts'

/** The readable part of an HTML page: what stands in `main` (or all, where there is none) without
 *  scripts, styles, navigation and what is hidden, be it from everyone or from one kind of reader. */
export function parseHtml(source: string, deadline: Deadline): Extracted | Refusal {
  const page = new Page()
  const parser = new Parser(
    {
      onopentag: (name, attributes) => page.open(name, attributes),
      onclosetag: (name) => page.close(name),
      ontext: (text) => page.text(text),
      oncomment: (text) => page.comment(text),
    },
    { recognizeSelfClosing: XHTML.test(source.slice(0, SLICE_UNITS)) },
  )
  for (let at = 0; at < source.length; at += SLICE_UNITS) {
    parser.write(source.slice(at, at + SLICE_UNITS))
    if (page.depthMax > NESTING_MAX) return tooDeep()
    if (page.extract.full) return tooLong()
    if (deadline.passed()) return tooSlow(deadline)
  }
  parser.end()
  return page.finish()
}

/** Written in XML, where any element can be closed at once: `<script src="x"/>` holds nothing. */
const XHTML = /^\s*<\?xml\s|<html[^>]{1,1000}xmlns=/

const DROPPED: ReadonlySet<string> = new Set(
  'script style noscript template nav svg math iframe object embed canvas audio video select option button input textarea dialog head'.split(
    ' ',
  ),
)
/** Dropped elements whose text is meant for somebody: it counts as hidden. */
const UNSHOWN: ReadonlySet<string> = new Set(['noscript', 'template', 'dialog'])
/** Elements that end the paragraph before and after them. */
const BREAKING: ReadonlySet<string> = new Set(
  (
    'address article aside blockquote body caption center details dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr html ' +
    'legend li main ol p pre section summary table tbody td tfoot th thead tr ul'
  ).split(' '),
)

type Attributes = { readonly [name: string]: string }

class Page {
  readonly extract = new Extract()
  depthMax = 0
  #depth = 0
  /** Depth at which something dropped began; nothing is read until it closes. */
  #droppedAt = 0
  /** What is dropped is text that someone hid; gathered to be counted. */
  #dropped: string | undefined
  readonly #sheet = new Sheet()
  #css: string | undefined
  /** Elements around the present place that say how text in them looks, innermost last. */
  #looks: { readonly depth: number; readonly look: Look }[] = []
  #unseen = false
  #mainAt = 0
  #title = ''
  #inTitle = false
  #firstHeading: string | undefined
  #buffer = ''
  #headingLevel = 0
  #preDepth = 0
  /** The outermost list or table being read; what is inside it becomes lines of it. */
  #container: 'list' | 'table' | undefined
  #containerDepth = 0
  #lines: string[] = []
  #numbers: number[] = []
  #cells: string[] = []

  open(name: string, attributes: Attributes): void {
    this.#depth++
    if (this.#depth > this.depthMax) this.depthMax = this.#depth
    if (name === 'title' && this.#title === '') this.#inTitle = true
    if (name === 'style') this.#css = ''
    if (this.#droppedAt > 0) return
    const hidden = this.#isHidden(name, attributes)
    if (hidden || DROPPED.has(name) || attributes['role'] === 'navigation') {
      this.#droppedAt = this.#depth
      this.#dropped = hidden || UNSHOWN.has(name) ? '' : undefined
      return
    }
    if (this.#mainAt === 0 && (name === 'main' || attributes['role'] === 'main')) {
      this.#flush()
      this.#mainAt = this.#depth
    }
    if (name === 'br') this.#buffer += '\n'
    if (BREAKING.has(name)) this.#openBlock(name)
  }

  close(name: string): void {
    if (name === 'title') this.#inTitle = false
    if (name === 'style') this.#endStyle()
    const dropped = this.#droppedAt
    if (dropped === this.#depth) this.#endDropped()
    if (dropped === 0) {
      if (BREAKING.has(name)) this.#closeBlock(name)
      if (this.#mainAt === this.#depth) {
        this.#flush()
        this.#mainAt = 0
      }
    }
    if (this.#looks.at(-1)?.depth === this.#depth) {
      this.#looks.pop()
      this.#unseen = isUnseen(this.#looks.at(-1)?.look ?? PLAIN)
    }
    this.#depth--
  }

  comment(text: string): void {
    // In HTML, what begins an XML file is a comment, too.
    if (/\p{L}/u.test(text) && !text.startsWith('?')) this.extract.hidden.count('comment')
  }

  text(text: string): void {
    if (this.#css !== undefined) this.#css += text
    if (this.#inTitle && this.#title.length < 1000) this.#title += text
    if (this.#droppedAt > 0) {
      if (this.#dropped !== undefined && this.#dropped.length < HIDDEN_UNITS_COUNTED) this.#dropped += text
      return
    }
    if (this.#unseen) return this.extract.hidden.passage(text)
    this.#buffer += this.#preDepth > 0 ? text : text.replace(/[\s\u00a0]+/g, ' ')
  }

  finish(): Extracted | Refusal {
    if (this.#droppedAt > 0) this.#endDropped()
    if (this.#container !== undefined) this.#endContainer()
    this.#flush()
    if (this.extract.full) return tooLong()
    const title = headingText(this.#title)
    const named = title !== '' ? title : this.#firstHeading
    return named === undefined ? this.extract.finish() : { title: named, ...this.extract.finish() }
  }

  #endStyle(): void {
    if (this.#css !== undefined) this.#sheet.add(this.#css)
    this.#css = undefined
  }

  #endDropped(): void {
    this.extract.hidden.passage(this.#dropped ?? '')
    this.#droppedAt = 0
    this.#dropped = undefined
  }

  #isHidden(name: string, attributes: Attributes): boolean {
    const styledAway = !this.#restyle(name, attributes)
    // Pages that are faded in hide their body until a script has run.
    if (name === 'body' || name === 'html') return false
    return styledAway || 'hidden' in attributes || attributes['aria-hidden'] === 'true'
  }

  /** False where the element is styled out of sight. */
  #restyle(name: string, attributes: Attributes): boolean {
    const rules = this.#sheet.empty ? '' : this.#sheet.styleOf(name, attributes)
    const own = attributes['style'] ?? ''
    const color = attributes['color'] === undefined ? '' : `color:${attributes['color']};`
    const background = attributes['bgcolor'] === undefined ? '' : `background:${attributes['bgcolor']};`
    const style = `${color}${background}${rules}${own}`
    if (style === '') return true
    const around = this.#looks.at(-1)?.look ?? PLAIN
    const look = styled(around, style)
    if (look === undefined) return false
    if (look === around) return true
    this.#looks.push({ depth: this.#depth, look })
    this.#unseen = isUnseen(look)
    return true
  }

  #openBlock(name: string): void {
    this.#flush()
    if (name === 'ul' || name === 'ol') {
      if (this.#container === undefined) this.#beginContainer('list')
      else if (this.#container === 'list') this.#containerDepth++
      if (this.#container === 'list') this.#numbers.push(name === 'ol' ? 1 : 0)
    } else if (name === 'table') {
      if (this.#container === undefined) this.#beginContainer('table')
      else if (this.#container === 'table') this.#containerDepth++
    } else if (name === 'li' && this.#container === 'list') {
      const number = this.#numbers.at(-1) ?? 0
      if (number > 0) this.#numbers[this.#numbers.length - 1] = number + 1
      const indent = '  '.repeat(Math.min(this.#containerDepth - 1, 8))
      this.#lines.push(`${indent}${number > 0 ? `${number}.` : '-'}`)
    } else if (name === 'pre') {
      this.#preDepth++
    } else if (/^h[1-6]$/.test(name)) {
      this.#headingLevel = Number(name.charAt(1))
    }
  }

  #closeBlock(name: string): void {
    this.#flush()
    if (/^h[1-6]$/.test(name)) this.#headingLevel = 0
    else if (name === 'pre') this.#preDepth = Math.max(0, this.#preDepth - 1)
    else if (this.#container === 'table') {
      if ((name === 'td' || name === 'th') && this.#containerDepth === 1) this.#cells.push('')
      else if (name === 'tr' && this.#containerDepth === 1) this.#endRow()
      else if (name === 'table' && --this.#containerDepth === 0) this.#endContainer()
    } else if (this.#container === 'list' && (name === 'ul' || name === 'ol')) {
      this.#numbers.pop()
      if (--this.#containerDepth === 0) this.#endContainer()
    }
  }

  #beginContainer(kind: 'list' | 'table'): void {
    this.#container = kind
    this.#containerDepth = 1
    this.#lines = []
    this.#numbers = []
    this.#cells = ['']
  }

  #endRow(): void {
    const row = this.#cells.slice(0, -1).join(' | ')
    if (/[^\s|]/.test(row)) this.#lines.push(row)
    this.#cells = ['']
  }

  #endContainer(): void {
    const kind = this.#container
    if (kind === 'table') {
      this.#cells.push('')
      this.#endRow()
    }
    this.#container = undefined
    if (kind !== undefined)
      this.extract.add(kind, this.#lines.join('\n'), { main: this.#mainAt > 0, hasHeader: kind === 'table' })
  }

  /** What was read since the last break becomes a block, or part of the list or table. */
  #flush(): void {
    const raw = this.#buffer
    if (raw === '') return
    this.#buffer = ''
    const pre = this.#preDepth > 0
    const text = pre
      ? raw
      : raw
          .replace(/ *\n */g, '\n')
          .replace(/ {2,}/g, ' ')
          .trim()
    if (text.trim() === '') return
    if (this.#container === 'table') {
      const last = this.#cells.length - 1
      const cell = this.#cells[last] ?? ''
      this.#cells[last] = `${cell}${cell === '' ? '' : ' '}${text.replace(/\s*\n\s*/g, ' ')}`
    } else if (this.#container === 'list') {
      const last = Math.max(0, this.#lines.length - 1)
      const line = this.#lines[last] ?? ''
      this.#lines[last] = line === '' ? text : `${line} ${text}`
    } else if (this.#headingLevel > 0) {
      this.#firstHeading ??= headingText(text)
      this.extract.add('heading', text.replace(/\s*\n\s*/g, ' '), { level: this.#headingLevel, main: this.#mainAt > 0 })
    } else {
      this.extract.add(pre ? 'code' : 'paragraph', text, { main: this.#mainAt > 0 })
    }
  }
}

/** Of one hidden element: how long it is past this is of no interest. */
const HIDDEN_UNITS_COUNTED = 65_536
