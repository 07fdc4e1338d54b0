import type { Refusal } from '../base/errors.ts'
import { Extract, type Extracted } from './extract.ts'
import { type Deadline, tooLong, tooSlow } from './limits.ts'
import { type Cell, isWords, Records } from './records.ts'

/** A table of values separated by a mark (RFC 4180): comma, semicolon, tab or bar, whichever the
 *  first lines have. Quoted cells may hold marks and line ends. */
export function parseCsv(source: string, deadline: Deadline, separator = separatorOf(source)): Extracted | Refusal {
  const extract = new Extract()
  const records = new Records(extract, { singleColumn: true })
  let at = 0
  for (let row = 0; at < source.length; row++) {
    if (row % ROWS_BETWEEN_CHECKS === 0) {
      if (deadline.passed()) return tooSlow(deadline)
    }
    if (records.full) return tooLong()
    const cells: Cell[] = []
    at = readRow(source, at, separator, cells)
    records.add(cells)
  }
  records.finish()
  return extract.full ? tooLong() : extract.finish()
}

const ROWS_BETWEEN_CHECKS = 1_000
const COLUMNS_MAX = 16_384

const QUOTE = 0x22
const LF = 0x0a
const CR = 0x0d

/** Reads the row that begins at `start` and returns where the next one does. */
function readRow(source: string, start: number, separator: string, into: Cell[]): number {
  let at = start
  for (let column = 0; ; column++) {
    let text: string
    if (source.charCodeAt(at) === QUOTE) {
      const close = closingQuote(source, at + 1)
      text = source.slice(at + 1, close)
      if (text.includes('"')) text = text.replaceAll('""', '"')
      // What follows a closing quote before the next mark belongs to nothing and is kept.
      const end = cellEnd(source, Math.min(close + 1, source.length), separator)
      text += source.slice(close + 1, end)
      at = end
    } else {
      const end = cellEnd(source, at, separator)
      text = source.slice(at, end)
      at = end
    }
    if (column < COLUMNS_MAX && text.trim() !== '') into.push({ column, text: text.trim(), isWords: isWords(text) })
    if (at >= source.length) return at
    const mark = source.charCodeAt(at++)
    if (mark === LF) return at
    if (mark === CR) return source.charCodeAt(at) === LF ? at + 1 : at
  }
}

/** Of a quote that is not doubled. One that is never closed runs to the end. */
function closingQuote(source: string, from: number): number {
  for (let at = from; ; at += 2) {
    at = source.indexOf('"', at)
    if (at === -1) return source.length
    if (source.charCodeAt(at + 1) !== QUOTE) return at
  }
}

function cellEnd(source: string, from: number, separator: string): number {
  const mark = separator.charCodeAt(0)
  for (let at = from; at < source.length; at++) {
    const code = source.charCodeAt(at)
    if (code === mark || code === LF || code === CR) return at
  }
  return source.length
}

const SEPARATORS = [',', ';', '\t', '|']
const SAMPLE_UNITS = 16_384
const SAMPLE_LINES = 20

/** The mark that every one of the first lines has most often. */
function separatorOf(source: string): string {
  const lines = source
    .slice(0, SAMPLE_UNITS)
    .replace(/"[^"]*"/g, '')
    .split(/\r\n?|\n/)
    .filter((line) => line.trim() !== '')
    .slice(0, SAMPLE_LINES)
  let best = ','
  let most = 0
  for (const mark of SEPARATORS) {
    const least = Math.min(...lines.map((line) => line.split(mark).length - 1))
    if (least > most && Number.isFinite(least)) [best, most] = [mark, least]
  }
  return best
}
