import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../base/clock.ts'
import { checkDuration, checkName } from '../../store/bounds.ts'
import type { Lease, Leases } from '../../store/leases.ts'
import type { CallsOf, StoreCaller } from './protocol.ts'

/** When a lease ends that was released. */
const RELEASED_MS = 0

/** Leases, from the thread that asks. */
export class SqliteLeases implements Leases {
  readonly #store: StoreCaller
  readonly #clock: Clock

  constructor(store: StoreCaller, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  async acquire(name: string, holder: string, durationMs: number): Promise<Lease | undefined> {
    checkName('the name of a lease', name)
    checkName('the holder of a lease', holder)
    checkDuration('a lease', durationMs, 1)
    const nowMs = this.#clock.wallMs()
    const expiresAtMs = nowMs + durationMs
    const epoch = await this.#store.call('leases.acquire', name, holder, nowMs, expiresAtMs)
    return epoch === 0 ? undefined : { name, holder, epoch, expiresAtMs }
  }

  async renew(lease: Lease, durationMs: number): Promise<Lease | undefined> {
    checkDuration('a lease', durationMs, 1)
    const nowMs = this.#clock.wallMs()
    const expiresAtMs = nowMs + durationMs
    const held = await this.#store.call('leases.renew', lease.name, lease.epoch, nowMs, expiresAtMs)
    return held ? { ...lease, expiresAtMs } : undefined
  }

  release(lease: Lease): Promise<boolean> {
    return this.#store.call('leases.renew', lease.name, lease.epoch, this.#clock.wallMs(), RELEASED_MS)
  }

  async read(name: string): Promise<Lease | undefined> {
    checkName('the name of a lease', name)
    const [holder, epoch, expiresAtMs] = await this.#store.call('leases.read', name, this.#clock.wallMs())
    return holder === undefined
      ? undefined
      : { name, holder: holder as string, epoch: epoch as number, expiresAtMs: expiresAtMs as number }
  }
}

/** Leases, inside the store's thread. A row stays after its release, for the epoch. */
export function leasesCalls(db: DatabaseSync): CallsOf<'leases'> {
  const acquire = db.prepare(`
    INSERT INTO leases (name, holder, epoch, expires_at_ms) VALUES (?1, ?2, 1, ?4)
    ON CONFLICT (name) DO UPDATE SET holder = ?2, epoch = epoch + 1, expires_at_ms = ?4 WHERE holder = ?2 OR expires_at_ms <= ?3
    RETURNING epoch`)
  const renew = db.prepare('UPDATE leases SET expires_at_ms = ?4 WHERE name = ?1 AND epoch = ?2 AND expires_at_ms > ?3')
  const read = db.prepare('SELECT holder, epoch, expires_at_ms FROM leases WHERE name = ? AND expires_at_ms > ?')

  return {
    'leases.acquire': (name, holder, nowMs, expiresAtMs) =>
      Number(acquire.get(name, holder, nowMs, expiresAtMs)?.['epoch'] ?? 0),
    'leases.renew': (name, epoch, nowMs, expiresAtMs) => renew.run(name, epoch, nowMs, expiresAtMs).changes === 1,
    'leases.read'(name, nowMs) {
      const row = read.get(name, nowMs)
      return row === undefined ? [] : [row['holder'] as string, row['epoch'] as number, row['expires_at_ms'] as number]
    },
  }
}
