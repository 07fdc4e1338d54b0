import type { Block } from '../document.ts'
import { HEADING_UNITS_MAX, TEXT_UNITS_MAX } from './limits.ts'

/** The text taken out of a format that is not text itself: blocks, a blank line between them. */
export class Extract {
  #parts: { readonly kind: Block['kind']; readonly text: string; readonly level: number; readonly main: boolean }[] = []
  #units = 0
  #mainUnits = 0

  /** True once more was added than a document may have. */
  get full(): boolean {
    return this.#units > TEXT_UNITS_MAX
  }

  get units(): number {
    return this.#units
  }

  /** `main`: stands in what the document declares its main part. */
  add(kind: Block['kind'], raw: string, options: { readonly level?: number; readonly main?: boolean } = {}): void {
    const text = clean(kind === 'code' ? raw.replace(/^\s*\n|\s+$/g, '') : raw.trim())
    if (text === '') return
    const main = options.main ?? false
    this.#parts.push({ kind, text, level: options.level ?? 1, main })
    this.#units += text.length + 2
    if (main) this.#mainUnits += text.length
  }

  /** A place with a name but without text: the beginning of a page. */
  mark(text: string): void {
    this.#parts.push({ kind: 'heading', text, level: 0, main: false })
  }

  /** The main part alone where there is one of at least `MAIN_UNITS_LEAST`, else everything. */
  finish(): { readonly text: string; readonly blocks: Block[] } {
    const parts = this.#mainUnits >= MAIN_UNITS_LEAST ? this.#parts.filter((part) => part.main) : this.#parts
    const blocks: Block[] = []
    const texts: string[] = []
    let at = 0
    for (const { kind, text, level } of parts) {
      if (level === 0) {
        blocks.push({ kind, start: at, end: at, level: 6, text })
        continue
      }
      const block = { kind, start: at, end: at + text.length }
      blocks.push(kind === 'heading' ? { ...block, level, text: headingText(text) } : block)
      texts.push(text)
      at += text.length + 2
    }
    return { text: texts.join('\n\n'), blocks }
  }
}

/** A `main` element with less in it is an empty shell filled by script. */
const MAIN_UNITS_LEAST = 100

/** No store and no reader has a use for U+0000 or for halves of surrogate pairs. */
const clean = (text: string): string => (text.includes('\0') ? text.replaceAll('\0', ' ') : text).toWellFormed()

/** One line of bounded length. */
export const headingText = (text: string): string =>
  text.replace(/\s+/g, ' ').trim().slice(0, HEADING_UNITS_MAX).toWellFormed()
