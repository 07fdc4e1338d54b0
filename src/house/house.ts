import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Batches } from '../batch/batches.ts'
import type { ApiClient } from '../base/api.ts'
import { systemClock as clock } from '../base/clock.ts'
import { type Problem, reasonOf, Refusal, refuse, sentenceOf, toProblem } from '../base/errors.ts'
import { reachable, type Handler, type HttpServer } from '../base/http.ts'
import { newId } from '../base/ids.ts'
import type { JsonObject } from '../base/json.ts'
import { jsonLog, type Log } from '../base/log.ts'
import { Prompts } from '../prompt/prompts.ts'
import { readPromptFolder } from './prompts.ts'
import { systemRandom as random } from '../base/random.ts'
import { Analyzer } from '../base/words.ts'
import { type House, type HouseEvent, PROCESS_ROLES, type ProcessRole } from '../cli/house.ts'
import type { LoadedConfig } from '../config/load.ts'
import { Secret } from '../config/secret.ts'
import { applyReload, planReload } from '../config/reload.ts'
import { auditRoutes } from '../control/audit.ts'
import { budgetRoutes } from '../control/budgets.ts'
import { burnDownRoutes } from '../control/burn-down.ts'
import { cacheRoutes } from '../control/cache.ts'
import { keyRoutes } from '../control/keys.ts'
import { promptRoutes } from '../control/prompts.ts'
import { controlPlane, type Route } from '../control/router.ts'
import { sessionRoutes } from '../control/session.ts'
import { statusRoutes } from '../control/status.ts'
import { isOfTelemetry } from '../control/otlp.ts'
import { isKeptHere } from '../control/vector-stores.ts'
import { openBlobs } from '../drivers/filesystem/blobs.ts'
import { type Hold, holdFolder } from '../drivers/filesystem/lock.ts'
import { keepPepper } from '../drivers/filesystem/pepper.ts'
import { type FileWatch, watchFile } from '../drivers/filesystem/watch.ts'
import { HttpApiClient } from '../drivers/http/api-client.ts'
import { openAssets } from '../drivers/http/assets.ts'
import type { Listener } from '../drivers/http/listener.ts'
import { openListener } from '../drivers/http/servers.ts'
import { sendProblem } from '../gateway/respond.ts'
import { Audit } from '../guard/audit.ts'
import { authenticate } from '../guard/authenticate.ts'
import { Keyring } from '../guard/keyring.ts'
import { Pepper, PEPPER_BYTES } from '../guard/secret.ts'
import { Sessions } from '../guard/sessions.ts'
import type { IndexQuery } from '../store/index.ts'
import { keptRoutes, openBatches, openFiles, tendFiles } from './files.ts'
import { HouseGateway } from './gateway.ts'
import { gatewayNodes, Gateways, type GatewayStatus } from './gateways.ts'
import { KeptAnswers } from '../gateway/replay/kept-answers.ts'
import { Library } from './library.ts'
import type { LoadPrices } from './prices.ts'
import { absentRole, type Roles, withinRoles } from './process-roles.ts'
import { retrievalRoutes } from './retrieval-routes.ts'
import { type HouseStore, journalPath, openStore } from './store.ts'
import type { LoadTokenizers } from './tokenizers.ts'
import { type HouseTelemetry, openHouseTelemetry } from './telemetry.ts'
import { keepUp } from './upkeep.ts'
import { vectorsFor } from './vectors.ts'
import { type UsageWatch, watchUsage } from './watch-usage.ts'

/** Puts the parts together into the running process: store, keys, engines, gateway and control
 *  plane, on a control socket and, unless told otherwise, on TCP. */

export interface HouseParts {
  readonly version: string
  /** This program, for its child processes. */
  readonly entry: string
  /** The built console. */
  readonly consoleFolder: string
  readonly loaded: LoadedConfig
  readonly reload: () => Promise<LoadedConfig | Refusal>
  readonly loadPrices: LoadPrices
  readonly loadTokenizers: LoadTokenizers
  /** Absent: all. */
  readonly roles?: readonly ProcessRole[]
  /** False: only the control socket, and nothing is read by itself. */
  readonly listen: boolean
  readonly onEvent: (event: HouseEvent) => void
  /** Aborted when the process is asked to stop: opening then waits for nothing more. */
  readonly stopped: AbortSignal
  readonly writeLog: (line: string) => void
}

