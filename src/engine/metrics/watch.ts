import type { Clock, Timer } from '../../base/clock.ts'
import { reasonOf } from '../../base/errors.ts'
import type { Exchange, Headers, HttpClient } from '../../base/http.ts'
import type { DeploymentHealth } from '../health.ts'
import { signalsOf } from './signals.ts'

/** Reads the metrics of engines every so often, for as long as it is open. A page that is late, too large or
 *  no page at all changes nothing: what was read before is believed until it is stale, and then our own
 *  books alone. */

export interface WatchedEngine {
  readonly name: string
  readonly url: string
  readonly headers: Headers
  readonly intervalMs: number
  readonly deployments: readonly { readonly model: string; readonly health: Pick<DeploymentHealth, 'report'> }[]
}

export interface WatchDependencies {
  readonly clock: Clock
  readonly client: HttpClient
  /** One cannot be read, or can be read again; told when it turns. */
  readonly onTurn?: (engine: string, reason: string | undefined) => void
}

const PAGE_BYTES_MAX = 4 * 2 ** 20
/** So many readings may be missed. */
const STALE_AFTER_INTERVALS = 3

export class MetricsWatch {
  readonly #readers: readonly Reader[]

  constructor(dependencies: WatchDependencies, engines: readonly WatchedEngine[]) {
    this.#readers = engines.map((engine) => new Reader(dependencies, engine))
  }

  start(): void {
    for (const reader of this.#readers) reader.read()
  }

  close(): void {
    for (const reader of this.#readers) reader.close()
  }
}

class Reader {
  readonly #dependencies: WatchDependencies
  readonly #engine: WatchedEngine
  #exchange: Exchange | undefined
  #timer: Timer | undefined
  #reading = 0
  #isLost = false

  constructor(dependencies: WatchDependencies, engine: WatchedEngine) {
    this.#dependencies = dependencies
    this.#engine = engine
  }

  /** Never two at once: what is not there by the next is given up. */
  read(): void {
    const { clock, client } = this.#dependencies
    const { url, headers, intervalMs } = this.#engine
    const reading = ++this.#reading
    const isCurrent = (): boolean => reading === this.#reading
    this.#timer = clock.after(intervalMs, () => {
      if (this.#exchange !== undefined) this.#lost(`it did not answer within ${intervalMs} ms`)
      this.read()
    })
    let status = 0
    let bytes = 0
    const pieces: Uint8Array[] = []
    const request = {
      method: 'GET',
      url,
      headers: { ...headers, accept: 'text/plain' },
      connectTimeoutMs: intervalMs,
    } as const
    this.#exchange = client.start(request, {
      head: (code) => (status = code),
      data: (piece) => {
        bytes += piece.length
        if (!isCurrent()) return
        if (bytes > PAGE_BYTES_MAX) this.#lost(`its page is larger than ${PAGE_BYTES_MAX} bytes`)
        else pieces.push(piece)
      },
      end: () => {
        if (!isCurrent() || this.#exchange === undefined) return
        if (status === 200) this.#tell(Buffer.concat(pieces).toString('utf8'))
        else this.#lost(`it answered ${status}`)
      },
      fail: (cause) => isCurrent() && this.#exchange !== undefined && this.#lost(reasonOf(cause)),
    })
  }

  close(): void {
    this.#reading++
    this.#timer?.cancel()
    this.#exchange?.abort()
    this.#exchange = undefined
  }

  #tell(page: string): void {
    this.#exchange = undefined
    const { name, deployments, intervalMs } = this.#engine
    for (const { model, health } of deployments)
      health.report({ ...signalsOf(page, model) }, STALE_AFTER_INTERVALS * intervalMs)
    if (this.#isLost) this.#dependencies.onTurn?.(name, undefined)
    this.#isLost = false
  }

  #lost(reason: string): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    exchange?.abort()
    if (!this.#isLost) this.#dependencies.onTurn?.(this.#engine.name, reason)
    this.#isLost = true
  }
}
