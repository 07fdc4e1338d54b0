import type { Clock, Timer } from '../base/clock.ts'
import { fault, refuse, type Refusal } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import type { Rows, Stored } from '../store/rows.ts'
import { type Bindings, frozen, unbound } from './bindings.ts'
import { allKeys, changedSince, commitKey, KEYS, type KeyRow, readKeys, readState } from './key-rows.ts'
import { LOCAL, type Principal, type Role } from './principal.ts'
import { hintOf, newKeyText, type Pepper } from './secret.ts'

/** API keys. A key's text is shown once, when it is made or rotated; only its MAC is stored. All
 *  keys that open something are held in memory, so that a look-up costs one MAC and a map; changes
 *  go to the rows first, and other processes see them when they poll. */

/** Keys that are neither revoked nor orphaned, at about 1 kB of memory each. */
export const KEYS_MAX = 100_000

/** How often a process asks whether another has changed a key: what is revoked there opens nothing
 *  here within a second, as long as the store answers. */
export const POLL_MS = 500

/** Attempts at one change while other processes change keys too. */
const TRIES_MAX = 20

export interface NewKey {
  readonly id: string
  /** The only time it is seen. */
  readonly text: string
  readonly name: string
  readonly role: Role
}

export interface KeyTerms {
  readonly bindings?: Bindings
  /** Wall clock; absent: never. */
  readonly expiresAtMs?: number
}

export interface KeyringDependencies {
  readonly rows: Rows
  readonly clock: Clock
  readonly random: Random
  readonly pepper: Pepper
}

/** What a text opens, and until when by the wall clock. */
interface Opening {
  readonly principal: Principal
  readonly untilMs: number
}

/** A key to be stored in place of `version` of its row, or nothing, and what the caller learns. */
interface Decision<T> {
  readonly row?: KeyRow
  readonly version?: number
  readonly result: T
}

const LENT_ID = 'lent'

export class Keyring {
  readonly #dependencies: KeyringDependencies
  #byMac = new Map<string, Opening>()
  #byId = new Map<string, KeyRow>()
  readonly #lent = new Map<string, Principal>()
  #orphans = new Set<string>()
  /** Of the rows that memory agrees with. */
  #revision = 0
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(dependencies: KeyringDependencies) {
    this.#dependencies = dependencies
  }

  /** Loads every key. */
  static async open(dependencies: KeyringDependencies): Promise<Keyring> {
    const keyring = new Keyring(dependencies)
    await keyring.refresh()
    return keyring
  }

  /** No key was ever stored. */
  get isEmpty(): boolean {
    return this.#revision === 0
  }

  get isFull(): boolean {
    return this.#byId.size >= KEYS_MAX
  }

  /** Keys whose text cannot be recognised, since they were made under another pepper. Rotating one
   *  brings it back. */
  get orphans(): number {
    return this.#orphans.size
  }

  get hasAdmin(): boolean {
    const now = this.#dependencies.clock.wallMs()
    return this.#byMac.values().some(({ principal, untilMs }) => principal.role === 'admin' && untilMs > now)
  }

  find(text: string): Principal | undefined {
    const { clock, pepper } = this.#dependencies
    const mac = pepper.macOf(text)
    const opening = this.#byMac.get(mac)
    if (opening === undefined) return this.#lent.get(mac)
    return opening.untilMs > clock.wallMs() ? opening.principal : undefined
  }

  /** Whoever opened a session, as their key stands now; undefined when it has ended. */
  current(principal: Principal): Principal | undefined {
    return principal.id === LENT_ID ? principal : this.named(principal.id)
  }

  /** By a key's id, as it stands now; undefined when it has ended. */
  named(id: string): Principal | undefined {
    if (id === LOCAL.id) return LOCAL
    const row = this.#byId.get(id)
    const opening = row === undefined ? undefined : this.#byMac.get(row.mac)
    return opening !== undefined && opening.untilMs > this.#dependencies.clock.wallMs() ? opening.principal : undefined
  }

