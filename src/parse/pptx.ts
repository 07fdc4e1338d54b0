import { Refusal } from '../base/errors.ts'
import { Extract, type Extracted, headingText } from './extract.ts'
import { type Deadline, tooLong, unreadable } from './limits.ts'
import { coreTitle, noteMacros, relationshipsOf } from './opc.ts'
import { type Attributes, localName, readXml, type XmlHandler } from './xml.ts'
import type { Zip } from './zip.ts'

/** The text of a presentation (ECMA-376, PresentationML), slide by slide in the order they are
 *  shown: titles as headings, lists, tables, and what the speaker noted. Hidden slides and shapes
 *  are left out. */
export function parsePptx(zip: Zip, deadline: Deadline): Extracted | Refusal {
  const slides = slidesOf(zip, deadline)
  if (slides instanceof Refusal) return slides
  const title = coreTitle(zip)
  if (title instanceof Refusal) return title
  const extract = new Extract()
  let firstTitle = ''
  for (const [at, part] of slides.entries()) {
    const slide = readShapes(zip, part, deadline)
    if (slide instanceof Refusal) return slide
    extract.hidden.count('shape', slide.hiddenShapes)
    if (slide.isHidden) {
      extract.hidden.count('slide')
      continue
    }
    extract.mark(`Slide ${at + 1}`, 1)
    if (slide.title !== '') extract.add('heading', slide.title, { level: 2 })
    firstTitle ||= headingText(slide.title)
    for (const { kind, text } of slide.found) extract.add(kind, text, { hasHeader: kind === 'table' })
    const noted = notesOf(zip, part, deadline)
    if (noted instanceof Refusal) return noted
    if (noted !== '') extract.add('paragraph', `Speaker notes: ${noted}`)
    if (extract.full) return tooLong()
  }
  noteMacros(zip, extract)
  const named = title || firstTitle
  return { ...extract.finish(), ...(named !== '' && { title: named }) }
}

/** Parts, in the order of the show, each once. */
function slidesOf(zip: Zip, deadline: Deadline): string[] | Refusal {
  const relationships = relationshipsOf(zip, 'ppt/presentation.xml', deadline)
  if (relationships instanceof Refusal) return relationships
  const presentation = zip.text('ppt/presentation.xml')
  if (presentation instanceof Refusal) return presentation
  const byId = new Map(relationships.filter(({ kind }) => kind === 'slide').map(({ id, target }) => [id, target]))
  const found = new Set<string>()
  const refused = readXml(
    presentation ?? '',
    {
      open(name, attributes) {
        if (localName(name) !== 'sldId') return
        const target = byId.get(attributes['r:id'] ?? '')
        if (target !== undefined && zip.has(target)) found.add(target)
      },
      close() {},
    },
    deadline,
  )
  if (refused !== undefined) return refused
  if (found.size === 0 && byId.size > 0) return unreadable('its list of slides is damaged')
  return [...found]
}

function notesOf(zip: Zip, slide: string, deadline: Deadline): string | Refusal {
  const relationships = relationshipsOf(zip, slide, deadline)
  if (relationships instanceof Refusal) return relationships
  const part = relationships.find(({ kind, target }) => kind === 'notesSlide' && target !== slide)?.target
  if (part === undefined || !zip.has(part)) return ''
  const notes = readShapes(zip, part, deadline)
  return notes instanceof Refusal ? notes : notes.found.map(({ text }) => text).join('\n')
}

function readShapes(zip: Zip, part: string, deadline: Deadline): Shapes | Refusal {
  const source = zip.text(part)
  if (source instanceof Refusal) return source
  const shapes = new Shapes()
  return readXml(source ?? '', shapes, deadline) ?? shapes
}

/** Placeholders that repeat on every slide what is no part of it. */
const FURNITURE: ReadonlySet<string> = new Set(['sldNum', 'ftr', 'dt', 'hdr', 'sldImg'])
const TITLES: ReadonlySet<string> = new Set(['title', 'ctrTitle'])
const SHAPES: ReadonlySet<string> = new Set(['sp', 'graphicFrame', 'cxnSp', 'pic', 'grpSp'])

class Shapes implements XmlHandler {
  readonly found: { readonly kind: 'paragraph' | 'list' | 'table'; readonly text: string }[] = []
  isHidden = false
  hiddenShapes = 0
  title = ''
  #depth = 0
  /** Depth of the hidden shape being read. */
  #hiddenAt = 0
  #skipped = 0
  #placeholder = ''
  #reading = false
  #buffer = ''
  #level = 0
  #lines: string[] = []
  #rows: string[] = []
  #cells: string[] = []
  #inTable = false

  open(prefixed: string, attributes: Attributes): void {
    const name = localName(prefixed)
    if (SHAPES.has(name)) this.#depth++
    if (name === 'Fallback') this.#skipped++
    switch (name) {
      case 'sld':
        this.isHidden = /^(?:0|false)$/.test(attributes['show'] ?? '')
        return
      case 'sp':
        this.#placeholder = ''
        return
      case 'cNvPr':
        if (this.#hiddenAt > 0 || !/^(?:1|true)$/.test(attributes['hidden'] ?? '')) return
        this.#hiddenAt = this.#depth
        this.hiddenShapes++
        return
      case 'ph':
        this.#placeholder = attributes['type'] ?? 'body'
        return
      case 'pPr':
        this.#level = Math.min(8, Number(attributes['lvl'] ?? 0) || 0)
        return
      case 'tbl':
        this.#inTable = true
        this.#rows = []
        return
      case 'tr':
        this.#cells = []
        return
      case 't':
        this.#reading = true
        return
      case 'br':
        this.#buffer += '\n'
    }
  }

  close(prefixed: string): void {
    const name = localName(prefixed)
    if (name === 'Fallback') this.#skipped--
    else if (name === 't') this.#reading = false
    else if (name === 'p') this.#endParagraph()
    else if (name === 'tc') this.#endCell()
    else if (name === 'tr') this.#rows.push(this.#cells.join(' | '))
    else if (name === 'tbl') {
      this.#inTable = false
      this.found.push({ kind: 'table', text: this.#rows.join('\n') })
    } else if (name === 'sp') this.#endShape()
    if (!SHAPES.has(name)) return
    if (this.#hiddenAt === this.#depth) this.#hiddenAt = 0
    this.#depth--
  }

  text(text: string): void {
    if (this.#reading && this.#skipped === 0 && this.#hiddenAt === 0) this.#buffer += text
  }

  #endParagraph(): void {
    const text = this.#buffer.trim()
    this.#buffer = ''
    if (text !== '') this.#lines.push(`${'  '.repeat(this.#level)}${text}`)
    this.#level = 0
  }

  #endCell(): void {
    if (this.#inTable)
      this.#cells.push(
        this.#lines
          .map((line) => line.trim())
          .join(' ')
          .replace(/\s+/g, ' '),
      )
    this.#lines = []
  }

  #endShape(): void {
    const lines = this.#lines
    this.#lines = []
    if (lines.length === 0 || FURNITURE.has(this.#placeholder)) return
    if (TITLES.has(this.#placeholder)) {
      this.title ||= lines.join(' ').replace(/\s+/g, ' ').trim()
      return
    }
    const isList = lines.length > 1 && (this.#placeholder === 'body' || this.#placeholder === 'obj')
    this.found.push({
      kind: isList ? 'list' : 'paragraph',
      text: isList ? lines.map((line) => line.replace(/^ */, '$&- ')).join('\n') : lines.join('\n'),
    })
  }
}
