import type { ApiClient } from '../base/api.ts'

/** The running process as `up` presents it. The room `house` makes one. */
export interface House {
  /** What it really listens on: `127.0.0.1:4750`. */
  readonly address: string
  /** Over the control socket. */
  readonly control: ApiClient
  /** Over TCP, as any application would, with a key of its own that ends with the process. */
  readonly network: ApiClient
  /** Takes no new work, lets what is in flight end, closes everything. */
  stop(): Promise<void>
}

/** What a process does: answers `/v1`; reads documents; answers `/api`, the vector stores and the console. */
export const PROCESS_ROLES = ['gateway', 'ingest', 'control'] as const
export type ProcessRole = (typeof PROCESS_ROLES)[number]

export interface HouseOptions {
  /** Absent: all. */
  readonly roles?: readonly ProcessRole[]
  /** Processes that share the port, over what the configuration says. */
  readonly gateways?: number
  /** Called in the order things happen. */
  readonly onEvent: (event: HouseEvent) => void
}

export type HouseEvent =
  /** The data folder is ours and open. `created`: this is its first start. */
  | { readonly step: 'opened'; readonly data: string; readonly created: boolean }
  /** Where there is no admin key yet and HEADWORKS_ADMIN_KEY gave none: the first start, as a rule. */
  | { readonly step: 'admin_key'; readonly key: string }
  | { readonly step: 'ingest'; readonly progress: IngestProgress }
  /** `gateways`: how many processes answer there. */
  | {
      readonly step: 'listening'
      readonly address: string
      readonly afterMs: number
      readonly gateways: number
      /** HTTPS is spoken. */
      readonly isSecure?: boolean
    }
  | { readonly step: 'reloaded'; readonly applied: readonly string[]; readonly needsRestart: readonly string[] }
  /** The changed file is not valid; the configuration in force stays. */
  | { readonly step: 'reload_refused'; readonly reason: string }

/** As `GET /api/ingests/{run}` answers. */
export interface IngestProgress {
  readonly run: string
  readonly state: string
  readonly collection: string
  readonly path: string
  readonly files: {
    readonly found: number
    readonly read: number
    readonly unchanged: number
    readonly removed: number
    readonly skipped: number
    /** Pictures, archives and the like, by their names. */
    readonly ignored?: number
  }
  readonly bytes: number
  readonly chunks: number
  readonly documents: number
  /** Absent or null while it runs. */
  readonly endedAt?: string | null
  /** Why it failed. */
  readonly problem?: { readonly code: string; readonly message: string }
  readonly skipped: readonly { readonly uri: string; readonly code: string; readonly message: string }[]
}
