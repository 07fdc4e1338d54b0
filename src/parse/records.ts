import type { Extract } from './extract.ts'
import { TEXT_UNITS_MAX } from './limits.ts'

/** Rows of a sheet as lines that stand alone: `Name: Ada; Born: 1815`, where the first row names
 *  the columns, else `Ada | 1815`. Wherever such a text is cut between lines, each still says what
 *  its values are. */

export interface Cell {
  readonly column: number
  readonly text: string
  /** Not a number, date or truth value. */
  readonly isWords: boolean
}

/** What one cell gives; as much as a spreadsheet program lets into one. */
export const CELL_UNITS_MAX = 32_767
/** Of a column's name in every line. */
const LABEL_UNITS_MAX = 80

export class Records {
  readonly #extract: Extract
  #lines: string[] = []
  #units = 0
  /** `undefined` before the first row of more than one cell; empty where that named nothing. */
  #labels: ReadonlyMap<number, string> | undefined
  readonly #singleColumn: boolean
  #heading: string

  /** `singleColumn`: rows of one cell are records, too, and not captions above a table. `heading`
   *  stands above the first text, if there is any. */
  constructor(extract: Extract, options: { readonly singleColumn: boolean; readonly heading?: string }) {
    this.#extract = extract
    this.#singleColumn = options.singleColumn
    this.#heading = options.heading ?? ''
  }

  /** True once more was added than a document may have. */
  get full(): boolean {
    return this.#units + this.#extract.units > TEXT_UNITS_MAX
  }

  /** Cells with text, by column. */
  add(row: readonly Cell[]): void {
    if (row.length === 0 || this.full) return
    if (this.#labels === undefined) {
      if (row.length === 1 && !this.#singleColumn) return this.#line(oneLine(row[0]?.text ?? ''))
      this.#labels = labelsOf(row)
      // What stood above the header are captions.
      if (this.#labels.size > 0) return this.#flush('paragraph')
    }
    const labels = this.#labels
    this.#line(
      labels.size === 0
        ? row.map(({ text }) => oneLine(text)).join(' | ')
        : row.map(({ column, text }) => labelled(labels.get(column), oneLine(text))).join('; '),
    )
  }

  finish(): void {
    // A sheet of nothing but a header still says what it would hold.
    if (this.#lines.length === 0 && this.#labels !== undefined && this.#labels.size > 0)
      this.#lines.push([...this.#labels.values()].join(' | '))
    this.#flush('table')
  }

  #line(line: string): void {
    this.#lines.push(line)
    this.#units += line.length
  }

  #flush(kind: 'paragraph' | 'table'): void {
    if (this.#lines.length === 0) return
    this.#extract.add('heading', this.#heading)
    this.#heading = ''
    this.#extract.add(kind, this.#lines.join('\n'))
    this.#lines = []
    this.#units = 0
  }
}

/** A row of different words names columns; one with numbers in it is a record already. */
function labelsOf(row: readonly Cell[]): ReadonlyMap<number, string> {
  const labels = new Map<number, string>()
  for (const { column, text, isWords } of row) {
    const label = oneLine(text).slice(0, LABEL_UNITS_MAX).toWellFormed()
    if (!isWords || label === '') return new Map()
    labels.set(column, label)
  }
  return new Set(labels.values()).size === labels.size ? labels : new Map()
}

const labelled = (label: string | undefined, text: string): string => (label === undefined ? text : `${label}: ${text}`)

const oneLine = (text: string): string => text.slice(0, CELL_UNITS_MAX).replace(/\s+/g, ' ').trim()

/** Numbers, percentages, amounts and dates: not what a column is called. */
export const isWords = (text: string): boolean => !/^(?=\D*\d)[\s\d.,:;/%+\-()€$£¥eETZ]*$/.test(text)