  /** Makes a key; usable once this resolves. */
  create(name: string, role: Role, terms: KeyTerms = {}): Promise<NewKey> {
    return this.adopt(newKeyText(this.#dependencies.random), name, role, terms)
  }

  /** Registers a key whose text was chosen outside (`HEADWORKS_ADMIN_KEY`). Harmless when it is
   *  known already. */
  adopt(text: string, name: string, role: Role, terms: KeyTerms = {}): Promise<NewKey> {
    const { clock, random, pepper } = this.#dependencies
    const { bindings = unbound(role), expiresAtMs } = terms
    return this.#change(() => {
      const known = this.find(text)
      if (known !== undefined) return { result: { id: known.id, text, name: known.name, role: known.role } }
      const id = newId('key', clock, random)
      const row: KeyRow = {
        id,
        name,
        role,
        bindings,
        mac: pepper.macOf(text),
        pepper: pepper.id,
        hint: hintOf(text),
        createdAtMs: clock.wallMs(),
        ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
      }
      return { row, version: 0, result: { id, text, name, role } }
    })
  }

  /** A key that is stored nowhere and ends with this process. */
  lend(name: string, role: Role): string {
    const text = newKeyText(this.#dependencies.random)
    this.#lent.set(
      this.#dependencies.pepper.macOf(text),
      Object.freeze({ id: LENT_ID, name, role, bindings: unbound(role) }),
    )
    return text
  }

