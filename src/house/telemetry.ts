import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock as clock } from '../base/clock.ts'
import type { EncodeColumns } from '../base/columns.ts'
import { reasonOf, type Refusal } from '../base/errors.ts'
import type { Handler, Request } from '../base/http.ts'
import type { Log } from '../base/log.ts'
import type { LoadedConfig } from '../config/load.ts'
import { metricsRoutes } from '../control/metrics.ts'
import { otlpHandler } from '../control/otlp.ts'
import type { Route } from '../control/router.ts'
import { telemetryRoutes } from '../control/telemetry.ts'
import { traceRoutes } from '../control/traces.ts'
import type { Principal } from '../guard/principal.ts'
import type { Events } from '../store/events.ts'
import type { Rows } from '../store/rows.ts'
import { inPackage } from './package.ts'
import { Telemetry } from './telemetry-store.ts'

/** The telemetry of a house: where it lies, who may send, and what can be asked of it. */

export interface HouseTelemetry {
  /** Begins at once rather than with the first question. */
  begin(): void
  /** `/v1/traces`, `/v1/logs`, `/v1/metrics`. */
  readonly intake: Handler
  readonly routes: readonly Route[]
  close(): Promise<void>
}

export interface HouseTelemetryParts {
  readonly loaded: LoadedConfig
  /** The store's database. */
  readonly journal: string
  readonly store: { readonly events: Events; readonly rows: Rows }
  readonly log: Log
  readonly authenticate: (request: Request) => Principal | Refusal
  readonly newRequestId: () => string
}

const parquet: EncodeColumns = async function* (columns, batches) {
  const { parquetOf } = await import('../drivers/parquet/columns.ts')
  yield* parquetOf(columns, batches)
}

export async function openHouseTelemetry(parts: HouseTelemetryParts): Promise<HouseTelemetry> {
  const { loaded, journal, store, log, authenticate, newRequestId } = parts
  const { data, telemetry: wanted } = loaded.config
  const path = inPackage('catalogue/prices.json')
  const { share, slowMs, usd } = wanted.sampling
  const telemetry = new Telemetry({
    folder: join(data, 'telemetry'),
    journal,
    prices: { shipped: { path, bytes: await readFile(path) }, own: loaded.prices },
    sampling: { share, slowMs, costNanoUsd: usd },
    keptDays: wanted.retentionDays,
    files: wanted.files,
    log,
  })
  return {
    begin: () =>
      void telemetry
        .open()
        .catch((thrown: unknown) => log.write('error', 'the telemetry does not begin', { reason: reasonOf(thrown) })),
    intake: otlpHandler({ store: telemetry, authenticate, newRequestId }),
    routes: [
      ...traceRoutes({ ...store, telemetry }),
      ...telemetryRoutes({ clock, events: store.events, telemetry, parquet }),
      ...metricsRoutes(telemetry),
    ],
    close: () => telemetry.close(),
  }
}
