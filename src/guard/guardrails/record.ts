import type { JsonObject } from '../../base/json.ts'
import type { Action, Guardrail } from './guardrail.ts'
import type { Point } from './point.ts'

interface Entry {
  readonly guard: string
  readonly point: Point
  readonly action: Action
  readonly found: Map<string, number>
  timedOut: boolean
}

/** What the guardrails found in one request: kinds and counts, never what it said. */
export class GuardrailRecord {
  readonly #entries = new Map<string, Entry>()

  get isEmpty(): boolean {
    return this.#entries.size === 0
  }

  found(guardrail: Guardrail, point: Point, kind: string, count = 1): void {
    const { found } = this.#entry(guardrail, point)
    found.set(kind, (found.get(kind) ?? 0) + count)
  }

  /** It gave no verdict. */
  failed(guardrail: Guardrail, point: Point): void {
    this.#entry(guardrail, point).timedOut = true
  }

  /** For the record of the request. */
  json(): JsonObject[] {
    return [...this.#entries.values()].map(({ found, timedOut, ...entry }) => ({
      ...entry,
      found: Object.fromEntries(found),
      ...(timedOut ? { verdict: 'none' } : {}),
    }))
  }

  #entry(guardrail: Guardrail, point: Point): Entry {
    const key = `${point} ${guardrail.name}`
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const action = guardrail[point] ?? 'note'
    const entry: Entry = { guard: guardrail.name, point, action, found: new Map(), timedOut: false }
    this.#entries.set(key, entry)
    return entry
  }
}
