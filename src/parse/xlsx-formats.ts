import type { Refusal } from '../base/errors.ts'
import type { Deadline } from './limits.ts'
import { localName, readXml } from './xml.ts'

/** How a workbook shows numbers, as far as it matters for reading: a date is a number like any
 *  other but for its format (ECMA-376 part 1, 18.8.30). */

export type DateKind = 'date' | 'time' | 'moment'

/** By the index that cells give, what kind of date their format shows. */
export function cellFormats(styles: string, deadline: Deadline): (DateKind | undefined)[] | Refusal {
  const custom = new Map<number, DateKind>()
  const formats: (DateKind | undefined)[] = []
  let inCells = false
  const refused = readXml(
    styles,
    {
      open(name, attributes) {
        const local = localName(name)
        const id = Number(attributes['numFmtId'])
        if (local === 'numFmt') {
          const kind = kindOf(attributes['formatCode'] ?? '')
          if (kind !== undefined) custom.set(id, kind)
        } else if (local === 'cellXfs') inCells = true
        else if (local === 'xf' && inCells) formats.push(custom.get(id) ?? builtIn(id))
      },
      close(name) {
        if (localName(name) === 'cellXfs') inCells = false
      },
    },
    deadline,
  )
  return refused ?? formats
}

function builtIn(id: number): DateKind | undefined {
  if (id >= 14 && id <= 17) return 'date'
  if ((id >= 18 && id <= 21) || (id >= 45 && id <= 47)) return 'time'
  return id === 22 ? 'moment' : undefined
}

function kindOf(code: string): DateKind | undefined {
  const letters = code
    .slice(0, 255)
    .replace(/"[^"]*"|\[[^\]]*\]|\\./g, '')
    .toLowerCase()
  const date = /[yd]/.test(letters)
  const time = /[hs]/.test(letters)
  if (date && time) return 'moment'
  if (date) return 'date'
  return time ? 'time' : undefined
}

const DAY_MS = 86_400_000
/** Days from the first day of either calendar to 1970. That of 1900 has a 29th of February. */
const DAYS_TO_1970 = 25_569
const DAYS_1900_TO_1904 = 1_462
/** The last day of the year 9999. */
const DAY_MAX = 2_958_466

/** ISO 8601, in the accuracy the format has. */
export function dateText(value: string, kind: DateKind, from1904: boolean): string {
  const days = Number(value) + (from1904 ? DAYS_1900_TO_1904 : 0)
  if (value.trim() === '' || !(days >= 0 && days < DAY_MAX)) return numberText(value)
  const moment = new Date(Math.round(((days - DAYS_TO_1970) * DAY_MS) / 1000) * 1000).toISOString()
  const [date, time] = [moment.slice(0, 10), moment.slice(11, 19)]
  const clock = time.endsWith(':00') ? time.slice(0, 5) : time
  if (kind === 'time') return clock
  return kind === 'date' || time === '00:00:00' ? date : `${date} ${clock}`
}

/** Without the digits that binary fractions leave behind: 0.30000000000000004 is 0.3. */
export function numberText(value: string): string {
  const number = Number(value)
  return value.trim() === '' || !Number.isFinite(number) ? value : String(Number(number.toPrecision(15)))
}
