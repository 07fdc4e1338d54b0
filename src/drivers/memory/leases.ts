import type { Clock } from '../../base/clock.ts'
import { checkDuration, checkName } from '../../store/bounds.ts'
import type { Lease, Leases } from '../../store/leases.ts'

/** Leases in a map; a released one stays with an expiry in the past, for its epoch. */
export class MemoryLeases implements Leases {
  readonly #clock: Clock
  readonly #granted = new Map<string, Lease>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async acquire(name: string, holder: string, durationMs: number): Promise<Lease | undefined> {
    checkName('the name of a lease', name)
    checkName('the holder of a lease', holder)
    checkDuration('a lease', durationMs, 1)
    const present = this.#held(name)
    if (present !== undefined && present.holder !== holder) return undefined
    const epoch = (this.#granted.get(name)?.epoch ?? 0) + 1
    return this.#grant({ name, holder, epoch, expiresAtMs: this.#clock.wallMs() + durationMs })
  }

  async renew(lease: Lease, durationMs: number): Promise<Lease | undefined> {
    checkDuration('a lease', durationMs, 1)
    if (this.#held(lease.name)?.epoch !== lease.epoch) return undefined
    return this.#grant({ ...lease, expiresAtMs: this.#clock.wallMs() + durationMs })
  }

  async release(lease: Lease): Promise<boolean> {
    if (this.#held(lease.name)?.epoch !== lease.epoch) return false
    this.#grant({ ...lease, expiresAtMs: -Infinity })
    return true
  }

  async read(name: string): Promise<Lease | undefined> {
    checkName('the name of a lease', name)
    return this.#held(name)
  }

  #held(name: string): Lease | undefined {
    const lease = this.#granted.get(name)
    return lease !== undefined && lease.expiresAtMs > this.#clock.wallMs() ? lease : undefined
  }

  #grant(lease: Lease): Lease {
    this.#granted.set(lease.name, lease)
    return lease
  }
}
