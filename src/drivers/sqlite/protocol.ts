import type { ErrorCode } from '../../base/errors.ts'

/** What the store's thread is asked and answers. Lists are flat, a record being so many cells in
 *  a row: structured clone costs by the object, and the asking thread is the gateway's. */

export type Cell = string | number | null

export interface Calls {
  /** Resolves when the database is open. */
  'store.open'(): true
  /** False while somebody reads what the log holds. */
  'store.scrub'(): boolean

  /** Texts of keys, and of each the version that is known; answers `version, json` for each, version 0 where
   *  there is none, and no JSON where the known version is still the present one. */
  'rows.get'(keys: readonly string[], versions: readonly number[]): Cell[]
  /** Answers `key, version, json` for each in [from, to). */
  'rows.scan'(from: string, to: string, limit: number, reverse: boolean): Cell[]
  /** `key, json or null to remove, version or -1 for any` of each change. */
  'rows.commit'(changes: readonly Cell[]): boolean

  'queue.enqueue'(queue: string, id: string, json: string, readyAtMs: number): boolean
  /** Answers `id, json, attempt, token`, or nothing. */
  'queue.lease'(queue: string, nowMs: number, readyAtMs: number): Cell[]
  'queue.settle'(
    queue: string,
    id: string,
    token: number,
    state: string,
    readyAtMs: number,
    reason: string | null,
  ): boolean
  /** Answers `id, state, json, attempt, reason` for each. */
  'queue.list'(queue: string, limit: number): Cell[]

  /** Answers the epoch, 0 while another holds it. */
  'leases.acquire'(name: string, holder: string, nowMs: number, expiresAtMs: number): number
  'leases.renew'(name: string, epoch: number, nowMs: number, expiresAtMs: number): boolean
  /** Answers `holder, epoch, expiresAtMs`, or nothing. */
  'leases.read'(name: string, nowMs: number): Cell[]

  /** `id, phase, kind, atMs, json` of each entry. */
  'events.append'(entries: readonly Cell[]): true
  /** These answer `position, id, phase, kind, atMs, json` for each. */
  'events.read'(id: string): Cell[]
  'events.recent'(kind: string | null, beforePosition: number, limit: number): Cell[]
  'events.follow'(afterPosition: number, limit: number): Cell[]
  'events.unclosed'(limit: number): Cell[]
}

export type CallName = keyof Calls

/** The calls of one port, as its file in this folder answers them. */
export type CallsOf<Port extends string> = Pick<Calls, Extract<CallName, `${Port}.${string}`>>

/** The store as its drivers ask it: in a thread of this process, or in another process that has the
 *  database open. */
export interface StoreCaller {
  /** Rejects with the store's `Fault`. */
  call<Name extends CallName>(name: Name, ...values: Parameters<Calls[Name]>): Promise<ReturnType<Calls[Name]>>
  /** Answers what was asked, and takes no more. */
  close(): Promise<void>
}

/** Calls that change nothing. They go to a thread with a connection of its own, which reads what was
 *  committed last: a read waits neither for a transaction nor for the disk. */
export const READS: ReadonlySet<CallName> = new Set<CallName>([
  'store.open',
  'store.scrub',
  'rows.get',
  'rows.scan',
  'queue.list',
  'leases.read',
  'events.read',
  'events.recent',
  'events.follow',
  'events.unclosed',
])

export interface ThreadOptions {
  readonly path: string
  readonly bytesMax: number | undefined
  /** Answers reads alone, of a file that is there. */
  readonly readOnly?: boolean
}

/** To the thread: `id, name, arguments` of each call of a turn; `close` ends it. */
export type ToThread = readonly unknown[] | 'close'

export interface FromThread {
  /** `id, value` of each call that went well. */
  readonly done: readonly unknown[]
  readonly failed: readonly Failure[]
  /** The database could not be opened: every call fails so. */
  readonly unusable?: Omit<Failure, 'id'>
}

export interface Failure {
  readonly id: number
  readonly code: ErrorCode
  readonly details: { readonly [name: string]: unknown }
}

/** Cells as records of `width`. */
export function* records(cells: readonly Cell[], width: number): Generator<readonly Cell[]> {
  for (let at = 0; at < cells.length; at += width) yield cells.slice(at, at + width)
}
