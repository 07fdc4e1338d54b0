import type { Clock } from '../src/base/clock.ts'
import type { Handler, HttpClient, Reply, Request } from '../src/base/http.ts'
import { fault } from '../src/base/errors.ts'
import type { Log } from '../src/base/log.ts'
import { Analyzer } from '../src/base/words.ts'
import { OpenAiEngine } from '../src/drivers/openai/engine.ts'
import { Health } from '../src/engine/health.ts'
import type { Catalogue, Deployment, LogicalModel } from '../src/gateway/catalogue.ts'
import type { CallDependencies } from '../src/gateway/call.ts'
import { Gateway } from '../src/gateway/gateway.ts'
import { innerCalls } from '../src/gateway/inner.ts'
import { authenticate } from '../src/guard/authenticate.ts'
import { Keyring } from '../src/guard/keyring.ts'
import { Pepper, PEPPER_BYTES } from '../src/guard/secret.ts'
import { Sessions } from '../src/guard/sessions.ts'
import { Accounting, type BudgetWarning } from '../src/meter/accounting.ts'
import type { Declared } from '../src/meter/declared.ts'
import { always, FREE, type Price } from '../src/meter/prices.ts'
import type { Search } from '../src/retrieval/search.ts'
import { BYTES } from '../src/meter/tokenizer/tokenizer.ts'
import { WorkflowEngine } from '../src/retrieval/workflow/engine.ts'
import type { WorkflowSpec } from '../src/retrieval/workflow/spec.ts'
import type { Events } from '../src/store/events.ts'
import type { Rows } from '../src/store/rows.ts'
import { BODY_BYTES_MAX, BODY_DEPTH_MAX, KEY_TEXTS } from './caller.ts'
import type { Image } from './disk.ts'
import type { Life } from './life.ts'

/** The real request path, wired as the program wires it, on simulated ports. */

/** A fault put between the house and one of its ports, to prove that it would be found. */
export interface Plant {
  readonly clock?: (clock: Clock) => Clock
  readonly client?: (client: HttpClient) => HttpClient
  readonly events?: (events: Events) => Events
  readonly rows?: (rows: Rows) => Rows
  readonly budgets?: (declared: Declared) => Declared
  readonly request?: (request: Request) => Request
  readonly reply?: (reply: Reply) => Reply
}

export interface HousePorts {
  readonly life: Life
  readonly client: HttpClient
  readonly store: Image
  readonly search: Search
  readonly explainNothing: () => Promise<string>
  /** A circuit has opened or closed. */
  readonly onTurn: () => void
  readonly log: Log
  readonly onWarning: (warning: BudgetWarning) => void
}

export interface House {
  readonly gateway: Gateway
  readonly accounting: Accounting
  readonly health: Health
}

export const PRICES: { readonly [engine: string]: Price | undefined } = {
  alpha: { inputNanoUsd: 150_000_001n, cachedInputNanoUsd: 75_000_000n, outputNanoUsd: 600_000_007n },
  beta: undefined,
  gamma: FREE,
}

export const OUTPUT_TOKENS_MAX = 1_024

export const TIMEOUTS = { connectMs: 500, firstTokenMs: 4_000, betweenTokensMs: 2_000, totalMs: 30_000 } as const
/** A workflow waits for its search and then for its model, whose own deadlines still hold. */
const SEARCH_MS = 10_000

export const CLIENT_STALL_MS = 5_000

/** The same in every life: each takes up what the one before left. */
const NODE = 'gateway'

/** A file that no crash takes away. */
const PEPPER = new Pepper(new Uint8Array(PEPPER_BYTES))

/** Starts the house: keys and budgets are loaded, what a crash left open is closed, and only then does
 *  it take requests. Rejects when its store fails it. */
export async function startHouse(ports: HousePorts, budgets: Declared, plant: Plant): Promise<House> {
  const { life, store, log, onWarning } = ports
  const clock = plant.clock?.(life.clock) ?? life.clock
  const client = plant.client?.(ports.client) ?? ports.client
  const events = plant.events?.(store.events) ?? store.events
  const rows = plant.rows?.(store.rows) ?? store.rows
  const keyring = await Keyring.open({ rows, clock, random: life.random, pepper: PEPPER })
  await keyring.adopt(KEY_TEXTS.user, 'user', 'user')
  await keyring.adopt(KEY_TEXTS.admin, 'admin', 'admin')
  const sessions = new Sessions(clock, life.random)
  const health = new Health({ clock, onTurn: ports.onTurn })
  const dependencies = { clock, random: life.random, catalogue: () => catalogue }
  const catalogue: Catalogue = makeCatalogue(client, ports, health, dependencies)
  const { leases } = store
  const accounting = new Accounting({ clock, rows, leases, log, node: NODE, onWarning })
  await accounting.load(plant.budgets?.(budgets) ?? budgets)
  const gateway = new Gateway({
    clock,
    random: life.random,
    log,
    events,
    rows,
    node: NODE,
    catalogue: () => catalogue,
    authenticate: (request) => authenticate(request, keyring, sessions),
    limits: () => ({
      bodyBytesMax: BODY_BYTES_MAX,
      bodyDepthMax: BODY_DEPTH_MAX,
      requestsInFlightMax: 64,
      clientStallMs: CLIENT_STALL_MS,
      cacheBytesMax: 100_000,
    }),
    accounting,
  })
  await gateway.recover()
  return { gateway, accounting, health }
}

