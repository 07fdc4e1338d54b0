import { put, remove, table, type Change, type Rows, type Stored } from '../store/rows.ts'
import type { Bindings } from './bindings.ts'
import type { Role } from './principal.ts'

/** How keys lie in the rows. Every change of a key also changes one row that counts them: whoever
 *  reads that row knows whether anything changed, and two changes at once cannot both succeed. */

export interface KeyRow {
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly bindings: Bindings
  /** HMAC-SHA-256 of the key's text under the pepper, hexadecimal. */
  readonly mac: string
  /** `Pepper.id` of that pepper. */
  readonly pepper: string
  /** The first characters of the text, to recognise it by. */
  readonly hint: string
  readonly createdAtMs: number
  /** Wall clock; from then on the key opens nothing. */
  readonly expiresAtMs?: number
  readonly rotatedAtMs?: number
  /** The text before the last rotation, while it is still taken. */
  readonly previous?: { readonly mac: string; readonly untilMs: number }
  readonly revokedAtMs?: number
}

export const KEYS = table<KeyRow>('api_keys')

/** How many changes there have been. */
interface StateRow {
  readonly revision: number
}

const STATE = table<StateRow>('api_keys_state')
const STATE_KEY = ['state']

/** Which key each of the latest changes was about. */
interface ChangeRow {
  readonly id: string
}

const CHANGES = table<ChangeRow>('api_keys_changes')

/** A process that has missed more changes than this reads every key anew. */
export const CHANGES_KEPT = 1000

const PAGE = 1000

/** What a commit of a change is compared with. */
export interface State {
  readonly revision: number
  /** Of the row; 0 before the first key. */
  readonly version: number
}

export async function readState(rows: Rows): Promise<State> {
  const stored = await rows.get(STATE, STATE_KEY)
  return { revision: stored?.row.revision ?? 0, version: stored?.version ?? 0 }
}

/** False, with nothing changed, when another change came first. `version` is that of the key's own
 *  row, 0 for a new key. */
export function commitKey(rows: Rows, state: State, row: KeyRow, version: number): Promise<boolean> {
  const revision = state.revision + 1
  const changes: Change[] = [
    put(STATE, STATE_KEY, { revision }, state.version),
    put(KEYS, [row.id], row, version),
    put(CHANGES, changeKey(revision), { id: row.id }),
  ]
  if (revision > CHANGES_KEPT) changes.push(remove(CHANGES, changeKey(revision - CHANGES_KEPT)))
  return rows.commit(changes)
}

/** The keys changed after `revision`, as they are now; undefined where that is no longer known. */
export async function changedSince(rows: Rows, revision: number, now: number): Promise<KeyRow[] | undefined> {
  const missed = now - revision
  if (missed < 0 || missed > CHANGES_KEPT || revision === 0) return undefined
  const changes = await rows.scan(CHANGES, { after: changeKey(revision), limit: CHANGES_KEPT })
  // One that was dropped while this read shows as a gap at the beginning.
  if (changes.length < missed || changes[0]?.key[0] !== changeKey(revision + 1)[0]) return undefined
  const ids = new Set(changes.map(({ row }) => row.id))
  const stored = await rows.getMany(
    KEYS,
    [...ids].map((id) => [id]),
  )
  return stored.flatMap((one) => one?.row ?? [])
}

/** A page of all keys, the oldest first. */
export async function readKeys(rows: Rows, after: string | undefined, limit = PAGE): Promise<KeyRow[]> {
  const stored: Stored<KeyRow>[] = await rows.scan(KEYS, { limit, ...(after === undefined ? {} : { after: [after] }) })
  return stored.map(({ row }) => row)
}

/** Every key, page by page. */
export async function* allKeys(rows: Rows): AsyncGenerator<KeyRow> {
  let after: string | undefined
  do {
    const page = await readKeys(rows, after)
    yield* page
    after = page.length < PAGE ? undefined : page.at(-1)?.id
  } while (after !== undefined)
}

/** Numbers as texts in their own order. */
const changeKey = (revision: number): string[] => [revision.toString().padStart(16, '0')]
