import type { Clock } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import { Fault, reasonOf } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { LoadedConfig } from '../config/load.ts'
import { packConfig } from '../config/transfer.ts'
import { bindAddress, type BoundAddress } from '../drivers/http/bind.ts'
import type { Methods } from '../drivers/process/channel.ts'
import { Child } from '../drivers/process/child.ts'
import type { DeploymentStatus } from '../engine/health.ts'
import type { Beginning, GatewayFigures } from './gateway-child.ts'

/** Several gateways on one port, seen from the main process: it binds the port and accepts nothing on
 *  it, starts them, answers what they ask, starts one again that died, and ends them. */

export interface GatewaysParts {
  readonly entry: string
  readonly clock: Clock
  readonly log: Log
  readonly count: number
  /** `host:port` to share. */
  readonly listen: string
  readonly pepper: Uint8Array
  readonly innerSocket: string
  /** The configuration in force. */
  readonly loaded: () => LoadedConfig
  /** What they may ask: store, index. */
  readonly methods: Methods
  /** Where a gateway keeps its log. */
  readonly journal: (node: string) => string
  /** Closes what a gateway left open when it died. */
  readonly recover: (node: string) => Promise<number>
}

/** One of them, as the API shows it. */
export interface GatewayStatus {
  readonly node: string
  readonly pid: number | undefined
  readonly restarts: number
  readonly inFlight: number
  /** How the deployments fare, as it sees them. */
  readonly deployments: readonly DeploymentStatus[]
}

const HEAP_MB = 2048
const BEGIN_MS_MAX = 30_000
const CONFIGURE_MS_MAX = 30_000
const FIGURES_MS_MAX = 1000
const PURGE_MS_MAX = 5000
/** Whoever reads the journal then does without what it has not folded. */
const FOLD_MS_MAX = 2000
/** Beyond the grace for answers in flight: to record them and to close. */
const DRAIN_SPARE_MS = 5000
const RECOVER_PAUSE_MS = 1000

/** The names of gateways in processes of their own: one alone runs in the main process. */
export const gatewayNodes = (count: number): string[] =>
  count < 2 ? [] : Array.from({ length: count }, (_, at) => `gateway-${at + 1}`)

export class Gateways {
  readonly #shared: BoundAddress
  readonly #all: readonly Supervised[]

  private constructor(shared: BoundAddress, parts: GatewaysParts) {
    this.#shared = shared
    this.#all = gatewayNodes(parts.count).map((node) => new Supervised(node, shared.handle, parts))
  }

