import { Refusal } from '../base/errors.ts'
import { Extract, type Extracted, headingText } from './extract.ts'
import type { Deadline } from './limits.ts'
import { coreTitle, noteMacros } from './opc.ts'
import { type Attributes, readXml, type XmlHandler } from './xml.ts'
import type { Zip } from './zip.ts'

/** The text of a Word document (ECMA-376, WordprocessingML): paragraphs, headings by style, lists,
 *  tables, and last its footnotes and endnotes. Text that a tracked change deleted is left out, and
 *  so is what is formatted as hidden, a point small, or of the colour it stands on. Macros, fields,
 *  embedded objects and external references are not looked at. */
export function parseDocx(zip: Zip, deadline: Deadline): Extracted | Refusal {
  const document = zip.text('word/document.xml')
  if (document instanceof Refusal) return document
  const sheet = zip.text('word/styles.xml')
  if (sheet instanceof Refusal) return sheet
  const core = coreTitle(zip)
  if (core instanceof Refusal) return core
  const styles = readStyles(sheet ?? '', deadline)
  if (styles instanceof Refusal) return styles
  const body = new Body(styles)
  const refused = readXml(document ?? '', body, deadline)
  if (refused !== undefined) return refused
  const unread = readNotes(zip, body, deadline)
  if (unread !== undefined) return unread
  noteMacros(zip, body.extract)
  const title = core || body.title || ''
  return title === '' ? body.extract.finish() : { title, ...body.extract.finish() }
}

/** Footnotes and endnotes stand in parts of their own, which are read after the text. */
function readNotes(zip: Zip, body: Body, deadline: Deadline): Refusal | undefined {
  for (const part of ['word/footnotes.xml', 'word/endnotes.xml']) {
    const source = zip.text(part)
    if (source instanceof Refusal) return source
    if (source === undefined) continue
    body.extract.mark('Notes', 1)
    const refused = readXml(source, body, deadline)
    if (refused !== undefined) return refused
  }
  return undefined
}

interface Styles {
  /** By style id. Ids are translated by Word's language versions, names are not. */
  readonly levels: Map<string, number>
  readonly vanishing: Set<string>
}

function readStyles(source: string, deadline: Deadline): Styles | Refusal {
  const styles: Styles = { levels: new Map(), vanishing: new Set() }
  const { levels, vanishing } = styles
  let id = ''
  const refused = readXml(
    source,
    {
      open(name, attributes) {
        const value = attributes['w:val'] ?? ''
        if (name === 'w:style') id = attributes['w:styleId'] ?? ''
        else if (name === 'w:name' && /^title$/i.test(value)) levels.set(id, TITLE_LEVEL)
        else if (name === 'w:name' && /^heading [1-9]$/i.test(value)) levels.set(id, Math.min(6, Number(value.at(-1))))
        else if (name === 'w:outlineLvl' && /^[0-5]$/.test(value) && !levels.has(id)) levels.set(id, Number(value) + 1)
        else if (name === 'w:basedOn' && levels.has(value) && !levels.has(id)) levels.set(id, levels.get(value) ?? 1)
        else if (name === 'w:vanish' && isOn(attributes)) vanishing.add(id)
      },
      close() {},
    },
    deadline,
  )
  return refused ?? styles
}

/** A property without a value is on. */
const isOn = (attributes: Attributes): boolean => !/^(?:0|false|off)$/.test(attributes['w:val'] ?? '')

/** Of the style `Title`: above every heading. */
const TITLE_LEVEL = 0

class Body implements XmlHandler {
  readonly extract = new Extract()
  readonly #styles: Styles
  title: string | undefined
  #buffer = ''
  /** Paragraphs nest: a text box stands inside the paragraph it is anchored to. */
  #outer: string[] = []
  #reading = false
  #skipped = 0
  #run: Run | undefined
  #paragraph: Pick<Run, 'vanishes' | 'fill'> = NO_PARAGRAPH
  #level: number | undefined
  #listed = false
  #listIndent = 0
  #listLines: string[] = []
  #tableDepth = 0
  #rows: string[] = []
  #cells: string[] = []

  constructor(styles: Styles) {
    this.#styles = styles
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
        this.#paragraph = NO_PARAGRAPH
        return
      case 'w:r':
        this.#run = { ...this.#paragraph, color: '', isTiny: false }
        return
      case 'w:rStyle':
      case 'w:vanish':
      case 'w:specVanish':
      case 'w:color':
      case 'w:sz':
      case 'w:shd':
        this.#format(name, attributes)
        return
      case 'w:pStyle':
        this.#level = this.#styles.levels.get(value) ?? builtIn(value)
        if (this.#styles.vanishing.has(value)) this.#paragraph = { ...this.#paragraph, vanishes: true }
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

  /** Properties of a run; those of a paragraph's own mark stand outside of any. */
  #format(name: string, attributes: Attributes): void {
    const value = attributes['w:val'] ?? ''
    const run = this.#run
    if (name === 'w:shd') {
      const fill = attributes['w:fill'] ?? ''
      if (run === undefined) this.#paragraph = { ...this.#paragraph, fill }
      else run.fill = fill
    } else if (run !== undefined) {
      if (name === 'w:color') run.color = value
      else if (name === 'w:sz') run.isTiny = Number(value) <= TINY_HALF_POINTS
      else if (name !== 'w:rStyle') run.vanishes = isOn(attributes)
      else if (this.#styles.vanishing.has(value)) run.vanishes = true
    }
  }

  close(name: string): void {
    if (SKIPPED.has(name)) this.#skipped--
    if (this.#skipped > 0) return
    if (name === 'w:t') this.#reading = false
    else if (name === 'w:r') this.#run = undefined
    else if (name === 'w:p') this.#endParagraph()
    else if (name === 'w:tr' && this.#tableDepth === 1) this.#rows.push(this.#cells.join(' | '))
    else if (name === 'w:tbl' && --this.#tableDepth === 0)
      this.extract.add('table', this.#rows.join('\n'), { hasHeader: true })
    else if (ENDS.has(name)) this.#endList()
  }

  text(text: string): void {
    if (!this.#reading || this.#skipped > 0) return
    if (this.#run !== undefined && isUnseen(this.#run)) this.extract.hidden.passage(text)
    else this.#buffer += text
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

interface Run {
  vanishes: boolean
  isTiny: boolean
  color: string
  fill: string
}

const NO_PARAGRAPH = { vanishes: false, fill: '' }

/** Text of one point cannot be read. */
const TINY_HALF_POINTS = 2

const isUnseen = ({ vanishes, isTiny, color, fill }: Run): boolean =>
  vanishes || isTiny || (color !== '' && color !== 'auto' && color.toLowerCase() === fill.toLowerCase())

const ENDS: ReadonlySet<string> = new Set(['w:body', 'w:footnotes', 'w:endnotes'])

/** Deleted by a tracked change; the second copy of something for older programs. */
const SKIPPED: ReadonlySet<string> = new Set(['w:del', 'mc:Fallback', 'w:moveFrom'])

function builtIn(style: string): number | undefined {
  if (style === 'Title') return TITLE_LEVEL
  const level = /^Heading([1-9])$/i.exec(style)?.[1]
  return level === undefined ? undefined : Math.min(6, Number(level))
}
