import { Refusal } from '../base/errors.ts'
import { Extract, type Extracted } from './extract.ts'
import { type Deadline, tooLong, unreadable } from './limits.ts'
import { coreTitle, noteMacros, relationshipsOf } from './opc.ts'
import { type Cell, CELL_UNITS_MAX, isWords, Records } from './records.ts'
import { cellFormats, type DateKind, dateText, numberText } from './xlsx-formats.ts'
import { type Attributes, localName, readXml, type XmlHandler } from './xml.ts'
import type { Zip } from './zip.ts'

/** The text of a workbook (ECMA-376, SpreadsheetML): its sheets as headings, their rows as records.
 *  Formulas give the values last computed. Hidden sheets, rows and columns are left out. */
export function parseXlsx(zip: Zip, deadline: Deadline): Extracted | Refusal {
  const workbook = workbookOf(zip, deadline)
  if (workbook instanceof Refusal) return workbook
  const title = coreTitle(zip)
  if (title instanceof Refusal) return title
  const extract = new Extract()
  for (const { name, part, isHidden } of workbook.sheets) {
    if (isHidden) {
      extract.hidden.count('sheet')
      continue
    }
    const source = zip.text(part)
    if (source instanceof Refusal) return source
    if (source === undefined) return unreadable(`the sheet ${name.slice(0, 100)} is missing`)
    const rows = new Rows(extract, workbook, name)
    const refused = readXml(source, rows, deadline)
    if (refused !== undefined) return refused
    rows.records.finish()
    extract.hidden.count('row', rows.hiddenRows)
    extract.hidden.count('column', rows.hiddenColumns)
    if (extract.full || rows.records.full) return tooLong()
  }
  noteMacros(zip, extract)
  return { ...extract.finish(), ...(title !== '' && { title }) }
}

interface Sheet {
  readonly name: string
  readonly part: string
  readonly isHidden: boolean
}

interface Workbook {
  readonly sheets: readonly Sheet[]
  readonly strings: readonly string[]
  readonly formats: readonly (DateKind | undefined)[]
  /** Days count from 1904, as on old Macintoshes. */
  readonly from1904: boolean
}

function workbookOf(zip: Zip, deadline: Deadline): Workbook | Refusal {
  const relationships = relationshipsOf(zip, 'xl/workbook.xml', deadline)
  if (relationships instanceof Refusal) return relationships
  const [source, shared, styles] = ['xl/workbook.xml', partOf('sharedStrings'), partOf('styles')].map((part) =>
    zip.text(part),
  )
  if (source instanceof Refusal) return source
  if (shared instanceof Refusal) return shared
  if (styles instanceof Refusal) return styles
  const targets = new Map(relationships.map(({ id, target }) => [id, target]))
  const sheets = new Map<string, Sheet>()
  let from1904 = false
  const refused = readXml(
    source ?? '',
    {
      open(name, attributes) {
        const local = localName(name)
        if (local === 'workbookPr') from1904 = /^(?:1|true)$/.test(attributes['date1904'] ?? '')
        if (local !== 'sheet') return
        const part = targets.get(attributes['r:id'] ?? '')
        // Each part once, however often it is named.
        if (part !== undefined && part.includes('/worksheets/') && !sheets.has(part))
          sheets.set(part, {
            name: attributes['name'] ?? '',
            part,
            isHidden: /^(?:hidden|veryHidden)$/.test(attributes['state'] ?? ''),
          })
      },
      close() {},
    },
    deadline,
  )
  if (refused !== undefined) return refused
  const strings = new SharedStrings()
  const bad = readXml(shared ?? '', strings, deadline)
  if (bad !== undefined) return bad
  const formats = cellFormats(styles ?? '', deadline)
  if (formats instanceof Refusal) return formats
  return { sheets: [...sheets.values()], strings: strings.found, formats, from1904 }

  function partOf(kind: string): string {
    const found = relationships instanceof Refusal ? undefined : relationships.find((one) => one.kind === kind)
    return found?.target ?? `xl/${kind}.xml`
  }
}

/** Reads `t` elements inside of what `close` ends, without phonetic guides. */
class SharedStrings implements XmlHandler {
  readonly found: string[] = []
  #buffer = ''
  #reading = false
  #phonetic = false