  /** Resolves once all of them answer. Rejects with a `Fault`: `port_in_use`, `address_invalid`, or
   *  what kept one from beginning. */
  static async open(parts: GatewaysParts): Promise<Gateways> {
    const gateways = new Gateways(await bindAddress(parts.listen), parts)
    try {
      await Promise.all(gateways.#all.map((one) => one.start()))
      return gateways
    } catch (cause) {
      await gateways.stop(0)
      throw cause
    }
  }

  /** Really bound, `host:port`. */
  get address(): string {
    return this.#shared.address
  }

  /** Resolves once the configuration in force is in force in all that run. */
  async configure(): Promise<void> {
    await Promise.all(this.#all.map((one) => one.configure()))
  }

  /** Forgets the cached answers of a model, or of all; resolves with how many there were. */
  async purgeCache(model: string | undefined): Promise<number> {
    const counts = await Promise.all(this.#all.map((one) => one.purgeCache(model)))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  /** Resolves when what all that run have acknowledged is in the database. */
  async fold(): Promise<void> {
    await Promise.all(this.#all.map((one) => one.fold()))
  }

  status(): Promise<GatewayStatus[]> {
    return Promise.all(this.#all.map((one) => one.status()))
  }

  /** Takes no new connection, lets answers in flight end for `drainMs`, ends the processes. */
  async stop(drainMs: number): Promise<void> {
    this.#shared.close()
    await Promise.all(this.#all.map((one) => one.stop(drainMs)))
  }
}

class Supervised {
  readonly #node: string
  readonly #parts: GatewaysParts
  readonly #child: Child
  readonly #stop = new AbortController()
  #restarts = 0
  /** Of the process that runs or is starting; undefined while it is dead. */
  #begun: Promise<void> | undefined
  /** It has begun and lives. */
  #isUp = false

  constructor(node: string, handle: unknown, parts: GatewaysParts) {
    const { entry, clock, log, methods } = parts
    this.#node = node
    this.#parts = parts
    this.#child = new Child({
      entry,
      role: 'gateway',
      name: node,
      heapMb: HEAP_MB,
      clock,
      log,
      methods,
      prepare: (call) => call('begin', this.#beginning(), { handle, timeoutMs: BEGIN_MS_MAX }),
      onDeath: (_, quiet) => void this.#revive(quiet),
    })
  }

  start(): Promise<void> {
    this.#begun = this.#child.start().then(() => void (this.#isUp = true))
    return this.#begun
  }

  async configure(): Promise<void> {
    const { log, loaded } = this.#parts
    if (!(await this.#runs())) return // Its start will read what is in force then.
    try {
      await this.#child.call('configure', packConfig(loaded()), { timeoutMs: CONFIGURE_MS_MAX })
    } catch (thrown) {
      if (thrown instanceof Fault && thrown.code === 'child_died') return
      log.write('error', 'a gateway did not take over the configuration', {
        node: this.#node,
        reason: reasonOf(thrown),
      })
      this.#child.kill('it works with a former configuration')
    }
  }

  /** One that does not run has nothing to forget. */
  async purgeCache(model: string | undefined): Promise<number> {
    if (!(await this.#runs())) return 0
    try {
      return await this.#child.call<number>('purgeCache', model, { timeoutMs: PURGE_MS_MAX })
    } catch (thrown) {
      if (thrown instanceof Fault && thrown.code === 'child_died') return 0
      throw thrown
    }
  }

  /** What one leaves that dies meanwhile is taken in when it is recovered. */
  async fold(): Promise<void> {
    if (this.#isUp) await this.#child.call('foldJournal', undefined, { timeoutMs: FOLD_MS_MAX }).catch(() => {})
  }

  async status(): Promise<GatewayStatus> {
    const figures = (await this.#runs())
      ? await this.#child
          .call<GatewayFigures>('figures', undefined, { timeoutMs: FIGURES_MS_MAX })
          .catch(() => undefined)
      : undefined
    const { inFlight = 0, deployments = [] } = figures ?? {}
    return { node: this.#node, pid: this.#child.pid, restarts: this.#restarts, inFlight, deployments }
  }

  async stop(drainMs: number): Promise<void> {
    this.#stop.abort()
    if (this.#isUp)
      // One that is just starting has nothing in flight.
      await this.#child.call('drain', drainMs, { timeoutMs: drainMs + DRAIN_SPARE_MS }).catch(() => {})
    await this.#child.stop()
  }

  /** Whether there is a process that can be asked. Asking a dead one would start it too soon. */
  async #runs(): Promise<boolean> {
    const begun = this.#begun
    if (begun === undefined) return false
    await begun.catch(() => {})
    return this.#begun === begun
  }

  #beginning(): Beginning {
    const { loaded, pepper, innerSocket, journal } = this.#parts
    return { node: this.#node, config: packConfig(loaded()), pepper, innerSocket, journal: journal(this.#node) }
  }

  /** What the dead one left open is closed before the next one takes its name. */
  async #revive(quiet: Promise<void>): Promise<void> {
    this.#begun = undefined
    this.#isUp = false
    await quiet
    await this.#recover()
    if (this.#stop.signal.aborted) return
    this.#restarts++
    await this.start().catch(() => {}) // That it died again is told as any death.
  }

  async #recover(): Promise<void> {
    const { clock, log, recover } = this.#parts
    for (let failures = 0; !this.#stop.signal.aborted; failures++) {
      try {
        const requests = await recover(this.#node)
        if (requests > 0)
          log.write('warn', 'requests interrupted by the end of a gateway were closed', { node: this.#node, requests })
        return
      } catch (thrown) {
        if (failures === 0)
          log.write('error', 'what a gateway left open cannot be closed yet', {
            node: this.#node,
            reason: reasonOf(thrown),
          })
        await sleep(clock, RECOVER_PAUSE_MS, this.#stop.signal)
      }
    }
  }
}
