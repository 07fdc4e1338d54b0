import type { SegmentName } from '../../store/index.ts'

/** Tables bear the names of their segments. A slash is no part of a table's name, so it is written
 *  `_s`, and `_` as `__`. */

export const tableOf = (segment: SegmentName): string => segment.replaceAll('_', '__').replaceAll('/', '_s')

/** Undefined where the table is none of ours. */
export function segmentOf(table: string): SegmentName | undefined {
  if (!/^(?:[a-z0-9.-]|__|_s)+$/.test(table)) return undefined
  return table.replaceAll(/__|_s/g, (found) => (found === '__' ? '_' : '/'))
}