  open(name: string): void {
    const local = localName(name)
    if (local === 't') this.#reading = !this.#phonetic
    else if (local === 'rPh') this.#phonetic = true
  }

  close(name: string): void {
    const local = localName(name)
    if (local === 't') this.#reading = false
    else if (local === 'rPh') this.#phonetic = false
    else if (local === 'si') {
      this.found.push(this.#buffer.slice(0, CELL_UNITS_MAX))
      this.#buffer = ''
    }
  }

  text(text: string): void {
    if (this.#reading) this.#buffer += text
  }
}

/** The last column a sheet can have, XFD. */
const COLUMNS_MAX = 16_384

class Rows implements XmlHandler {
  readonly extract: Extract
  readonly records: Records
  readonly #workbook: Workbook
  hiddenRows = 0
  hiddenColumns = 0
  #hidden: { readonly first: number; readonly last: number }[] = []
  #inHiddenRow = false
  #row: Cell[] = []
  #column = 0
  #type = ''
  #format: DateKind | undefined
  #value = ''
  #reading = false

  constructor(extract: Extract, workbook: Workbook, heading: string) {
    this.extract = extract
    this.records = new Records(extract, { singleColumn: false, heading })
    this.#workbook = workbook
  }

  open(name: string, attributes: Attributes): void {
    switch (localName(name)) {
      case 'col':
        if (isOn(attributes['hidden'])) this.#hideColumns(Number(attributes['min']), Number(attributes['max']))
        return
      case 'row':
        this.#row = []
        this.#column = 0
        this.#inHiddenRow = isOn(attributes['hidden'])
        return
      case 'c':
        this.#column = columnOf(attributes['r'] ?? '') ?? this.#column + 1
        this.#type = attributes['t'] ?? 'n'
        this.#format = this.#workbook.formats[Number(attributes['s'] ?? -1)]
        this.#value = ''
        return
      case 'v':
      case 't':
        this.#reading = true
    }
  }

  close(name: string): void {
    const local = localName(name)
    if (local === 'v' || local === 't') this.#reading = false
    else if (local === 'c') this.#endCell()
    else if (local === 'row') this.#endRow()
  }

  text(text: string): void {
    if (this.#reading) this.#value += text
  }

  #hideColumns(first: number, last: number): void {
    if (!(first >= 1 && last >= first && last <= COLUMNS_MAX) || this.#hidden.length >= COLUMNS_MAX) return
    this.#hidden.push({ first, last })
    // To the end of the sheet means: nothing is there.
    if (last < COLUMNS_MAX) this.hiddenColumns += last - first + 1
  }

  #endCell(): void {
    const column = this.#column
    if (this.#inHiddenRow || this.#row.length >= COLUMNS_MAX || this.records.full) return
    if (this.#hidden.some(({ first, last }) => column >= first && column <= last)) return
    const text = this.#shown().trim()
    if (text !== '') this.#row.push({ column, text, isWords: this.#type !== 'n' && isWords(text) })
  }

  #endRow(): void {
    if (this.#inHiddenRow) this.hiddenRows++
    else this.records.add(this.#row)
    this.#row = []
  }

  #shown(): string {
    const value = this.#value
    switch (this.#type) {
      case 's':
        return this.#workbook.strings[Number(value)] ?? ''
      case 'b':
        return value === '1' ? 'TRUE' : 'FALSE'
      case 'e':
        return ''
      case 'n':
        return this.#format === undefined ? numberText(value) : dateText(value, this.#format, this.#workbook.from1904)
      default:
        return value.slice(0, CELL_UNITS_MAX)
    }
  }
}

const isOn = (value: string | undefined): boolean => value === '1' || value === 'true'

/** `C7` is in column 3. */
function columnOf(reference: string): number | undefined {
  let column = 0
  for (let at = 0; at < reference.length && at < 4; at++) {
    const code = reference.charCodeAt(at)
    if (code < 0x41 || code > 0x5a) break
    column = column * 26 + code - 0x40
  }
  return column === 0 || column > COLUMNS_MAX ? undefined : column
}
