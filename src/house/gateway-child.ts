import { readFile } from 'node:fs/promises'
import { sleep, systemClock as clock } from '../base/clock.ts'
import { fault, reasonOf, refuse, Refusal } from '../base/errors.ts'
import type { HttpServer, Request } from '../base/http.ts'
import { jsonLog, type Log } from '../base/log.ts'
import { systemRandom as random } from '../base/random.ts'
import { Analyzer } from '../base/words.ts'
import type { LoadedConfig } from '../config/load.ts'
import { type PackedConfig, unpackConfig } from '../config/transfer.ts'
import { isOfTelemetry } from '../control/otlp.ts'
import { isKeptHere } from '../control/vector-stores.ts'
import { openListener } from '../drivers/http/servers.ts'
import type { Channel } from '../drivers/process/channel.ts'
import { serve } from '../drivers/process/child.ts'
import { openDistant } from '../drivers/sqlite/distant.ts'
import type { JournaledEvents } from '../drivers/sqlite/journal.ts'
import type { DeploymentStatus } from '../engine/health.ts'
import { authenticate } from '../guard/authenticate.ts'
import { Keyring } from '../guard/keyring.ts'
import type { Principal } from '../guard/principal.ts'
import { Pepper } from '../guard/secret.ts'
import { Sessions } from '../guard/sessions.ts'
import { EmbeddingCache } from '../retrieval/embedding/cache.ts'
import { QuestionVectors } from '../retrieval/embedding/question.ts'
import { collectionOf } from '../retrieval/generation/row.ts'
import { searchLive } from '../retrieval/generation/search.ts'
import { createSearch } from '../retrieval/search.ts'
import { HouseGateway } from './gateway.ts'
import { inPackage } from './package.ts'
import { priceLoader } from './prices.ts'
import { withJournal } from './store.ts'
import { tokenizerLoader } from './tokenizers.ts'

/** One of several gateways: a process that answers `/v1` on the port they share, and asks the main
 *  process for everything that is there once: the store, the index, the configuration. What it may
 *  not answer itself it passes on. */

/** What a gateway is told at its start. */
export interface Beginning {
  readonly node: string
  readonly config: PackedConfig
  /** Under which keys are recognised. */
  readonly pepper: Uint8Array
  /** Where the main process answers what we pass on. */
  readonly innerSocket: string
  /** Of its log. */
  readonly journal: string
}

/** How it does. */
export interface GatewayFigures {
  readonly inFlight: number
  readonly deployments: readonly DeploymentStatus[]
}

/** How long answers that were cut off may take to be recorded. */
const SETTLE_MS_MAX = 1000
const SETTLE_POLL_MS = 5

export function serveGateway(): void {
  let opened: RunningGateway | undefined
  const running = (): RunningGateway => {
    if (opened === undefined) throw fault('internal', { reason: 'the gateway has not begun' })
    return opened
  }
  const channel: Channel = serve({
    async begin(beginning: Beginning, handle: unknown) {
      opened = await RunningGateway.open(beginning, handle, channel)
    },
    configure: async (config: PackedConfig) => running().configure(config),
    foldJournal: async () => running().foldJournal(),
    purgeCache: async (model: string | undefined): Promise<number> => running().purgeCache(model),
    figures: async (): Promise<GatewayFigures> => running().figures,
    drain: async (graceMs: number) => running().drain(graceMs),
  })
}

class RunningGateway {
  readonly #gateway: HouseGateway
  readonly #server: HttpServer
  readonly #inForce: { loaded: LoadedConfig }
  readonly #unfollow: () => void
  readonly #journal: JournaledEvents
  readonly #questions: QuestionVectors

  private constructor(
    gateway: HouseGateway,
    server: HttpServer,
    inForce: { loaded: LoadedConfig },
    unfollow: () => void,
    journal: JournaledEvents,
    questions: QuestionVectors,
  ) {
    this.#questions = questions
    this.#gateway = gateway
    this.#server = server
    this.#inForce = inForce
    this.#unfollow = unfollow
    this.#journal = journal
  }