export const controlSocket = (data: string): string => join(data, 'control.sock')
/** Where gateways in processes of their own pass on what they do not answer. Unlike the control
 *  socket it trusts nobody: what comes from there is the network's. */
const innerSocket = (data: string): string => join(data, 'inner.sock')

/** A socket that is listened on instead of a port asks for keys like a port. */
const PUBLIC_MODE = 0o666

/** What the gateway of the main process is called. */
const MAIN_NODE = 'gateway-0'

export async function openHouse(parts: HouseParts): Promise<House> {
  const house = new RunningHouse(parts)
  try {
    await house.open()
  } catch (cause) {
    await house.stop()
    throw cause
  }
  return house
}

class RunningHouse implements House {
  address = ''
  readonly #parts: HouseParts
  readonly #log: Log
  #loaded: LoadedConfig
  #hold: Hold | undefined
  #store: HouseStore | undefined
  #library: Library | undefined
  #gateway: HouseGateway | undefined
  #batches: Batches | undefined
  /** Where there are several. */
  #gateways: Gateways | undefined
  #usage: UsageWatch | undefined
  #telemetry: HouseTelemetry | undefined
  #endUpkeep: (() => Promise<void>) | undefined
  #servers: HttpServer[] = []
  #inner: HttpServer | undefined
  #watch: FileWatch | undefined
  #unfollow: (() => void) | undefined
  #ready = false
  /** Changes of the file take turns: each is compared with what the one before it left in force. */
  #reloading: Promise<void> = Promise.resolve()
  #stopping: Promise<void> | undefined
  #lentKey = new Secret('')
  readonly #roles: Roles
  readonly #startedAtMs = clock.wallMs()
  readonly #openedMs = clock.monotonicMs()

  constructor(parts: HouseParts) {
    this.#parts = parts
    this.#loaded = parts.loaded
    this.#roles = new Set(parts.roles ?? PROCESS_ROLES)
    // The level is read at every line, so that a reload changes it.
    this.#log = jsonLog(clock, () => this.#loaded.config.log.level, parts.writeLog)
  }