/** How many deployments a request for a model may try. */
export const DEPLOYMENTS = { solo: 1, pair: 3, chain: 4, docs: 3, absent: 0 } as const

/** How often it may try them: one that is alone, or left alone by the others' circuits, again. */
export const ATTEMPTS = { solo: 4, pair: 4, chain: 4, docs: 4, absent: 0 } as const

/** How many deployments it may try of those that have a price, where one is wanted: no other model is taken for want of it. */
export const ATTEMPTS_PRICED = { solo: 1, pair: 1, chain: 3, docs: 1, absent: 0 } as const

export function handlerOf(gateway: Gateway, plant: Plant): Handler {
  return (request, reply) => gateway.handle(plant.request?.(request) ?? request, plant.reply?.(reply) ?? reply)
}

function makeCatalogue(
  client: HttpClient,
  ports: HousePorts,
  health: Health,
  dependencies: CallDependencies,
): Catalogue {
  /** Named for its model too, so that a charge tells which that was. */
  const deployment = (name: string, model: string): Deployment => {
    const price = PRICES[name]
    const engine = new OpenAiEngine({ name, url: `http://${name}.test/v1`, capField: 'max_tokens', client })
    return {
      engine,
      model,
      weight: 1,
      health: health.of(`${name}/${model}`, ''),
      ...(price === undefined ? {} : { priceAt: always(price, 'config') }),
    }
  }
  const model = (name: string, engines: string[], fallback: LogicalModel[]): LogicalModel => ({
    name,
    kind: 'model',
    description: '',
    operations: ['chat', 'rerank', 'embed'],
    deployments: engines.map((engine) => deployment(engine, name)),
    retries: health.retriesOf(name),
    fallback,
    outputTokensMax: OUTPUT_TOKENS_MAX,
    timeouts: TIMEOUTS,
  })
  // Nobody asks what another has asked: every answer is made, and kept.
  const cache = { ttlMs: 60_000, scope: 'key', tools: false, version: '1' } as const
  const solo: LogicalModel = { ...model('solo', ['alpha'], []), cache }
  const spare = model('spare', ['gamma'], [])
  // Two at a time: others wait, and nobody so long that it is refused.
  const admission = { queueMax: 64, queueMs: 120_000, inFlightMax: 2, batchShare: 0.9 }
  // Late in a third of the answers: the second is asked as well.
  const hedge = { afterMs: 40 }
  const pair: LogicalModel = { ...model('pair', ['alpha', 'beta'], [spare]), admission, hedge }
  const chain = model('chain', ['gamma'], [solo, pair, spare])
  const catalogue = new Map([solo, spare, pair, chain].map((one) => [one.name, one]))
  catalogue.set('docs', makeWorkflow(ports, dependencies))
  return catalogue
}

function makeWorkflow({ search, explainNothing }: HousePorts, dependencies: CallDependencies): LogicalModel {
  const spec: WorkflowSpec = {
    name: 'docs',
    collection: 'handbook',
    topK: 4,
    rewrite: 'terms',
    model: 'pair',
    contextTokensMax: 1000,
    spotlight: 'delimit',
    evidenceMin: 0,
    groundedness: 'lexical',
    policy: { tools: 'none', links: 'sources', hosts: [] },
  }
  const engine = new WorkflowEngine(spec, {
    clock: dependencies.clock,
    random: dependencies.random,
    analyzer: new Analyzer(),
    search,
    tokenizersOf: () => [BYTES],
    explainNothing,
    rerank: () => Promise.reject(fault('internal', { reason: 'this workflow does not rerank' })),
    callModel: innerCalls(dependencies),
  })
  const waitMs = TIMEOUTS.totalMs + SEARCH_MS
  return {
    name: 'docs',
    kind: 'workflow',
    description: '',
    version: engine.version,
    operations: ['chat'],
    deployments: [{ engine, model: 'docs', weight: 1 }],
    fallback: [],
    outputTokensMax: OUTPUT_TOKENS_MAX,
    timeouts: { ...TIMEOUTS, firstTokenMs: waitMs, betweenTokensMs: waitMs, totalMs: waitMs },
  }
}
