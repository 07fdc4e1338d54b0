import { Fault, fault, reasonOf } from '../../base/errors.ts'

/** SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html). */
const UNDEFINED_TABLE = '42P01'
const UNIQUE_VIOLATION = '23505'
const DISK_FULL = '53100'

/** What went wrong while asking. */
export function postgresFault(thrown: unknown): Fault {
  return thrown instanceof Fault ? thrown : unavailable(`Postgres: ${reasonOf(thrown)}`, thrown)
}

/** What went wrong while writing. */
export function unwritable(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown
  if (stateOf(thrown) === DISK_FULL) return fault('disk_full', { path: "Postgres' data folder" }, thrown)
  return fault('store_unavailable', { reason: `Postgres: ${reasonOf(thrown)}` }, thrown)
}

export const unavailable = (reason: string, cause?: unknown): Fault => fault('index_unavailable', { reason }, cause)

export const isMissing = (thrown: unknown): boolean => stateOf(thrown) === UNDEFINED_TABLE
export const isTaken = (thrown: unknown): boolean => stateOf(thrown) === UNIQUE_VIOLATION

const stateOf = (thrown: unknown): unknown =>
  typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : undefined
