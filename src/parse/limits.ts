import type { Clock } from '../base/clock.ts'
import { refuse, type Refusal } from '../base/errors.ts'

/** What one document may cost. A file past a limit is refused with a sentence that names it;
 *  only pages are cut (and the document says so), because the first pages of a long book are
 *  still worth having. */

/** The file as it lies on disk. */
export const FILE_BYTES_MAX = 64 * 2 ** 20
/** The text taken out of it, in UTF-16 code units. */
export const TEXT_UNITS_MAX = 16 * 2 ** 20
/** Pages read of a PDF; those after are left out and noted. */
export const PDF_PAGES_MAX = 2_000
/** Elements inside elements in HTML and XML, values inside values in JSON. Browsers flatten beyond
 *  512. */
export const NESTING_MAX = 1_000
/** Documents attached to documents that are attached. */
export const ATTACHMENT_DEPTH_MAX = 4
/** Looked at between pages and slices; a parser stuck in one step is ended from outside. */
export const PARSE_MS_MAX = 30_000
/** Markup is handed to its parser in slices of this many units, with the limits checked between. */
export const SLICE_UNITS = 64 * 2 ** 10

/** Headings and titles are cut to this many UTF-16 code units. */
export const HEADING_UNITS_MAX = 200

export interface Deadline {
  readonly limitMs: number
  passed(): boolean
}

export function deadline(clock: Clock, limitMs: number = PARSE_MS_MAX): Deadline {
  const endMs = clock.monotonicMs() + limitMs
  return { limitMs, passed: () => clock.monotonicMs() > endMs }
}

export const tooLong = (): Refusal => refuse('document_too_large', { limitBytes: TEXT_UNITS_MAX, detail: ' of text' })
export const tooSlow = ({ limitMs }: Deadline): Refusal => refuse('document_timeout', { limitMs })
export const tooDeep = (): Refusal => unreadable(`it nests deeper than ${NESTING_MAX} levels`)
export const unreadable = (reason: string): Refusal => refuse('document_unreadable', { reason })