  static async open(
    { node, config, pepper, innerSocket, journal }: Beginning,
    handle: unknown,
    channel: Channel,
  ): Promise<RunningGateway> {
    const loaded = unpackConfig(config)
    const inForce = { loaded }
    const log = logOf(node, () => inForce.loaded.config.log.level)
    const distant = openDistant((call) => channel.call('store', call), clock)
    const store = await withJournal(distant, journal, log)
    const keyring = await Keyring.open({ rows: store.rows, clock, random, pepper: new Pepper(pepper) })
    const known = new Known(keyring)
    const analyzer = new Analyzer()
    const questions: QuestionVectors = new QuestionVectors({
      rows: store.rows,
      cache: new EmbeddingCache(store.rows),
      embedWith: (...call) => gateway.ownCalls.embedWith(...call),
      clock,
      log,
      fold: (storage, space, question) => channel.call('fold', { storage, space, question }),
    })
    const gateway: HouseGateway = await HouseGateway.open({
      node,
      log,
      analyzer,
      store,
      search: searchLive(
        createSearch({
          index: { search: (collection, query) => channel.call('match', { collection, query }) },
          rows: store.rows,
          analyzer,
          questionVector: (...asked) => questions.of(...asked),
          ownerOf: (storage) => inForce.loaded.config.collections[collectionOf(storage)]?.tenant,
        }),
        store.rows,
      ),
      explainNothing: (collection) => channel.call('explainNothing', collection),
      authenticate: (request) => known.principalOf(request),
      loadPrices: priceLoader(inPackage('catalogue/prices.json'), readFile),
      loadTokenizers: tokenizerLoader({
        path: inPackage('catalogue/tokenizers.json'),
        readFile,
        onTrouble: (reason) => log.write('warn', 'a tokenizer cannot be read; bytes are counted instead', { reason }),
      }),
      loaded,
    })
    const unfollow = keyring.follow((cause) =>
      log.write('warn', 'changes of keys by other processes cannot be seen', { reason: reasonOf(cause) }),
    )
    const { server, limits, tls } = loaded.config
    const listener = openListener(server, limits.bodyTimeoutMs, {
      headers: { 'x-headworks-node': node },
      ...(tls === undefined ? {} : { tls }),
      log,
      elsewhere: { isTheirs: (request) => !known.recognises(request), socketPath: innerSocket },
    })
    const listening = await listener.listenOn(handle, gateway.handle)
    return new RunningGateway(gateway, listening, inForce, unfollow, store.events, questions)
  }

  get figures(): GatewayFigures {
    const { inFlight, deployments } = this.#gateway
    return { inFlight, deployments }
  }

  foldJournal(): Promise<void> {
    return this.#journal.fold()
  }

  purgeCache(model: string | undefined): number {
    return this.#gateway.purgeCache(model)
  }

  async configure(config: PackedConfig): Promise<void> {
    const loaded = unpackConfig(config)
    await this.#gateway.load(loaded)
    this.#inForce.loaded = loaded
    this.#questions.forget()
  }

  /** Accepts nothing more, lets answers in flight end for `graceMs`, and records them all. */
  async drain(graceMs: number): Promise<void> {
    this.#gateway.drain()
    await this.#server.drain(graceMs)
    const untilMs = clock.monotonicMs() + SETTLE_MS_MAX
    while (this.#gateway.inFlight > 0 && clock.monotonicMs() < untilMs) await sleep(clock, SETTLE_POLL_MS)
    await this.#gateway.flush()
    this.#unfollow()
    await this.#gateway.close()
    await this.#journal.close()
  }
}

/** Whose requests are answered here: those to `/v1` with a key that this process knows. Everything
 *  else is the main process's to judge, a key that was made a moment ago included. */
class Known {
  readonly #keyring: Keyring
  /** There are none here. */
  readonly #sessions = new Sessions(clock, random)
  readonly #principals = new WeakMap<Request, Principal>()

  constructor(keyring: Keyring) {
    this.#keyring = keyring
  }

  recognises(request: Request): boolean {
    const { target } = request
    if (!target.startsWith('/v1/') || isKeptHere(target) || isOfTelemetry(target)) return false
    const principal = authenticate(request, this.#keyring, this.#sessions)
    if (principal instanceof Refusal) return false
    this.#principals.set(request, principal)
    return true
  }

  principalOf(request: Request): Principal | Refusal {
    return this.#principals.get(request) ?? refuse('key_missing', {})
  }
}

function logOf(node: string, level: Parameters<typeof jsonLog>[1]): Log {
  const log = jsonLog(clock, level, (line) => void process.stderr.write(`${line}\n`))
  return { write: (of, message, fields) => log.write(of, message, { node, ...fields }) }
}
