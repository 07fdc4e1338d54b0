import { hash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { base32, newId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { put, scanAll, table, type Rows } from '../store/rows.ts'
import type { Principal, Role } from './principal.ts'

/** API keys. A key's text is shown once, when it is made; only its SHA-256 is stored. 160 random
 *  bits need no slow hash: there is nothing to guess. */

export interface KeyRow {
  readonly id: string
  readonly name: string
  readonly role: Role
  /** SHA-256 of the key's text, hexadecimal. */
  readonly hash: string
  /** The first characters of the text, to recognise it by. */
  readonly hint: string
  readonly createdAtMs: number
  readonly revokedAtMs?: number
}

export const KEYS = table<KeyRow>('keys')

const TEXT_PREFIX = 'hw_'
const HINT_LENGTH = 9
const TEXT_BYTES = 32

export interface NewKey {
  readonly id: string
  /** The only time it is seen. */
  readonly text: string
  readonly name: string
  readonly role: Role
}

export interface KeyringDependencies {
  readonly rows: Rows
  readonly clock: Clock
  readonly random: Random
}

export class Keyring {
  readonly #dependencies: KeyringDependencies
  readonly #byHash = new Map<string, Principal>()

  private constructor(dependencies: KeyringDependencies) {
    this.#dependencies = dependencies
  }

  /** Loads every key; looking one up is then a hash and a map. */
  static async open(dependencies: KeyringDependencies): Promise<Keyring> {
    const keyring = new Keyring(dependencies)
    for (const row of await keyring.list()) keyring.#admit(row)
    return keyring
  }

  get isEmpty(): boolean {
    return this.#byHash.size === 0
  }

  get hasAdmin(): boolean {
    return [...this.#byHash.values()].some(({ role }) => role === 'admin')
  }

  find(text: string): Principal | undefined {
    return this.#byHash.get(hashOf(text))
  }

  /** Makes a key; usable once this resolves. */
  create(name: string, role: Role): Promise<NewKey> {
    return this.adopt(this.#newText(), name, role)
  }

  /** Registers a key whose text was chosen outside (`HEADWORKS_ADMIN_KEY`). Harmless when it is
   *  known already. */
  async adopt(text: string, name: string, role: Role): Promise<NewKey> {
    const { clock, random, rows } = this.#dependencies
    const known = this.find(text)
    if (known !== undefined) return { ...known, text }
    const row: KeyRow = {
      id: newId('key', clock, random),
      name,
      role,
      hash: hashOf(text),
      hint: text.slice(0, HINT_LENGTH),
      createdAtMs: clock.wallMs(),
    }
    await rows.commit([put(KEYS, [row.id], row)])
    this.#admit(row)
    return { id: row.id, text, name, role }
  }

  /** A key that is stored nowhere and ends with this process. */
  lend(name: string, role: Role): string {
    const text = this.#newText()
    this.#byHash.set(hashOf(text), { id: 'lent', name, role })
    return text
  }

  /** False when there is no such key. Effective at once, also where it then cannot be written and
   *  rejects with a `Fault`: until a restart. */
  async revoke(id: string): Promise<boolean> {
    const { clock, rows } = this.#dependencies
    for (;;) {
      const stored = await rows.get(KEYS, [id])
      if (stored === undefined) return false
      const { row, version } = stored
      // The same text may have been adopted again since, under another id.
      if (this.#byHash.get(row.hash)?.id === id) this.#byHash.delete(row.hash)
      if (row.revokedAtMs !== undefined) return true
      if (await rows.commit([put(KEYS, [id], { ...row, revokedAtMs: clock.wallMs() }, version)])) return true
    }
  }

  async list(): Promise<KeyRow[]> {
    const { rows } = this.#dependencies
    const found: KeyRow[] = []
    for await (const { row } of scanAll(rows, KEYS)) found.push(row)
    return found
  }

  #newText(): string {
    return TEXT_PREFIX + base32(this.#dependencies.random.bytes(TEXT_BYTES))
  }

  #admit(row: KeyRow): void {
    if (row.revokedAtMs === undefined) this.#byHash.set(row.hash, { id: row.id, name: row.name, role: row.role })
  }
}

const hashOf = (text: string): string => hash('sha256', text, 'hex')