  /** Gives a key a new text. The old one is taken for `graceMs` longer; one that was still in its
   *  grace ends now. Of two rotations at once one is refused (`key_changed`), so that nobody
   *  leaves with a text that is no longer taken. `not_found`, `key_ended`. */
  async rotate(id: string, graceMs = 0): Promise<NewKey | Refusal> {
    const { clock, random, pepper, rows } = this.#dependencies
    const seen = await rows.get(KEYS, [id])
    if (seen === undefined) return refuse('not_found', { what: 'key', id })
    return this.#change<NewKey | Refusal>(async () => {
      const stored = await this.#stored(id)
      const now = clock.wallMs()
      if (hasEnded(stored.row, now)) return { result: refuse('key_ended', { id }) }
      if (stored.version !== seen.version) return { result: refuse('key_changed', { id }) }
      const { name, role, mac, previous: _, ...kept } = stored.row
      const text = newKeyText(random)
      const row: KeyRow = {
        ...kept,
        name,
        role,
        mac: pepper.macOf(text),
        pepper: pepper.id,
        hint: hintOf(text),
        rotatedAtMs: now,
        ...(graceMs > 0 && kept.pepper === pepper.id ? { previous: { mac, untilMs: now + graceMs } } : {}),
      }
      return { row, version: stored.version, result: { id, text, name, role } }
    })
  }

  /** Ends a key, whatever texts it has, at once here and within a second in other processes. False
   *  when there is no such key. Rejects where the store does not take it: then it is not revoked, and whoever asked must
   *  know. */
  async revoke(id: string): Promise<boolean> {
    const { clock, rows } = this.#dependencies
    if ((await rows.get(KEYS, [id])) === undefined) return false
    return this.#change(async () => {
      const { row, version } = await this.#stored(id)
      if (row.revokedAtMs !== undefined) return { result: true }
      const { previous: _, ...kept } = row
      return { row: { ...kept, revokedAtMs: clock.wallMs() }, version, result: true }
    })
  }

  /** A page of all keys, also those that have ended; the oldest first. */
  list(after: string | undefined, limit: number): Promise<KeyRow[]> {
    return readKeys(this.#dependencies.rows, after, limit)
  }

  stateOf(row: KeyRow): 'active' | 'expired' | 'revoked' | 'orphaned' {
    const { clock, pepper } = this.#dependencies
    if (row.revokedAtMs !== undefined) return 'revoked'
    if (hasEnded(row, clock.wallMs())) return 'expired'
    return row.pepper === pepper.id ? 'active' : 'orphaned'
  }

  /** Takes over what other processes have changed: one read when that is nothing. */
  refresh(): Promise<void> {
    return this.#inTurn(() => this.#catchUp()).then(() => {})
  }

  /** Refreshes every `POLL_MS` until the function returned is called. While the store does not
   *  answer, the keys known last are in force; the first failure of a row is told. */
  follow(onFailure: (cause: unknown) => void): () => void {
    let failing = false
    let timer: Timer | undefined
    let stopped = false
    const wait = (): void => {
      timer = stopped ? undefined : this.#dependencies.clock.after(POLL_MS, poll)
    }
    const poll = (): void => {
      this.refresh()
        .then(
          () => (failing = false),
          (cause: unknown) => {
            if (!failing && !stopped) onFailure(cause)
            failing = true
          },
        )
        .finally(wait)
    }
    wait()
    return () => {
      stopped = true
      timer?.cancel()
    }
  }

  /** Makes one change of one key: rows first, then memory. Decides anew when another process was
   *  faster. Rejects with a `Fault` when the store does, with memory as it was: whether the change
   *  arrived after all, the next refresh finds out. */
  #change<T>(decide: () => Decision<T> | Promise<Decision<T>>): Promise<T> {
    const { rows } = this.#dependencies
    return this.#inTurn(async () => {
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const state = await this.#catchUp()
        const { row, version = 0, result } = await decide()
        if (row === undefined) return result
        if (!(await commitKey(rows, state, row, version))) continue
        this.#admit(row)
        this.#revision = state.revision + 1
        return result
      }
      throw fault('store_unavailable', { reason: 'other processes change keys without a pause' })
    })
  }

  /** One at a time: memory follows the rows in their order. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(task)
    this.#turn = done.catch(() => {})
    return done
  }

  async #catchUp(): ReturnType<typeof readState> {
    const { rows } = this.#dependencies
    const state = await readState(rows)
    if (state.revision === this.#revision) return state
    const changed = await changedSince(rows, this.#revision, state.revision)
    if (changed === undefined) await this.#loadAll()
    else for (const row of changed) this.#admit(row)
    this.#revision = state.revision
    return state
  }

  async #loadAll(): Promise<void> {
    const loaded: KeyRow[] = []
    for await (const row of allKeys(this.#dependencies.rows)) if (row.revokedAtMs === undefined) loaded.push(row)
    this.#byMac = new Map()
    this.#byId = new Map()
    this.#orphans = new Set()
    for (const row of loaded) this.#admit(row)
  }

  /** The row as it is now. Rows of keys are never removed. */
  async #stored(id: string): Promise<Stored<KeyRow>> {
    const stored = await this.#dependencies.rows.get(KEYS, [id])
    if (stored === undefined) throw fault('internal', { reason: `the row of the key ${id} is gone` })
    return stored
  }

  #admit(row: KeyRow): void {
    this.#forget(row.id)
    if (row.revokedAtMs !== undefined) return
    if (row.pepper !== this.#dependencies.pepper.id) return void this.#orphans.add(row.id)
    const { id, name, role, bindings, expiresAtMs: untilMs = Infinity, previous } = row
    const principal: Principal = Object.freeze({ id, name, role, bindings: frozen(bindings) })
    this.#byId.set(id, row)
    this.#byMac.set(row.mac, { principal, untilMs })
    if (previous !== undefined)
      this.#byMac.set(previous.mac, { principal, untilMs: Math.min(untilMs, previous.untilMs) })
  }

  #forget(id: string): void {
    this.#orphans.delete(id)
    const row = this.#byId.get(id)
    this.#byId.delete(id)
    for (const mac of [row?.mac, row?.previous?.mac]) {
      if (mac !== undefined && this.#byMac.get(mac)?.principal.id === id) this.#byMac.delete(mac)
    }
  }
}

const hasEnded = ({ revokedAtMs, expiresAtMs = Infinity }: KeyRow, nowMs: number): boolean =>
  revokedAtMs !== undefined || expiresAtMs <= nowMs