  get control(): ApiClient {
    return new HttpApiClient({ address: controlSocket(this.#loaded.config.data) })
  }

  get network(): ApiClient {
    // A certificate names a host, and this process would call itself by an address.
    if (this.#loaded.config.tls !== undefined) return this.control
    return new HttpApiClient({ address: this.address, key: this.#lentKey })
  }

  async open(): Promise<void> {
    const { config, adminKey } = this.#loaded
    const { onEvent, listen } = this.#parts
    this.#hold = holdFolder(config.data)
    const log = this.#log
    const journal = join(config.data, 'headworks.db')
    const store = (this.#store = await openStore(config.data, MAIN_NODE, log, async () => this.#gateways?.fold()))
    const pepper = keepPepper(config.data, PEPPER_BYTES, random)
    const keyring = await this.#openKeyring(store, pepper)
    onEvent({ step: 'opened', data: config.data, created: keyring.isEmpty })
    if (adminKey !== undefined) await keyring.adopt(adminKey.reveal(), 'admin of the environment', 'admin')
    this.#lentKey = new Secret(keyring.lend('this process', 'admin'))

    const analyzer = new Analyzer()
    const { entry } = this.#parts
    const blobs = await openBlobs({ folder: join(config.data, 'blobs'), sweep: true })
    const files = await openFiles({ store, blobs, loaded: () => this.#loaded })
    const library = (this.#library = await Library.open({
      data: config.data,
      reads: this.#roles.has('ingest'),
      vectors: vectorsFor(config.index, this.#loaded.secrets, config.data),
      isEmbedded: () => config.index.kind === 'embedded',
      entry,
      store,
      reading: config.ingest,
      secrets: () => this.#loaded.secrets,
      blobs,
      files,
      collections: () => this.#loaded.config.collections,
      analyzer,
      clock,
      random,
      log,
      forgetAnswers: (document) => new KeptAnswers(store.rows, clock).forgetNaming(document),
      onEvent,
    }))
    const sessions = new Sessions(clock, random)
    const gateway = (this.#gateway = await HouseGateway.open({
      node: MAIN_NODE,
      log,
      analyzer,
      store,
      search: library.search,
      explainNothing: (name) => library.explainNothing(name),
      authenticate: (request) => authenticate(request, keyring, sessions),
      loadPrices: this.#parts.loadPrices,
      loadTokenizers: this.#parts.loadTokenizers,
      loaded: this.#loaded,
    }))
    library.connect(gateway.ownCalls)
    const running = new Set([MAIN_NODE, ...gatewayNodes(config.gateways)])
    const left = await gateway.accounting.takeOver(running)
    if (left.length > 0)
      log.write('warn', 'what gateways held that run no more was posted and freed', { nodes: left.join(', ') })
    const interrupted = await gateway.recover()
    if (interrupted > 0)
      log.write('warn', 'requests interrupted by the last stop were closed', { requests: interrupted })

    const loaded = (): LoadedConfig => this.#loaded
    this.#batches = openBatches({ store, loaded, log, files, keyring, gateway })
    await this.#takePrompts(store)
    const telemetry = (this.#telemetry = await openHouseTelemetry({
      loaded: this.#loaded,
      journal,
      store,
      log,
      authenticate: (request) => authenticate(request, keyring, sessions),
      newRequestId: () => newId('req', clock, random),
    }))
    if (listen) telemetry.begin()
    const handler = this.#handler(keyring, sessions, gateway, library, store, { batches: this.#batches, telemetry })
    const listener = openListener(config.server, config.limits.bodyTimeoutMs)
    this.#servers.push(await listener.listen(controlSocket(config.data), handler))
    if (listen && config.gateways > 1 && this.#roles.has('gateway'))
      await this.#openGateways(handler, store, library, pepper)
    else if (listen) {
      const server = await this.#publicListener().listen(config.listen, handler, 'network')
      this.#servers.push(server)
      this.address = server.address
    }
    this.#ready = true
    if (!listen) return
    await this.#batches.resume()
    this.#unfollow = keyring.follow((cause) =>
      log.write('warn', 'changes of keys by other processes cannot be seen', { reason: reasonOf(cause) }),
    )
    // Once nothing can fail any more, and only where it will be seen.
    if (!keyring.hasAdmin) onEvent({ step: 'admin_key', key: (await keyring.create('admin', 'admin')).text })
    onEvent({
      step: 'listening',
      address: this.address,
      afterMs: clock.monotonicMs() - this.#openedMs,
      gateways: config.gateways,
      isSecure: config.tls !== undefined,
    })
    this.#watch = watchFile(this.#loaded.file, {
      clock,
      onChange: () => void (this.#reloading = this.#reloading.then(() => this.#reload())),
      onError: (reason) => log.write('warn', 'the configuration file cannot be watched', { reason }),
    })
    if (this.#roles.has('ingest')) await Promise.race([library.begin(config.collections), aborted(this.#parts.stopped)])
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#close()
    return this.#stopping
  }

  /** Every part is let go of, whatever the end of another comes to. */
  async #close(): Promise<void> {
    this.#ready = false
    this.#watch?.close()
    this.#unfollow?.()
    this.#gateway?.drain()
    const { drainMs } = this.#loaded.config.limits
    await this.#reloading
    await Promise.all([
      this.#end('ingest', () => this.#library?.stop()),
      this.#end('batches', () => this.#batches?.stop(drainMs)),
      ...this.#servers.map((server) => this.#end('server', () => server.drain(drainMs))),
      this.#end('gateways', () => this.#gateways?.stop(drainMs)),
    ])
    await this.#end('inner server', () => this.#inner?.drain(0))
    await this.#end('journal', () => this.#gateway?.flush())
    await this.#end('upkeep', () => this.#endUpkeep?.())
    await this.#end('usage', () => this.#usage?.stop())
    await this.#end('telemetry', () => this.#telemetry?.close())
    await this.#end('engines', () => this.#gateway?.close())
    await this.#end('index', () => this.#library?.close())
    await this.#end('store', () => this.#store?.close())
    this.#hold?.release()
  }

  async #end(what: string, end: () => Promise<unknown> | undefined): Promise<void> {
    try {
      await end()
    } catch (thrown) {
      this.#log.write('error', 'a part of the house did not end well', { what, reason: reasonOf(thrown) })
    }
  }

  async #openKeyring(store: HouseStore, pepper: Uint8Array): Promise<Keyring> {
    const keyring = await Keyring.open({ rows: store.rows, clock, random, pepper: new Pepper(pepper) })
    if (keyring.orphans > 0)
      this.#log.write(
        'warn',
        'the file `pepper` was replaced: keys made under the old one open nothing until rotated',
        {
          keys: keyring.orphans,
        },
      )
    return keyring
  }

