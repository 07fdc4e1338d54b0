import { fault, type Fault } from '../base/errors.ts'
import { checkLimit } from './bounds.ts'
import type { Key, Range } from './rows.ts'

/** Keys of rows as drivers keep them: the table and each part, every one followed by U+0000.
 *  Comparing such texts by code unit compares keys part by part, and a prefix of a key is a
 *  prefix of its text. */

const KEY_PARTS_MAX = 8
const KEY_PART_UNITS_MAX = 512
const TABLE = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/

/** The text of a key; throws a `Fault` (`internal`) where the key breaks the port's bounds. */
export function keyText(table: string, key: Key): string {
  if (key.length === 0) throw badKey('has no part')
  return prefixText(table, key)
}

/** The part of a key after its table, from its text. */
export function keyOf(text: string): Key {
  return text.slice(text.indexOf('\0') + 1, -1).split('\0')
}

/** A range as an interval of texts, [from, to), to be read backwards when it is reversed. */
export function interval(table: string, range: Range): { readonly from: string; readonly to: string } {
  checkLimit(range.limit)
  let from = prefixText(table, range.prefix ?? [])
  // No key's text continues a prefix other than by more parts, so U+0001 in place of the last
  // separator stands behind all of them, and before the next sibling.
  let to = `${from.slice(0, -1)}\u0001`
  if (range.after !== undefined) {
    const after = keyText(table, range.after)
    if (range.reverse === true) to = after < to ? after : to
    else from = after < from ? from : `${after}\0`
  }
  return { from, to }
}

function prefixText(table: string, parts: Key): string {
  if (!TABLE.test(table)) throw fault('internal', { reason: `"${table.slice(0, 80)}" is no name of a table` })
  if (parts.length > KEY_PARTS_MAX) throw badKey(`has ${parts.length} parts, more than ${KEY_PARTS_MAX}`)
  let text = `${table}\0`
  for (const part of parts) {
    if (typeof part !== 'string') throw badKey(`has a part that is a ${typeof part}`)
    if (part.length > KEY_PART_UNITS_MAX)
      throw badKey(`has a part of ${part.length} units, more than ${KEY_PART_UNITS_MAX}`)
    if (part.includes('\0')) throw badKey('has a part with U+0000')
    text += `${part}\0`
  }
  return text
}

const badKey = (problem: string): Fault => fault('internal', { reason: `a key ${problem}` })
