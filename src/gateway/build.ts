import { hash } from 'node:crypto'
import { urlOf } from '../config/providers.ts'
import { type Config, isRemote, type ModelConfig, type RemoteEngine } from '../config/schema.ts'
import type { Health } from '../engine/health.ts'
import type { Engine } from '../engine/port.ts'
import type { Guardrails } from '../guard/guardrails/guardrails.ts'
import type { PriceCatalogue } from '../meter/catalogue.ts'
import { always, FREE, type PriceAt } from '../meter/prices.ts'
import type { Tokenizer } from '../meter/tokenizer/tokenizer.ts'
import {
  type Affinity,
  type CachePolicy,
  type Catalogue,
  deploymentName,
  type Deployment,
  type LogicalModel,
  type Timeouts,
} from './catalogue.ts'

type DeploymentConfig = ModelConfig['deployments'][number]
/** Undefined: bytes are counted. `provider`: who serves it, where that is known. */
type TokenizerOf = (deployment: DeploymentConfig, provider: string | undefined) => Tokenizer | undefined

type VersionedEngine = Engine & { readonly version: string }

const OPERATIONS = ['chat', 'rerank', 'embed', 'moderations', 'images', 'audio', 'other'] as const

/** The catalogue of a configuration: every name resolved, workflows beside models. `health`: how its
 *  deployments have fared so far. `prices`: what providers charge for models that have no price of
 *  their own. */
export function buildCatalogue(
  config: Config,
  engines: ReadonlyMap<string, Engine>,
  workflows: ReadonlyMap<string, VersionedEngine>,
  health: Health,
  prices: PriceCatalogue | undefined,
  tokenizerOf: TokenizerOf = () => undefined,
  guardrailsOf: (names: readonly string[]) => Guardrails | undefined = () => undefined,
): Catalogue {
  const catalogue = new Map<string, LogicalModel>()
  for (const name of Object.keys(config.models)) resolve(name)
  for (const [name, engine] of workflows) {
    const workflow = config.workflows[name]
    const model = catalogue.get(workflow?.model ?? '')
    if (model !== undefined) catalogue.set(name, workflowModel(name, workflow?.description, engine, model))
  }
  return catalogue

  /** Fallbacks never lead back: the configuration was checked for that. */
  function resolve(name: string): LogicalModel | undefined {
    const known = catalogue.get(name)
    const model = config.models[name]
    if (known !== undefined || model === undefined) return known
    const deployments = model.deployments.flatMap((one) => deploymentOf(one) ?? [])
    const guardrails = guardrailsOf(model.guards)
    const built: LogicalModel = {
      ...modelOf(name, model, deployments),
      ...routingOf(model),
      description: model.description ?? '',
      ...(model.ejection === undefined
        ? {}
        : { outliers: health.outliersOf(deployments.map(nameOf), model.ejection.shareMax) }),
      retries: health.retriesOf(name),
      fallback: model.fallback.flatMap((fallback) => resolve(fallback) ?? direct(fallback, model) ?? []),
      ...(model.admission === undefined ? {} : { admission: { ...model.admission, batchShare: config.batches.share } }),
      ...(guardrails === undefined ? {} : { guardrails }),
      ...(model.cache === undefined ? {} : { cache: cacheOf(model, model.cache) }),
    }
    catalogue.set(name, built)
    return built
  }

  /** Of what may answer: other engines, settings, models or guardrails may answer otherwise. */
  function versionOf({ deployments, guards }: ModelConfig): string {
    const parts = deployments.map(({ engine, model }) => [engine, model, config.engines[engine] ?? null])
    return hash('sha256', JSON.stringify([parts, guardrailsOf(guards)?.version ?? '']), 'hex')
  }

  /** Another model that measures meanings, or another bound, empties what was found by meaning too. */
  function cacheOf(model: ModelConfig, { semantic, ...policy }: NonNullable<ModelConfig['cache']>): CachePolicy {
    if (semantic === undefined) return { ...policy, version: versionOf(model) }
    const measure = config.models[semantic.embedding]
    const parts = [versionOf(model), semantic, measure === undefined ? '' : versionOf(measure)]
    return { ...policy, semantic, version: hash('sha256', JSON.stringify(parts), 'hex') }
  }

  /** `engine/model`, for a fallback that needs no name of its own. */
  function direct(name: string, limits: ModelConfig): LogicalModel | undefined {
    const at = name.indexOf('/')
    const deployment = deploymentOf({ engine: name.slice(0, at), model: name.slice(at + 1), weight: 1 })
    return deployment && modelOf(name, limits, [deployment])
  }

  function deploymentOf(deployment: DeploymentConfig): Deployment | undefined {
    const { engine: name, model, weight, label, price } = deployment
    const engine = engines.get(name)
    if (engine === undefined) return undefined
    const tokenizer = tokenizerOf(deployment, providerOf(name))
    const priceAt = price === undefined ? listPrice(name, model) : always(price, 'config')
    const settings = JSON.stringify(config.engines[name])
    return {
      engine,
      model,
      weight,
      ...(label === undefined ? {} : { label }),
      ...(priceAt === undefined ? {} : { priceAt }),
      ...(tokenizer === undefined ? {} : { tokenizer }),
      health: health.of(deploymentName({ engine, model }), settings),
    }
  }

  function providerOf(engineName: string): string | undefined {
    const engine = config.engines[engineName]
    return engine !== undefined && isRemote(engine)
      ? (engine.provider ?? prices?.providerAt(addressOf(engine)))
      : undefined
  }

  /** What the engine's provider charges; nothing for what runs in this process. */
  function listPrice(engineName: string, model: string): PriceAt | undefined {
    const engine = config.engines[engineName]
    if (engine === undefined || !isRemote(engine)) return engine && always(FREE, 'embedded')
    const provider = providerOf(engineName)
    return provider === undefined ? undefined : (atMs) => prices?.priceOf({ provider, model, atMs })
  }
}

