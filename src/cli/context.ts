import type { ApiClient } from '../base/api.ts'
import type { Clock } from '../base/clock.ts'
import type { Refusal } from '../base/errors.ts'
import type { Environment, LoadedConfig } from '../config/load.ts'
import type { PriceCatalogue } from '../meter/catalogue.ts'
import type { Probes } from './checks.ts'
import type { House, HouseOptions } from './house.ts'

/** Everything the commands need from outside; the room `house` supplies it. */
export interface CliContext {
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Environment
  readonly cwd: string
  readonly clock: Clock
  /** Of Headworks, from package.json. */
  readonly version: string
  /** Reads and checks the configuration of this folder and environment. */
  loadConfig(): Promise<LoadedConfig | Refusal>
  /** The list prices and the operator's own over them. */
  loadPrices(loaded: LoadedConfig): Promise<PriceCatalogue | Refusal>
  /** The running house over its control socket, or one started in this process without a TCP
   *  listener. Rejects with a `Fault` (`data_in_use`, `data_unusable`) or resolves to the refusal
   *  of the configuration. Whatever it started ends with the process. */
  connect(): Promise<ApiClient | Refusal>
  /** Starts the house with its listener. Rejects with a `Fault` (`port_in_use`, ...). */
  startHouse(options: HouseOptions): Promise<House | Refusal>
  /** Saves a file whole or not at all, in place of one that was there; a relative path starts at
   *  `cwd`. Resolves to its bytes. Rejects with the error of the system. */
  saveFile(path: string, pieces: AsyncIterable<Uint8Array>): Promise<number>
  /** What `doctor` looks at. */
  readonly probes: Probes
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly stopped: AbortSignal
}

export interface Output {
  write(text: string): void
  readonly isTerminal: boolean
  /** Width in characters; of no meaning where it is no terminal. */
  readonly columns: number
}
