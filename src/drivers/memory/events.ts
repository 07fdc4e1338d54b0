import type { JsonObject } from '../../base/json.ts'
import {
  APPEND_ENTRIES_MAX,
  checkCount,
  checkLimit,
  checkName,
  checkPosition,
  cursorPosition,
  entryJson,
} from '../../store/bounds.ts'
import type { Entry, Events, Followed, Page } from '../../store/events.ts'

type Kept = Omit<Entry, 'body'> & { readonly json: string; readonly position: number }

export class MemoryEvents implements Events {
  /** In the order of arrival; positions count from 1. */
  readonly #journal: Kept[] = []
  readonly #byId = new Map<string, { open?: Kept; close?: Kept }>()

  async append(entries: readonly Entry[]): Promise<void> {
    checkCount('entries', entries.length, APPEND_ENTRIES_MAX)
    const checked = entries.map((entry) => {
      const { id, phase, kind, atMs } = entry
      return { id, phase, kind, atMs, json: entryJson(entry) }
    })
    for (const entry of checked) {
      const phases = this.#byId.get(entry.id) ?? {}
      if (phases[entry.phase] !== undefined) continue
      const kept = { ...entry, position: this.#journal.length + 1 }
      this.#journal.push(kept)
      this.#byId.set(entry.id, { ...phases, [entry.phase]: kept })
    }
  }

  async read(id: string): Promise<Entry[]> {
    checkName('the id of an entry', id)
    const { open, close } = this.#byId.get(id) ?? {}
    return [open, close].flatMap((kept) => (kept === undefined ? [] : [entryOf(kept)]))
  }

  async recent(options: { readonly kind?: string; readonly before?: string; readonly limit: number }): Promise<Page> {
    checkLimit(options.limit)
    const before = options.before === undefined ? Infinity : cursorPosition(options.before)
    const closing = this.#journal.filter(
      (kept) => kept.phase === 'close' && kept.position < before && (options.kind ?? kept.kind) === kept.kind,
    )
    const page = closing.reverse().slice(0, options.limit)
    const last = page.at(-1)
    const entries = page.map(entryOf)
    return last === undefined || closing.length <= page.length ? { entries } : { entries, next: String(last.position) }
  }

  async follow(position: number, limit: number): Promise<Followed> {
    checkPosition(position)
    checkLimit(limit)
    const later = this.#journal.filter((kept) => kept.phase === 'close' && kept.position > position).slice(0, limit)
    return { entries: later.map(entryOf), position: later.at(-1)?.position ?? position }
  }

  async unclosed(limit: number): Promise<Entry[]> {
    checkLimit(limit)
    const open = this.#journal.filter((kept) => kept.phase === 'open' && this.#byId.get(kept.id)?.close === undefined)
    return open.slice(0, limit).map(entryOf)
  }
}

const entryOf = ({ id, phase, kind, atMs, json }: Kept): Entry => ({
  id,
  phase,
  kind,
  atMs,
  body: JSON.parse(json) as JsonObject,
})
