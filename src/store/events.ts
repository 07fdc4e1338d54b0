import type { JsonObject } from '../base/json.ts'

/** The journal of what happened: append-only, an opening and exactly one closing entry per id. */
export interface Entry {
  /** Of a request, an ingest run, an administrative change. */
  readonly id: string
  readonly phase: 'open' | 'close'
  readonly kind: string
  readonly atMs: number
  readonly body: JsonObject
}

export interface Page {
  readonly entries: Entry[]
  /** Pass as `before` for the next page; absent at the end. */
  readonly next?: string
}

export interface Followed {
  readonly entries: Entry[]
  /** Of the last entry: go on after it. As asked, where there was none. */
  readonly position: number
}

export interface Events {
  /** Resolves when all are durable. An entry whose (id, phase) is there already is ignored: the
   *  first one stands, which makes a repeated delivery harmless. */
  append(entries: readonly Entry[]): Promise<void>
  /** The entries of one id, `open` first. */
  read(id: string): Promise<Entry[]>
  /** Closing entries, newest first. */
  recent(options: { readonly kind?: string; readonly before?: string; readonly limit: number }): Promise<Page>
  /** Closing entries in the order they arrived, after `position` (0: from the beginning). None is
   *  shown before all that arrived earlier are, so who goes on from `position` misses nothing. */
  follow(position: number, limit: number): Promise<Followed>
  /** Opened and never closed, oldest first: what a crash interrupted. */
  unclosed(limit: number): Promise<Entry[]>
}
