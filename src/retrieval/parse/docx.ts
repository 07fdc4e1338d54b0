import { Parser } from 'htmlparser2'
import { Refusal, refuse } from '../../base/errors.ts'
import type { Extracted } from './html.ts'
import { Extract, headingText } from './extract.ts'
import { NESTING_MAX, SLICE_UNITS, tooDeep, tooLong, tooSlow, unreadable, type Deadline } from './limits.ts'
import { Zip } from './zip.ts'

/** The text of a Word document (ECMA-376, WordprocessingML): paragraphs, headings by style, lists,
 *  tables. Text that a tracked change deleted is left out. Macros, fields, embedded objects and
 *  external references are not looked at. */
export function parseDocx(bytes: Uint8Array, deadline: Deadline): Extracted | Refusal {
  const zip = Zip.open(bytes)
  if (zip instanceof Refusal) return zip
  if (!zip.has('word/document.xml')) return refuse('document_unsupported', { type: otherKind(zip) })
  const parts: string[] = []
  for (const name of ['word/document.xml', 'word/styles.xml', 'docProps/core.xml']) {
    const part = zip.read(name)
    if (part instanceof Refusal) return part
    parts.push(part === undefined ? '' : new TextDecoder().decode(part))
  }
  const [document = '', styles = '', core = ''] = parts
  const levels = headingStyles(styles, deadline)
  if (levels instanceof Refusal) return levels
  const body = new Body(levels)
  const refused = readXml(document, body, deadline)
  if (refused !== undefined) return refused
  const title = headingText(coreTitle(core)) || body.title || ''
  return title === '' ? body.extract.finish() : { title, ...body.extract.finish() }
}

function otherKind(zip: Zip): string {
  if (zip.has('xl/workbook.xml')) return 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'
  if (zip.has('ppt/presentation.xml'))
    return 'application/vnd.openxmlformats-officedocument.presentationml.presentation'
  const declared = zip.read('mimetype')
  if (declared instanceof Uint8Array && declared.length < 100) return new TextDecoder().decode(declared).trim()
  return 'application/zip'
}

type Attributes = { readonly [name: string]: string }

interface XmlHandler {
  readonly extract?: Extract
  open(name: string, attributes: Attributes): void
  close(name: string): void
  text?(text: string): void
}

/** Drives a handler over XML within the limits. A document type declaration is refused: Office
 *  Open XML forbids it, and entity bombs and external entities live there. */
function readXml(source: string, handler: XmlHandler, deadline: Deadline): Refusal | undefined {
  let depth = 0
  let depthMax = 0
  let declares = false
  const parser = new Parser(
    {
      onopentag: (name, attributes) => {
        if (++depth > depthMax) depthMax = depth
        if (depth <= NESTING_MAX) handler.open(name, attributes)
      },
      onclosetag: (name) => {
        if (depth-- <= NESTING_MAX) handler.close(name)
      },
      ontext: (text) => handler.text?.(text),
      onprocessinginstruction: (name) => {
        if (/^!doctype/i.test(name)) declares = true
      },
    },
    { xmlMode: true },
  )
  for (let at = 0; at < source.length; at += SLICE_UNITS) {
    parser.write(source.slice(at, at + SLICE_UNITS))
    if (declares) return unreadable('it declares a document type, which no Word document does')
    if (depthMax > NESTING_MAX) return tooDeep()
    if (handler.extract?.full) return tooLong()
    if (deadline.passed()) return tooSlow(deadline)
  }
  parser.end()
  return undefined
}

/** Style id -> heading level. Ids are translated by Word's language versions, names are not. */
function headingStyles(styles: string, deadline: Deadline): Map<string, number> | Refusal {
  const levels = new Map<string, number>()
  let id = ''
  const refused = readXml(
    styles,
    {
      open(name, attributes) {
        const value = attributes['w:val'] ?? ''
        if (name === 'w:style') id = attributes['w:styleId'] ?? ''
        else if (name === 'w:name' && /^title$/i.test(value)) levels.set(id, TITLE_LEVEL)
        else if (name === 'w:name' && /^heading [1-9]$/i.test(value)) levels.set(id, Math.min(6, Number(value.at(-1))))
        else if (name === 'w:outlineLvl' && /^[0-5]$/.test(value) && !levels.has(id)) levels.set(id, Number(value) + 1)
        else if (name === 'w:basedOn' && levels.has(value) && !levels.has(id)) levels.set(id, levels.get(value) ?? 1)
      },
      close() {},
    },
    deadline,
  )
  return refused ?? levels
}

