import type { Config, ModelConfig } from '../config/schema.ts'
import type { Engine } from '../engine/port.ts'
import type { PriceCatalogue } from '../meter/catalogue.ts'
import { always, FREE, type PriceAt } from '../meter/prices.ts'
import type { Catalogue, Deployment, LogicalModel, Timeouts } from './catalogue.ts'

/** The catalogue of a configuration: every name resolved, workflows beside models. `prices`: what
 *  providers charge for models that have no price of their own. */
export function buildCatalogue(
  config: Config,
  engines: ReadonlyMap<string, Engine>,
  workflows: ReadonlyMap<string, Engine>,
  prices: PriceCatalogue | undefined,
): Catalogue {
  const catalogue = new Map<string, LogicalModel>()
  const resolve = (name: string): LogicalModel | undefined => {
    const known = catalogue.get(name)
    if (known !== undefined) return known
    const model = config.models[name]
    const built = model === undefined ? undefined : buildModel(name, model)
    if (built !== undefined) catalogue.set(name, built)
    return built
  }

  function buildModel(name: string, model: ModelConfig): LogicalModel {
    const deployments = model.deployments.flatMap(
      ({ engine: engineName, model: engineModel, weight, label, price }): Deployment[] => {
        const engine = engines.get(engineName)
        if (engine === undefined) return []
        const priceAt = price === undefined ? listPrice(engineName, engineModel) : always(price, 'config')
        return [
          {
            engine,
            model: engineModel,
            weight,
            ...(label === undefined ? {} : { label }),
            ...(priceAt === undefined ? {} : { priceAt }),
          },
        ]
      },
    )
    return {
      name,
      kind: 'model',
      description: model.description ?? '',
      operations: ['chat', 'rerank', 'embed'].filter((one) =>
        deployments.some(({ engine }) => engine.operations.has(one as never)),
      ) as LogicalModel['operations'],
      deployments,
      fallback: model.fallback.flatMap((fallback) => resolve(fallback) ?? direct(fallback, model) ?? []),
      outputTokensMax: model.outputTokensMax,
      timeouts: model.timeouts,
    }
  }

  /** What the engine's provider charges; nothing for what runs in this process. */
  function listPrice(engineName: string, model: string): PriceAt | undefined {
    const engine = config.engines[engineName]
    if (engine?.kind !== 'openai') return engine && always(FREE, 'embedded')
    const provider = engine.provider ?? prices?.providerAt(engine.url)
    return provider === undefined ? undefined : (atMs) => prices?.priceOf({ provider, model, atMs })
  }

  /** `engine/model`, for a fallback that needs no name of its own. */
  function direct(name: string, { outputTokensMax, timeouts }: ModelConfig): LogicalModel | undefined {
    const at = name.indexOf('/')
    const engine = engines.get(name.slice(0, at))
    if (engine === undefined) return undefined
    const engineModel = name.slice(at + 1)
    const priceAt = listPrice(engine.name, engineModel)
    const deployments = [{ engine, model: engineModel, weight: 1, ...(priceAt === undefined ? {} : { priceAt }) }]
    return {
      name,
      kind: 'model',
      description: '',
      operations: [...engine.operations],
      deployments,
      fallback: [],
      outputTokensMax,
      timeouts,
    }
  }

  for (const name of Object.keys(config.models)) resolve(name)
  for (const [name, engine] of workflows) {
    const workflow = config.workflows[name]
    const model = catalogue.get(workflow?.model ?? '')
    catalogue.set(name, {
      name,
      kind: 'workflow',
      description: workflow?.description ?? '',
      operations: ['chat'],
      deployments: [{ engine, model: name, weight: 1 }],
      fallback: [],
      outputTokensMax: model?.outputTokensMax ?? 4096,
      timeouts: withSearch(model?.timeouts),
    })
  }
  return catalogue
}

/** A workflow waits for its search and then for its model, whose own deadlines still hold. */
const SEARCH_MS = 10_000
const NO_MODEL: Timeouts = { connectMs: 3000, firstTokenMs: 60_000, betweenTokensMs: 30_000, totalMs: 600_000 }

function withSearch(inner: Timeouts = NO_MODEL): Timeouts {
  return {
    ...inner,
    firstTokenMs: inner.totalMs + SEARCH_MS,
    betweenTokensMs: inner.totalMs + SEARCH_MS,
    totalMs: inner.totalMs + SEARCH_MS,
  }
}
