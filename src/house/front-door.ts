import { systemClock as clock } from '../base/clock.ts'
import { refuse } from '../base/errors.ts'
import { type Handler } from '../base/http.ts'
import { newId } from '../base/ids.ts'
import type { JsonObject } from '../base/json.ts'
import { systemRandom as random } from '../base/random.ts'
import type { Batches } from '../batch/batches.ts'
import type { LoadedConfig } from '../config/load.ts'
import { auditRoutes } from '../control/audit.ts'
import { budgetRoutes } from '../control/budgets.ts'
import { burnDownRoutes } from '../control/burn-down.ts'
import { cacheRoutes } from '../control/cache.ts'
import { contentRoutes } from '../control/content.ts'
import { keyRoutes } from '../control/keys.ts'
import { isOfTelemetry } from '../control/otlp.ts'
import { promptRoutes } from '../control/prompts.ts'
import { controlPlane, type Route } from '../control/router.ts'
import { sessionRoutes } from '../control/session.ts'
import { silenceRoutes } from '../control/silences.ts'
import { statusRoutes } from '../control/status.ts'
import { isKeptHere } from '../control/vector-stores.ts'
import { openAssets } from '../drivers/http/assets.ts'
import { sendProblem } from '../gateway/respond.ts'
import { Audit } from '../guard/audit.ts'
import { authenticate } from '../guard/authenticate.ts'
import type { Keyring } from '../guard/keyring.ts'
import type { Sessions } from '../guard/sessions.ts'
import { Prompts } from '../prompt/prompts.ts'
import type { HouseContent } from './content.ts'
import { keptRoutes } from './files.ts'
import type { HouseGateway } from './gateway.ts'
import type { Library } from './library.ts'
import { absentRole, type Roles, withinRoles } from './process-roles.ts'
import { retrievalRoutes } from './retrieval-routes.ts'
import { type HouseStore } from './store.ts'
import { type HouseTelemetry } from './telemetry.ts'
import type { watchUsage } from './watch-usage.ts'

/** The one handler of a house: what each path leads to, and what administrators may do. */
export interface HouseRooms {
  readonly keyring: Keyring
  readonly sessions: Sessions
  readonly gateway: HouseGateway
  readonly library: Library
  readonly store: HouseStore
  readonly batches: Batches
  readonly telemetry: HouseTelemetry
  readonly content: HouseContent
  readonly usage: ReturnType<typeof watchUsage>
  readonly roles: Roles
  readonly version: string
  readonly consoleFolder: string
  readonly startedAtMs: number
  readonly loaded: () => LoadedConfig
  readonly isReady: () => boolean
  /** What is in flight, in all processes. */
  readonly figures: () => Promise<JsonObject>
  /** Where a browser on this machine finds the console. */
  readonly consoleUrl: () => string | undefined
  /** Of the other gateway processes. */
  readonly purgeOthers: (model: string | undefined) => Promise<number>
}

/** What the control plane answers; every other path is the console's. */
const CONTROL = /^\/(?:api\/|v1\/|(?:login|healthz|readyz|metrics)(?:\?|$))/

export function frontDoor(rooms: HouseRooms): Handler {
  const { keyring, sessions, gateway, library, store, batches, telemetry, content, usage, roles } = rooms
  const { version, consoleFolder, startedAtMs, loaded, isReady, figures, consoleUrl, purgeOthers } = rooms
  const audit = new Audit({ events: store.events, clock, random })
  const routes: Route[] = [
    ...keyRoutes({ keyring, sessions, audit, nowMs: () => clock.wallMs() }),
    ...budgetRoutes({ accounting: gateway.accounting, rows: store.rows, audit, clock, random }),
    ...burnDownRoutes({ accounting: gateway.accounting, rows: store.rows, clock, book: usage.book }),
    ...auditRoutes(audit),
    ...promptRoutes({
      prompts: new Prompts({ rows: store.rows, clock }),
      audit,
      isProtected: (label) => loaded().config.prompts.protected.includes(label),
    }),
    ...cacheRoutes({
      audit,
      purge: async (model) => gateway.purgeCache(model) + (await purgeOthers(model)),
    }),
    ...sessionRoutes({ keyring, sessions, consoleUrl }),
    ...telemetry.routes,
    ...contentRoutes({ content, audit, events: store.events }),
    ...usage.routes,
    ...silenceRoutes({ silences: usage.silences, audit, clock }),
    ...keptRoutes(store, library, batches, audit),
    ...retrievalRoutes({
      library,
      rows: store.rows,
      audit,
      ownerOf: (collection) => loaded().config.collections[collection]?.tenant,
      gateway,
    }),
  ]
  const status = statusRoutes({
    version: version,
    startedAtMs: startedAtMs,
    isReady,
    figures: async () => ({
      ...(await figures()),
      damage: await library.damage(),
      embeddingCache: { ...library.embeddingCache },
    }),
    routes,
  })
  const control = controlPlane({
    routes: [...status, ...routes].map((route) => withinRoles(roles, route)),
    authenticate: (request) => authenticate(request, keyring, sessions),
    newRequestId: () => newId('req', clock, random),
  })
  const assets = openAssets(consoleFolder)
  return (request, reply) => {
    if (isOfTelemetry(request.target)) return telemetry.intake(request, reply)
    const absent = absentRole(roles, request)
    if (absent !== undefined)
      return sendProblem(reply, newId('req', clock, random), refuse('role_absent', { role: absent }))
    if (request.target.startsWith('/v1/') && !isKeptHere(request.target)) return gateway.handle(request, reply)
    if (CONTROL.test(request.target) || (request.method !== 'GET' && request.method !== 'HEAD'))
      return control(request, reply)
    const asset = assets(request.target, request.headers)
    if (asset === undefined) return control(request, reply)
    reply.head(asset.status, asset.headers)
    reply.end(request.method === 'HEAD' ? undefined : asset.bytes)
  }
}
