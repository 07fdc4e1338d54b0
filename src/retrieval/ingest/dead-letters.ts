import { type ErrorCode, type Problem, sentenceOf } from '../../base/errors.ts'
import type { JsonObject } from '../../base/json.ts'
import type { SourceConfig } from '../../config/schema.ts'
import type { AttributeValue } from '../../store/filter.ts'
import { put, remove, table, type Change, type Key, type Rows } from '../../store/rows.ts'
import { QUARANTINE, quarantineKey } from './quarantine.ts'

/** Documents of a collection that could not be read, and why. One that is read later, or is gone from
 *  its source, leaves the list. */
export interface DeadLetterRow {
  readonly document: string
  readonly uri: string
  /** Whose it is; empty where that could not be read. Absent: nobody's. */
  readonly tenant?: AttributeValue
  readonly code: ErrorCode
  readonly details: { readonly [name: string]: unknown }
  readonly attempts: number
  readonly firstAtMs: number
  readonly lastAtMs: number
  /** Where it can be read again: a path or a source, or what was sent. Absent where what was sent is
   *  larger than `LETTER_UNITS_MAX`. */
  readonly from?:
    | { readonly path: string }
    | { readonly source: SourceConfig }
    /** As it came, in JSON. */
    | { readonly sent: string }
}

export const DEAD_LETTERS = table<DeadLetterRow>('dead_letters')
export const letterKey = (collection: string, document: string): Key => [collection, document]

/** Of what was sent and could not be read, this much is kept to be read again: UTF-16 units. */
export const LETTER_UNITS_MAX = 256 * 1024

/** Letters of one collection; of more only the runs that met them tell. */
const LETTERS_MAX = 10_000

export interface Letter {
  readonly document: string
  readonly uri: string
  readonly tenant?: AttributeValue
  readonly problem: Problem
  readonly from?: DeadLetterRow['from']
}

/** Adds to the list, and takes off it. */
export async function post(
  rows: Rows,
  collection: string,
  letters: readonly Letter[],
  cleared: readonly string[],
  atMs: number,
): Promise<void> {
  const former = await rows.getMany(
    DEAD_LETTERS,
    letters.map(({ document }) => letterKey(collection, document)),
  )
  const changes: Change[] = cleared.flatMap((document) => [
    remove(DEAD_LETTERS, letterKey(collection, document)),
    remove(QUARANTINE, quarantineKey(collection, document)),
  ])
  const isFull =
    letters.length > 0 &&
    former.includes(undefined) &&
    (await rows.scan(DEAD_LETTERS, { prefix: [collection], limit: LETTERS_MAX })).length >= LETTERS_MAX
  for (const [at, { document, uri, tenant, problem, from }] of letters.entries()) {
    const row = former[at]?.row
    if (row === undefined && isFull) continue
    changes.push(
      put(DEAD_LETTERS, letterKey(collection, document), {
        document,
        uri,
        ...(tenant === undefined ? {} : { tenant }),
        code: problem.code,
        details: problem.details,
        attempts: (row?.attempts ?? 0) + 1,
        firstAtMs: row?.firstAtMs ?? atMs,
        lastAtMs: atMs,
        ...(from === undefined ? {} : { from }),
      }),
    )
  }
  if (changes.length > 0) await rows.commit(changes)
}

/** Of a document whose attributes are not known. */
export const UNKNOWN_TENANT = ''

/** As `GET /api/collections/{collection}/dead-letters` shows it. */
export const shownLetter = (row: DeadLetterRow): JsonObject => ({
  document: row.document,
  uri: row.uri,
  code: row.code,
  message: sentenceOf(row),
  attempts: row.attempts,
  firstAt: new Date(row.firstAtMs).toISOString(),
  lastAt: new Date(row.lastAtMs).toISOString(),
  replayable: row.from !== undefined,
})
