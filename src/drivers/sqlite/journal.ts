import { fault, reasonOf } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { APPEND_ENTRIES_MAX, checkCount } from '../../store/bounds.ts'
import type { Entry, Events, Followed, Page } from '../../store/events.ts'
import { cellsOf, ENTRY_GIVEN_CELLS, type SqliteEvents } from './events.ts'
import { JournalFile, readJournal } from './journal-file.ts'
import type { Cell } from './protocol.ts'

/** The journal of one process as a log in front of the database: an append is durable with one write
 *  of a group, and becomes rows in the background, many at a time. Whoever reads waits until all
 *  that was acknowledged has become rows, so that nothing can be told from the database alone. */

/** How long rows may stay behind the log. */
const FOLD_MS = 50
/** Entries that become rows at once: the database takes a transaction for them, and others wait. */
const FOLD_ENTRIES_MAX = 500
/** Between attempts while the database takes nothing. */
const RETRY_MS = 500

/** Neither ids nor kinds have it, and JSON says it otherwise. */
const SEPARATOR = '\0'

export interface JournalOptions {
  /** Of the log, without the suffixes of its two files; its folder must exist. */
  readonly path: string
  /** The rows. */
  readonly events: SqliteEvents
  readonly log: Log
  /** Resolves when what other processes have acknowledged is in the database. */
  readonly others?: () => Promise<void>
}

/** Takes in what a process left behind that is gone. Rejects with a `Fault`; may be repeated. */
export async function takeInJournal({ path, events }: Pick<JournalOptions, 'path' | 'events'>): Promise<void> {
  for (const group of readJournal(path)) {
    const cells = decoded(group)
    for (let at = 0; at < cells.length; at += FOLD_ENTRIES_MAX * ENTRY_GIVEN_CELLS)
      await events.appendCells(cells.slice(at, at + FOLD_ENTRIES_MAX * ENTRY_GIVEN_CELLS))
  }
}

interface Unfolded {
  readonly cells: readonly Cell[]
  readonly sequence: number
}

export class JournaledEvents implements Events {
  readonly #events: SqliteEvents
  readonly #file: JournalFile<readonly Cell[]>
  readonly #log: Log
  readonly #others: () => Promise<void>
  #unfolded: Unfolded[] = []
  #folding: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isFailing = false
  #isClosed = false

  private constructor({ path, events, log, others = async () => {} }: JournalOptions) {
    this.#others = others
    this.#events = events
    this.#log = log
    const onDurable = (items: readonly (readonly Cell[])[], sequence: number): void => {
      this.#unfolded.push({ cells: items.flat(), sequence })
      this.#foldSoon(FOLD_MS)
    }
    this.#file = JournalFile.open({ path, separator: SEPARATOR, onDurable })
  }

  /** Takes in what an earlier process of this name left, and begins a log. */
  static async open(options: JournalOptions): Promise<JournaledEvents> {
    await takeInJournal(options)
    return new JournaledEvents(options)
  }

  async append(entries: readonly Entry[]): Promise<void> {
    checkCount('entries', entries.length, APPEND_ENTRIES_MAX)
    if (entries.length === 0) return
    const cells = cellsOf(entries)
    await this.#file.append(cells.join(SEPARATOR), cells)
  }

  async read(id: string): Promise<Entry[]> {
    await this.#foldEverywhere()
    return this.#events.read(id)
  }

  async recent(options: { readonly kind?: string; readonly before?: string; readonly limit: number }): Promise<Page> {
    await this.#foldEverywhere()
    return this.#events.recent(options)
  }

  async follow(position: number, limit: number): Promise<Followed> {
    await this.#foldEverywhere()
    return this.#events.follow(position, limit)
  }

  async unclosed(limit: number): Promise<Entry[]> {
    await this.#foldEverywhere()
    return this.#events.unclosed(limit)
  }

  /** Resolves when all that was acknowledged here is in the database. Rejects with its `Fault`. */
  fold(): Promise<void> {
    return this.#fold()
  }

  async #foldEverywhere(): Promise<void> {
    await Promise.all([this.#fold(), this.#others()])
  }

  /** What the database does not take stays in the log, for the next process of this name. */
  async close(): Promise<void> {
    this.#isClosed = true
    const isFolded = await this.#fold().then(
      () => true,
      () => false,
    )
    clearTimeout(this.#timer)
    await this.#file.close(isFolded && this.#unfolded.length === 0)
  }

  #foldSoon(delayMs: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#fold().catch((thrown: unknown) => this.#failed(thrown))
    }, delayMs)
  }

  #failed(thrown: unknown): void {
    if (!this.#isFailing)
      this.#log.write('error', 'the database does not take in the journal; it is kept', { reason: reasonOf(thrown) })
    this.#isFailing = true
    if (!this.#isClosed) this.#foldSoon(RETRY_MS)
  }

  #fold(): Promise<void> {
    if (this.#unfolded.length === 0 && this.#folding === undefined) return Promise.resolve()
    // What is on its way may have begun before the last was acknowledged.
    const before = this.#folding ?? Promise.resolve()
    const folding = before.then(
      () => this.#foldAll(),
      () => this.#foldAll(),
    )
    this.#folding = folding
    const over = (): void => {
      if (this.#folding === folding) this.#folding = undefined
    }
    folding.then(over, over)
    return folding
  }

  async #foldAll(): Promise<void> {
    const all = this.#unfolded
    while (all.length > 0) {
      const batch: Cell[] = []
      let groups = 0
      while (groups < all.length && batch.length < FOLD_ENTRIES_MAX * ENTRY_GIVEN_CELLS)
        for (const cell of all[groups++]?.cells ?? []) batch.push(cell)
      await this.#events.appendCells(batch)
      const sequence = all[groups - 1]?.sequence
      if (sequence === undefined) throw fault('internal', { reason: 'a fold of nothing' })
      all.splice(0, groups)
      this.#file.free(sequence)
      this.#isFailing = false
    }
  }
}

/** The cells of a text; only times are numbers. */
function decoded(text: string): Cell[] {
  const cells: Cell[] = text.split(SEPARATOR)
  for (let at = ENTRY_AT_MS; at < cells.length; at += ENTRY_GIVEN_CELLS) cells[at] = Number(cells[at])
  return cells
}

const ENTRY_AT_MS = 3