/** Of the style `Title`: above every heading. */
const TITLE_LEVEL = 0

const coreTitle = (core: string): string =>
  /<dc:title>([^<]{1,1000})<\/dc:title>/
    .exec(core)?.[1]
    ?.replace(
      /&(lt|gt|quot|apos|amp);/g,
      (_, name: string) => ({ lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' })[name] ?? '',
    ) ?? ''

class Body implements XmlHandler {
  readonly extract = new Extract()
  readonly #levels: ReadonlyMap<string, number>
  title: string | undefined
  #buffer = ''
  /** Paragraphs nest: a text box stands inside the paragraph it is anchored to. */
  #outer: string[] = []
  #reading = false
  #skipped = 0
  #level: number | undefined
  #listed = false
  #listIndent = 0
  #listLines: string[] = []
  #tableDepth = 0
  #rows: string[] = []
  #cells: string[] = []

  constructor(levels: ReadonlyMap<string, number>) {
    this.#levels = levels
  }

  open(name: string, attributes: Attributes): void {
    if (SKIPPED.has(name)) this.#skipped++
    if (this.#skipped > 0) return
    const value = attributes['w:val'] ?? ''
    switch (name) {
      case 'w:p':
        this.#outer.push(this.#buffer)
        this.#buffer = ''
        this.#level = undefined
        this.#listed = false
        return
      case 'w:pStyle':
        this.#level = this.#levels.get(value) ?? builtIn(value)
        return
      case 'w:outlineLvl':
        if (/^[0-5]$/.test(value)) this.#level ??= Number(value) + 1
        return
      case 'w:numPr':
        this.#listed = true
        this.#listIndent = 0
        return
      case 'w:ilvl':
        this.#listIndent = Math.min(8, Number(value) || 0)
        return
      case 'w:t':
        this.#reading = true
        return
      case 'w:tab':
        this.#buffer += '\t'
        return
      case 'w:br':
      case 'w:cr':
        this.#buffer += '\n'
        return
      case 'w:tbl':
        if (this.#tableDepth++ === 0) {
          this.#endList()
          this.#rows = []
        }
        return
      case 'w:tr':
        if (this.#tableDepth === 1) this.#cells = []
        return
      case 'w:tc':
        if (this.#tableDepth === 1) this.#cells.push('')
    }
  }

  close(name: string): void {
    if (SKIPPED.has(name)) this.#skipped--
    if (this.#skipped > 0) return
    if (name === 'w:t') this.#reading = false
    else if (name === 'w:p') this.#endParagraph()
    else if (name === 'w:tr' && this.#tableDepth === 1) this.#rows.push(this.#cells.join(' | '))
    else if (name === 'w:tbl' && --this.#tableDepth === 0) this.extract.add('table', this.#rows.join('\n'))
    else if (name === 'w:body') this.#endList()
  }

  text(text: string): void {
    if (this.#reading && this.#skipped === 0) this.#buffer += text
  }

  #endParagraph(): void {
    const text = this.#buffer.trim()
    this.#buffer = this.#outer.pop() ?? ''
    if (text === '') return
    if (this.#tableDepth > 0) {
      const last = Math.max(0, this.#cells.length - 1)
      const cell = this.#cells[last] ?? ''
      this.#cells[last] = `${cell}${cell === '' ? '' : ' '}${text.replace(/\s+/g, ' ')}`
      return
    }
    const level = this.#level
    // Numbered headings carry list properties, too.
    if (level === undefined && this.#listed) {
      this.#listLines.push(`${'  '.repeat(this.#listIndent)}- ${text}`)
      return
    }
    this.#endList()
    if (level === undefined) return this.extract.add('paragraph', text)
    this.title ??= headingText(text)
    this.extract.add('heading', text, { level: Math.max(1, level) })
  }

  #endList(): void {
    if (this.#listLines.length === 0) return
    this.extract.add('list', this.#listLines.join('\n'))
    this.#listLines = []
  }
}

/** Deleted by a tracked change; the second copy of something for older programs. */
const SKIPPED: ReadonlySet<string> = new Set(['w:del', 'mc:Fallback', 'w:moveFrom'])

function builtIn(style: string): number | undefined {
  if (style === 'Title') return TITLE_LEVEL
  const level = /^Heading([1-9])$/i.exec(style)?.[1]
  return level === undefined ? undefined : Math.min(6, Number(level))
}
