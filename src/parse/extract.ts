import type { Block } from './document.ts'
import { Hidden } from './hidden.ts'
import { HEADING_UNITS_MAX, TEXT_UNITS_MAX } from './limits.ts'

/** What a parser takes out of a file. */
export interface Extracted {
  readonly title?: string
  readonly text: string
  readonly blocks: readonly Block[]
  /** Sentences about what was left out, but for what was hidden. */
  readonly notes?: readonly string[]
  readonly hidden?: Hidden
  /** Where it says more than the format does. */
  readonly mediaType?: string
}

interface Part {
  readonly kind: Block['kind']
  readonly text: string
  readonly level: number
  readonly main: boolean
  /** Stands for a place and is not itself in the text. */
  readonly isMark: boolean
  /** Tables: the length of their header row. */
  readonly headerUnits?: number
}

/** The text taken out of a format that is not text itself: blocks, a blank line between them. */
export class Extract {
  readonly hidden = new Hidden()
  readonly #parts: Part[] = []
  readonly #notes: string[] = []
  #units = 0
  #mainUnits = 0

  /** True once more was added than a document may have. */
  get full(): boolean {
    return this.#units > TEXT_UNITS_MAX
  }

  get units(): number {
    return this.#units
  }

  /** `main`: stands in what the document declares its main part. `hasHeader`: the first row of a
   *  table names its columns. */
  add(
    kind: Block['kind'],
    raw: string,
    options: { readonly level?: number; readonly main?: boolean; readonly hasHeader?: boolean } = {},
  ): void {
    if (this.full) return
    const text = clean(this.hidden.visible(kind === 'code' ? raw.replace(/^\s*\n/, '').trimEnd() : raw.trim()))
    if (text.trim() === '') return
    const main = options.main ?? false
    const row = options.hasHeader === true ? text.indexOf('\n') : -1
    const part = { kind, text, level: options.level ?? 1, main, isMark: false }
    this.#parts.push(row > 0 ? { ...part, headerUnits: row } : part)
    this.#units += text.length + 2
    if (main) this.#mainUnits += text.length
  }

  /** A place with a name but without text: the beginning of a page. */
  mark(text: string, level = 6): void {
    this.#parts.push({
      kind: 'heading',
      text: headingText(this.hidden.visible(text)),
      level,
      main: false,
      isMark: true,
    })
  }

  /** The whole of another document, as a part of this one, its headings `levels` further down. */
  append({ text, blocks, notes = [], hidden }: Extracted, levels = 0): void {
    for (const { kind, start, end, level = 1, text: heading = '', headerEnd } of blocks) {
      const below = Math.min(6, level + levels)
      if (start === end) this.mark(heading, below)
      else this.add(kind, text.slice(start, end), { level: below, hasHeader: headerEnd !== undefined })
    }
    for (const note of notes) this.note(note)
    if (hidden !== undefined) this.hidden.include(hidden)
  }

  /** A sentence about what was left out. */
  note(sentence: string): void {
    if (this.#notes.length < NOTES_MAX && !this.#notes.includes(sentence)) this.#notes.push(sentence)
  }

  /** The main part alone where there is one of at least `MAIN_UNITS_LEAST`, else everything. */
  finish(): Extracted {
    const parts = this.#mainUnits >= MAIN_UNITS_LEAST ? this.#parts.filter((part) => part.main) : this.#parts
    const blocks: Block[] = []
    const texts: string[] = []
    let at = 0
    for (const { kind, text, level, isMark, headerUnits } of parts) {
      if (isMark) {
        blocks.push({ kind, start: at, end: at, level, text })
        continue
      }
      const block = { kind, start: at, end: at + text.length }
      if (kind === 'heading') blocks.push({ ...block, level, text: headingText(text) })
      else blocks.push(headerUnits === undefined ? block : { ...block, headerEnd: at + headerUnits })
      texts.push(text)
      at += text.length + 2
    }
    return { text: texts.join('\n\n'), blocks, notes: this.#notes, hidden: this.hidden }
  }
}

/** A `main` element with less in it is an empty shell filled by script. */
const MAIN_UNITS_LEAST = 100
/** Sentences of one document's note. */
const NOTES_MAX = 20

/** No store and no reader has a use for U+0000 or for halves of surrogate pairs. */
const clean = (text: string): string => (text.includes('\0') ? text.replaceAll('\0', ' ') : text).toWellFormed()

/** One line of bounded length. */
export const headingText = (text: string): string =>
  text.replace(/\s+/g, ' ').trim().slice(0, HEADING_UNITS_MAX).toWellFormed()
