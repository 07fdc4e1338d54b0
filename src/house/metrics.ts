import { revealed } from '../config/references.ts'
import { urlOf } from '../config/providers.ts'
import type { Config } from '../config/schema.ts'
import type { Secrets } from '../config/secret.ts'
import type { WatchedEngine } from '../engine/metrics/watch.ts'
import type { Catalogue } from '../gateway/catalogue.ts'

/** How often a page is read. */
const METRICS_MS = 1_000

/** The engines whose metrics are read, with the deployments that they run. */
export function watchedEngines(config: Config, secrets: Secrets, catalogue: Catalogue): WatchedEngine[] {
  const all = catalogue
    .values()
    .flatMap(({ deployments }) => deployments)
    .toArray()
  return Object.entries(config.engines).flatMap(([name, engine]) => {
    if (engine.kind !== 'openai' || engine.metrics === undefined) return []
    const url = engine.metrics
    const secret = engine.key === undefined ? undefined : secrets.get(engine.key)
    const headers = Object.entries(engine.headers ?? {}).map(([header, value]) => [header, revealed(value, secrets)])
    const deployments = all.flatMap(({ engine: { name: of }, model, health }) =>
      of === name && health !== undefined ? [{ model, health }] : [],
    )
    // Secrets go where they were meant to go.
    const isItself = new URL(url).origin === URL.parse(urlOf(engine) ?? '')?.origin
    const authorization = secret === undefined ? {} : { authorization: `Bearer ${secret.reveal()}` }
    const own = isItself ? { ...Object.fromEntries(headers), ...authorization } : {}
    return deployments.length === 0 ? [] : [{ name, url, headers: own, intervalMs: METRICS_MS, deployments }]
  })
}
