import assert from 'node:assert/strict'
import { refuse, Refusal } from '../../src/base/errors.ts'
import type { Headers } from '../../src/base/http.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { silentLog } from '../../src/base/log.ts'
import { seededRandom } from '../../src/base/random.ts'
import { MemoryEvents } from '../../src/drivers/memory/events.ts'
import { MemoryRows } from '../../src/drivers/memory/rows.ts'
import type { Catalogue, LogicalModel } from '../../src/gateway/catalogue.ts'
import { Gateway } from '../../src/gateway/gateway.ts'
import { readBindings } from '../../src/guard/bindings.ts'
import type { Guardrail } from '../../src/guard/guardrails/guardrail.ts'
import { Guardrails } from '../../src/guard/guardrails/guardrails.ts'
import { LOCAL, type Principal } from '../../src/guard/principal.ts'
import type { Accounting } from '../../src/meter/accounting.ts'
import { always, type Price } from '../../src/meter/prices.ts'
import type { Events } from '../../src/store/events.ts'
import type { Rows } from '../../src/store/rows.ts'
import { ManualClock, settled } from './clock.ts'
import { HandEngine } from './engine.ts'
import { RecordedReply, request } from './exchange.ts'
import { unlimited } from './spending.ts'

/** A gateway over two engines that are moved by hand: `chat` on the first, which is priced, with
 *  the second to fall back to. */

const TIMEOUTS = { connectMs: 100, firstTokenMs: 1000, betweenTokensMs: 500, totalMs: 5000 }
const PRICE: Price = {
  inputNanoUsd: 150_000_000n,
  cachedInputNanoUsd: 75_000_000n,
  outputNanoUsd: 600_000_000n,
  unitNanoUsd: 40_000_000n,
}
export const USAGE = { inputTokens: 10, cachedInputTokens: 2, outputTokens: 3, reasoningTokens: 1, estimated: false }
export const ASK = { model: 'chat', messages: [{ role: 'user', content: 'Hello?' }] }

export interface GatewayOptions {
  readonly events?: Events
  readonly rows?: Rows
  readonly allow?: boolean
  readonly inFlightMax?: number
  readonly node?: string
  /** Of the model `chat`. */
  readonly cache?: Partial<NonNullable<LogicalModel['cache']>>
  /** Of the model `vectors`. */
  readonly vectorCache?: Partial<NonNullable<LogicalModel['cache']>>
  readonly admission?: LogicalModel['admission']
  /** Likewise, made over the gateway's clock. */
  readonly guardrails?: readonly Guardrail[]
  readonly cacheBytesMax?: number
  /** That the first engine passes through, for the model `chat`. */
  readonly paths?: readonly string[]
  readonly clock?: ManualClock
  readonly accounting?: Pick<Accounting, 'spending'>
  /** Bindings of the key that asks, as the API takes them; the owner asks otherwise. */
  readonly key?: JsonObject
}

function bound(terms: JsonObject): Principal {
  const bindings = readBindings(terms, 'user')
  if (bindings instanceof Refusal) return assert.fail(JSON.stringify(bindings))
  return { id: 'key_1', name: 'app', role: 'user', bindings }
}

export function openGateway(options: GatewayOptions = {}) {
  const clock = options.clock ?? new ManualClock()
  const principal = options.key === undefined ? LOCAL : bound(options.key)
  const first = new HandEngine('first', ['chat'], options.paths)
  const second = new HandEngine('second')
  const events = options.events ?? new MemoryEvents()
  const fallback: LogicalModel = {
    ...model('second', second),
    deployments: [{ engine: second, model: 'small', weight: 1 }],
  }
  const chat: LogicalModel = {
    ...model('chat', first),
    operations: options.paths === undefined ? ['chat'] : ['chat', 'moderations', 'images', 'audio', 'other'],
    deployments: [{ engine: first, model: 'weights', weight: 1, priceAt: always(PRICE, 'config') }],
    fallback: [fallback],
    ...(options.admission === undefined ? {} : { admission: options.admission }),
    ...(options.guardrails === undefined ? {} : { guardrails: new Guardrails(options.guardrails, '1', clock) }),
    ...cacheOf(options.cache),
  }
  const embedder = new HandEngine('embedder', ['embed'])
  const vectors: LogicalModel = {
    ...model('vectors', embedder),
    operations: ['embed'],
    deployments: [{ engine: embedder, model: 'weights', weight: 1, priceAt: always(PRICE, 'config') }],
    fallback: [{ ...fallback, name: 'other', operations: ['embed'] }],
    ...cacheOf(options.vectorCache),
  }
  const catalogue: Catalogue = new Map([
    ['chat', chat],
    ['second', fallback],
    ['vectors', vectors],
    ['docs', { ...model('docs', second), kind: 'workflow', version: 'v1' }],
  ])
  const gateway = new Gateway({
    clock,
    random: seededRandom(1),
    log: silentLog,
    events,
    rows: options.rows ?? new MemoryRows(),
    node: options.node ?? 'gateway-0',
    catalogue: () => catalogue,
    authenticate: () => (options.allow === false ? refuse('key_unknown', {}) : principal),
    limits: () => ({
      bodyBytesMax: 10_000,
      bodyDepthMax: 16,
      requestsInFlightMax: options.inFlightMax ?? 10,
      clientStallMs: 2000,
      cacheBytesMax: options.cacheBytesMax ?? 1_000_000,
    }),
    accounting: options.accounting ?? unlimited(clock),
  })
  async function ask(
    body: unknown,
    target = '/v1/chat/completions',
    method = 'POST',
    headers: Headers = {},
  ): Promise<RecordedReply> {
    const reply = new RecordedReply()
    gateway.handle(request(method, target, body, headers), reply)
    await settled()
    return reply
  }
  return { clock, first, second, embedder, events, gateway, ask }
}

const cacheOf = (cache: GatewayOptions['cache']): Pick<LogicalModel, 'cache'> =>
  cache === undefined ? {} : { cache: { ttlMs: 60_000, scope: 'key', tools: false, version: '1', ...cache } }

const model = (name: string, engine: HandEngine): LogicalModel => ({
  name,
  kind: 'model',
  description: '',
  operations: ['chat'],
  deployments: [{ engine, model: 'weights', weight: 1 }],
  fallback: [],
  outputTokensMax: 100,
  timeouts: TIMEOUTS,
})

export async function closing(events: Events, reply: RecordedReply): Promise<JsonObject & { outcome?: string }> {
  const entries = await events.read(String(reply.headers['x-request-id']))
  assert.deepEqual(
    entries.map(({ phase }) => phase),
    ['open', 'close'],
  )
  return entries[1]?.body ?? {}
}