const modelOf = (
  name: string,
  { outputTokensMax, timeouts }: ModelConfig,
  deployments: readonly Deployment[],
): LogicalModel => ({
  name,
  kind: 'model',
  description: '',
  operations: OPERATIONS.filter((one) => deployments.some(({ engine }) => engine.operations.has(one))),
  deployments,
  fallback: [],
  outputTokensMax,
  timeouts,
})

/** Of `openai` without a URL it is its provider's. */
const addressOf = ({ kind, url, provider }: RemoteEngine): string =>
  (kind === 'openai' ? urlOf({ url, provider }) : url) ?? ''

const nameOf = (deployment: Deployment): string => deploymentName(deployment)

const routingOf = ({ routing, affinity, hedge, targets }: ModelConfig) => ({
  routing,
  ...(targets.firstTokenMs === undefined ? {} : { firstTokenMs: targets.firstTokenMs }),
  ...(affinity === undefined ? {} : { affinity: affinityOf(affinity) }),
  ...(hedge === undefined ? {} : { hedge: hedge.afterMs === undefined ? {} : { afterMs: hedge.afterMs } }),
})

const affinityOf = ({ by, releaseTokens }: NonNullable<ModelConfig['affinity']>): Affinity =>
  by === 'prefix' ? { by, releaseTokens } : { by }

const workflowModel = (
  name: string,
  description: string | undefined,
  engine: VersionedEngine,
  model: LogicalModel,
): LogicalModel => ({
  name,
  kind: 'workflow',
  description: description ?? '',
  version: engine.version,
  operations: ['chat'],
  deployments: [{ engine, model: name, weight: 1 }],
  fallback: [],
  outputTokensMax: model.outputTokensMax,
  timeouts: withSearch(model.timeouts),
})

const SEARCH_MS = 10_000

/** A workflow waits for its search and then for its model, whose own deadlines still hold. */
function withSearch(inner: Timeouts): Timeouts {
  const waitMs = inner.totalMs + SEARCH_MS
  return { ...inner, firstTokenMs: waitMs, betweenTokensMs: waitMs, totalMs: waitMs }
}
