import type { Clock } from '../base/clock.ts'
import type { EncodeColumns } from '../base/columns.ts'
import type { HttpClient } from '../base/http.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { ObjectiveConfig } from '../config/schema.ts'
import { alertRoutes } from '../control/alerts.ts'
import { objectiveRoutes } from '../control/objectives.ts'
import type { Route } from '../control/router.ts'
import { usageRoutes } from '../control/usage.ts'
import { Alerts } from '../meter/alerts/alerts.ts'
import { destinationsOf } from './destinations.ts'
import type { Destination } from '../meter/alerts/destination.ts'
import { Deliveries } from '../meter/alerts/deliveries.ts'
import { Silences } from '../meter/alerts/silences.ts'
import { AnomalyWatch } from '../meter/anomaly/watch.ts'
import type { Objective } from '../meter/objectives/objective.ts'
import { ObjectiveWatch } from '../meter/objectives/watch.ts'
import { UsageBook } from '../meter/usage-book.ts'
import type { Events } from '../store/events.ts'
import type { Queue } from '../store/queue.ts'
import type { Rows } from '../store/rows.ts'
import { openClient } from './models.ts'

/** What follows the journal in a house: the usage book, the watch for anomalies, and the alerts
 *  with their destinations, and the objectives. Any number of processes may do so on one store. */

export interface UsageWatchDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly store: { readonly rows: Rows; readonly events: Events; readonly queue: Queue }
  /** The configuration in force. */
  readonly loaded: () => LoadedConfig
}

export interface UsageWatch {
  readonly book: UsageBook
  /** For whoever else has something to raise. */
  readonly alerts: Alerts
  readonly silences: Silences
  /** The recall of one search of a collection, 0 to 1. */
  recalled(collection: string, recall: number): void
  readonly routes: readonly Route[]
  stop(): Promise<void>
}

/** The library is loaded when somebody wants a file. */
const parquet: EncodeColumns = async function* (columns, batches) {
  const { parquetOf } = await import('../drivers/parquet/columns.ts')
  yield* parquetOf(columns, batches)
}

export function watchUsage({ clock, random, log, store, loaded }: UsageWatchDependencies): UsageWatch {
  const { rows, events, queue } = store
  const book = new UsageBook({ clock, rows, events })
  const alerts = new Alerts({ clock, random, rows })
  const anomalies = new AnomalyWatch({ clock, random, rows, events, alerts })
  const objectives = new ObjectiveWatch({ clock, rows, events, alerts, objectives: () => objectivesOf(loaded()) })
  let client: Promise<HttpClient> | undefined
  const silences = new Silences({ clock, random, rows })
  const posting = { clock, client: () => (client ??= openClient()) }
  const destinations = (): Destination[] => destinationsOf(loaded(), posting)
  const deliveries = new Deliveries({ clock, random, rows, queue, log, silences, destinations })
  book.keepUp()
  anomalies.keepUp()
  deliveries.keepUp()
  objectives.keepUp()
  return {
    book,
    alerts,
    silences,
    recalled: (collection, recall) => objectives.counts.recalled(collection, recall),
    routes: [
      ...usageRoutes({ clock, book, parquet }),
      ...alertRoutes(alerts, deliveries),
      ...objectiveRoutes(objectives),
    ],
    async stop() {
      await Promise.all([book.stop(), anomalies.stop(), deliveries.stop(), objectives.stop()])
      await (await client)?.close()
    },
  }
}

const objectivesOf = ({ config }: LoadedConfig): Objective[] =>
  Object.entries(config.objectives).map(([name, one]) => ({
    name,
    what: one.what,
    limit: limitOf(one),
    share: one.share,
    windowDays: one.windowDays,
    match: one.match,
  }))

function limitOf(one: ObjectiveConfig): number {
  if ('underMs' in one) return one.underMs
  if ('underUsd' in one) return Number(one.underUsd)
  return 'atLeast' in one ? one.atLeast : 0
}
