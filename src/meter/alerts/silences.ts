import type { Clock } from '../../base/clock.ts'
import { newId } from '../../base/ids.ts'
import type { Random } from '../../base/random.ts'
import { put, remove, type Rows, scanAll, table } from '../../store/rows.ts'
import type { Alert, AlertKind } from './alerts.ts'

/** While a silence holds, nobody is told of the alerts it is about; they are raised, shown and closed
 *  as ever. What is still open when it ends is told then. */

export interface Matcher {
  readonly kind?: AlertKind
  /** All of these must be so: `{ model: "chat" }`. */
  readonly subject?: { readonly [name: string]: string }
}

export interface Silence extends Matcher {
  readonly id: string
  readonly fromMs: number
  readonly untilMs: number
  readonly reason: string
  readonly by: string
}

const SILENCES = table<Silence>('alerts.silences')
export const SILENCES_MAX = 1_000

export class Silences {
  readonly #clock: Clock
  readonly #random: Random
  readonly #rows: Rows

  constructor({ clock, random, rows }: { readonly clock: Clock; readonly random: Random; readonly rows: Rows }) {
    this.#clock = clock
    this.#random = random
    this.#rows = rows
  }

  /** From now on. Durable when resolved; undefined where there are `SILENCES_MAX` already. */
  async add(wanted: Omit<Silence, 'id' | 'fromMs'>): Promise<Silence | undefined> {
    const nowMs = this.#clock.wallMs()
    const stored = await Array.fromAsync(scanAll(this.#rows, SILENCES))
    const over = stored.filter(({ row }) => row.untilMs <= nowMs)
    if (stored.length - over.length >= SILENCES_MAX) return undefined
    const row = { ...wanted, id: newId('sil', this.#clock, this.#random), fromMs: nowMs }
    await this.#rows.commit([...over.map(({ key }) => remove(SILENCES, key)), put(SILENCES, [row.id], row)])
    return row
  }

  /** False where there is none. */
  async end(id: string): Promise<boolean> {
    const stored = await this.#rows.get(SILENCES, [id])
    return stored !== undefined && stored.row.untilMs > this.#clock.wallMs()
      ? this.#rows.commit([remove(SILENCES, [id], stored.version)])
      : false
  }

  /** Those that hold, the oldest first. */
  async list(): Promise<Silence[]> {
    const nowMs = this.#clock.wallMs()
    const stored = await Array.fromAsync(scanAll(this.#rows, SILENCES))
    return stored.map(({ row }) => row).filter(({ untilMs }) => untilMs > nowMs)
  }
}

export const isSilenced = (silences: readonly Matcher[], alert: Alert): boolean =>
  silences.some(
    ({ kind, subject = {} }) =>
      (kind === undefined || kind === alert.kind) &&
      Object.entries(subject).every(
        ([name, value]) => Object.hasOwn(alert.subject, name) && alert.subject[name] === value,
      ),
  )