  #publicListener(): Listener {
    const { server, limits, tls } = this.#loaded.config
    const certificate = tls === undefined ? {} : { tls }
    return openListener(server, limits.bodyTimeoutMs, { ...certificate, log: this.#log, socketMode: PUBLIC_MODE })
  }

  /** Several processes answer on the port; what they pass on arrives at a socket of their own. */
  async #openGateways(handler: Handler, store: HouseStore, library: Library, pepper: Uint8Array): Promise<void> {
    const { config } = this.#loaded
    const headers = { 'x-headworks-node': MAIN_NODE }
    const listener = openListener(config.server, config.limits.bodyTimeoutMs, { headers })
    this.#inner = await listener.listen(innerSocket(config.data), handler, 'network')
    this.#gateways = await Gateways.open({
      entry: this.#parts.entry,
      clock,
      log: this.#log,
      count: config.gateways,
      listen: config.listen,
      pepper,
      innerSocket: innerSocket(config.data),
      loaded: () => this.#loaded,
      methods: {
        store: store.answer,
        match: ({ collection, query }: { readonly collection: string; readonly query: IndexQuery }) =>
          library.match(collection, query),
        fold: ({ storage, space, question }: { readonly [name in 'storage' | 'space' | 'question']: string }) =>
          library.fold(storage, space, question),
        explainNothing: (collection: string) => library.explainNothing(collection),
      },
      journal: (node) => journalPath(config.data, node),
      recover: async (node) => {
        await store.takeIn(node)
        return (await this.#gateway?.recover(node)) ?? 0
      },
    })
    this.address = this.#gateways.address
  }

  /** What is in flight, in all processes, and the processes that answer on the port. */
  async #figures(gateway: HouseGateway): Promise<JsonObject> {
    const { inFlight: ownInFlight, deployments } = gateway
    const own = { node: MAIN_NODE, pid: process.pid, restarts: 0, inFlight: ownInFlight, deployments }
    const others = await this.#gateways?.status()
    const inFlight = (others ?? []).reduce((sum, one) => sum + one.inFlight, ownInFlight)
    return { inFlight, gateways: (others ?? [own]).map(gatewayJson) }
  }

  /** The tenant a collection belongs to. */
  readonly #ownerOf = (collection: string): string | undefined => this.#loaded.config.collections[collection]?.tenant

  /** Where a browser on this machine finds the console. */
  #consoleUrl(): string | undefined {
    return this.address === ''
      ? undefined
      : `${this.#loaded.config.tls === undefined ? 'http' : 'https'}://${reachable(this.address)}`
  }

  #handler(
    keyring: Keyring,
    sessions: Sessions,
    gateway: HouseGateway,
    library: Library,
    store: HouseStore,
    { batches, telemetry }: { readonly batches: Batches; readonly telemetry: HouseTelemetry },
  ): Handler {
    const usage = (this.#usage = watchUsage({ clock, random, log: this.#log, store, loaded: () => this.#loaded }))
    this.#endUpkeep = keepUp({
      clock,
      log: this.#log,
      rows: store.rows,
      alerts: usage.alerts,
      book: usage.book,
      declared: () => gateway.accounting.declared,
      settleDeletions: () => library.deletions.settleAll(),
      lookForDrift: () => library.lookForDrift(),
      sweepFiles: () => tendFiles(library, batches),
    })
    const audit = new Audit({ events: store.events, clock, random })
    const routes: Route[] = [
      ...keyRoutes({ keyring, sessions, audit, nowMs: () => clock.wallMs() }),
      ...budgetRoutes({ accounting: gateway.accounting, rows: store.rows, audit, clock, random }),
      ...burnDownRoutes({ accounting: gateway.accounting, rows: store.rows, clock, book: usage.book }),
      ...auditRoutes(audit),
      ...promptRoutes({
        prompts: new Prompts({ rows: store.rows, clock }),
        audit,
        isProtected: (label) => this.#loaded.config.prompts.protected.includes(label),
      }),
      ...cacheRoutes({
        audit,
        purge: async (model) => gateway.purgeCache(model) + ((await this.#gateways?.purgeCache(model)) ?? 0),
      }),
      ...sessionRoutes({ keyring, sessions, consoleUrl: () => this.#consoleUrl() }),
      ...telemetry.routes,
      ...usage.routes,
      ...keptRoutes(store, library, batches, audit),
      ...retrievalRoutes({ library, rows: store.rows, audit, ownerOf: this.#ownerOf, gateway }),
    ]
    const status = statusRoutes({
      version: this.#parts.version,
      startedAtMs: this.#startedAtMs,
      isReady: () => this.#ready,
      figures: async () => ({
        ...(await this.#figures(gateway)),
        damage: await library.damage(),
        embeddingCache: { ...library.embeddingCache },
      }),
      routes,
    })
    const control = controlPlane({
      routes: [...status, ...routes].map((route) => withinRoles(this.#roles, route)),
      authenticate: (request) => authenticate(request, keyring, sessions),
      newRequestId: () => newId('req', clock, random),
    })
    const assets = openAssets(this.#parts.consoleFolder)
    return (request, reply) => {
      if (isOfTelemetry(request.target)) return telemetry.intake(request, reply)
      const absent = absentRole(this.#roles, request)
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

  /** Files of prompts become versions. */
  async #takePrompts({ rows }: Pick<HouseStore, 'rows'>): Promise<void> {
    const { folder } = this.#loaded.config.prompts
    if (folder === undefined) return
    const files = { list: (path: string) => readdir(path), read: (path: string) => readFile(path) }
    await readPromptFolder(folder, { prompts: new Prompts({ rows, clock }), files, log: this.#log })
  }

  /** Takes over what the changed file says, or says why not: the configuration in force then stays. */
  async #reload(): Promise<void> {
    if (this.#stopping !== undefined) return
    const { reload, onEvent } = this.#parts
    const refused = (problem: Problem): void => onEvent({ step: 'reload_refused', reason: sentenceOf(problem) })
    try {
      const after = await reload()
      if (after instanceof Refusal) return refused(after)
      const plan = planReload(this.#loaded, after)
      if (plan.applied.length === 0 && plan.needsRestart.length === 0) return
      const loaded = applyReload(this.#loaded, after)
      await this.#gateway?.load(loaded)
      this.#loaded = loaded
      this.#library?.reconfigured()
      await this.#gateways?.configure()
      if (this.#store !== undefined) await this.#takePrompts(this.#store)
      onEvent({ step: 'reloaded', ...plan })
      if (this.#roles.has('ingest') && plan.applied.some((path) => path.startsWith('collections')))
        void this.#library?.begin(loaded.config.collections)
    } catch (thrown) {
      refused(toProblem(thrown))
    }
  }
}

const gatewayJson = ({ pid, deployments, ...rest }: GatewayStatus): JsonObject => ({
  pid: pid ?? null,
  ...rest,
  deployments: deployments.map((one) => ({ ...one })),
})

/** What the control plane answers; every other path is the console's. */
const CONTROL = /^\/(?:api\/|v1\/|(?:login|healthz|readyz|metrics)(?:\?|$))/

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
