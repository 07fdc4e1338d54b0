import type { Clock, Timer } from '../../base/clock.ts'
import { put, remove, type Rows, table } from '../../store/rows.ts'
import type { AnswerId } from './kept-answers.ts'

/** Which process makes an answer: a row under its name, renewed while that lasts and removed after
 *  it. Not a lease, whose name would stay for ever. One that comes back after a crash goes on at
 *  once: the row names the process. */

interface ClaimRow {
  readonly node: string
  readonly expiresAtMs: number
}

const CLAIMS = table<ClaimRow>('idempotent_claims')

/** For a process that died without a word, others wait this long. */
const CLAIM_MS = 30_000
const RENEW_MS = 10_000

export interface ClaimDependencies {
  readonly clock: Clock
  readonly rows: Rows
  /** The name of this process among those that share the store. */
  readonly node: string
}

/** Undefined where another process has it. Rejects with a `Fault`. */
export async function claim(dependencies: ClaimDependencies, id: AnswerId): Promise<Claim | undefined> {
  return (await taken(dependencies, id)) ? new Claim(dependencies, id) : undefined
}

async function taken({ clock, rows, node }: ClaimDependencies, { scope, digest }: AnswerId): Promise<boolean> {
  const nowMs = clock.wallMs()
  const stored = await rows.get(CLAIMS, [scope, digest])
  if (stored !== undefined && stored.row.node !== node && stored.row.expiresAtMs > nowMs) return false
  const row: ClaimRow = { node, expiresAtMs: nowMs + CLAIM_MS }
  return rows.commit([put(CLAIMS, [scope, digest], row, stored?.version ?? 0)])
}

/** To be released. */
export class Claim {
  readonly #dependencies: ClaimDependencies
  readonly #id: AnswerId
  #timer: Timer | undefined

  constructor(dependencies: ClaimDependencies, id: AnswerId) {
    this.#dependencies = dependencies
    this.#id = id
    this.#arm()
  }

  /** Where the store cannot say it now, time will. */
  async release(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    const { rows, node } = this.#dependencies
    const key = [this.#id.scope, this.#id.digest]
    try {
      const stored = await rows.get(CLAIMS, key)
      if (stored?.row.node === node) await rows.commit([remove(CLAIMS, key, stored.version)])
    } catch {}
  }

  /** One that was lost stays lost: whoever has it now makes an answer too, and the last is kept. */
  #arm(): void {
    this.#timer = this.#dependencies.clock.after(RENEW_MS, () => {
      this.#arm()
      taken(this.#dependencies, this.#id).catch(() => {})
    })
  }
}
