import { statSync } from 'node:fs'
import type { Clock } from '../base/clock.ts'
import type { HttpClient } from '../base/http.ts'
import type { Json } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import type { Analyzer } from '../base/words.ts'
import { Fault, Refusal } from '../base/errors.ts'
import type { LoadedConfig } from '../config/load.ts'
import { providerOf, urlOf } from '../config/providers.ts'
import { revealed } from '../config/references.ts'
import { type Config, type EngineConfig, isRemote } from '../config/schema.ts'
import type { Secrets } from '../config/secret.ts'
import { AnthropicEngine } from '../drivers/anthropic/engine.ts'
import { BedrockEngine } from '../drivers/bedrock/engine.ts'
import { GeminiEngine } from '../drivers/gemini/engine.ts'
import { DetectorsEngine } from '../drivers/detectors/engine.ts'
import { LexicalEngine } from '../drivers/lexical/engine.ts'
import { OllamaEngine } from '../drivers/ollama/engine.ts'
import { OnnxEngine } from '../drivers/onnx/engine.ts'
import { OpenAiEngine, type OpenAiOptions } from '../drivers/openai/engine.ts'
import { ReaderEngine } from '../drivers/reader/engine.ts'
import { TeiEngine } from '../drivers/tei/engine.ts'
import type { Way } from '../drivers/undici/client.ts'
import { type DeploymentStatus, Health, type HealthDependencies } from '../engine/health.ts'
import { MetricsWatch } from '../engine/metrics/watch.ts'
import type { AskWith, EmbedWith, Engine } from '../engine/port.ts'
import { buildCatalogue } from '../gateway/build.ts'
import type { Catalogue } from '../gateway/catalogue.ts'
import { innerAsk, innerCalls, innerEmbed, innerRerank, type MakeOwn } from '../gateway/inner.ts'
import { BYTES } from '../meter/tokenizer/tokenizer.ts'
import { watchedEngines } from './metrics.ts'
import { openGuards } from './guards.ts'
import { instructionsOf } from './prompts.ts'
import type { LoadPrices } from './prices.ts'
import type { LoadTokenizers } from './tokenizers.ts'
import { judgeBy } from '../guard/guardrails/judge.ts'
import type { Prompts } from '../prompt/prompts.ts'
import type { Search } from '../retrieval/search.ts'
import type { WorkflowDependencies } from '../retrieval/workflow/dependencies.ts'
import { WorkflowEngine } from '../retrieval/workflow/engine.ts'
import type { WorkflowSpec } from '../retrieval/workflow/spec.ts'

/** The engines and models of the configuration in force, replaced as a whole by a reload.
 *  Requests that run keep the engines they began with. */

export interface ModelsDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly analyzer: Analyzer
  readonly search: Search
  readonly explainNothing: (collection: string) => Promise<string>
  readonly prompts: Pick<Prompts, 'resolve'>
  readonly loadPrices: LoadPrices
  readonly loadTokenizers: LoadTokenizers
  /** The circuit of a deployment has opened, or closed again. */
  readonly onTurn: (status: DeploymentStatus) => void
  /** A deployment is asked after its peers, or as they are again. */
  readonly onEjection: NonNullable<HealthDependencies['onEjection']>
  /** The metrics of an engine cannot be read, for this reason, or can be again. */
  readonly onMetrics: (engine: string, reason: string | undefined) => void
}

export class Models {
  readonly #dependencies: ModelsDependencies
  /** Made when the first engine needs the network: a house of embedded engines never loads it. */
  readonly #clients = new Map<string, Promise<HttpClient>>()
  #catalogue: Catalogue = new Map()
  #health: Health
  #watch: MetricsWatch | undefined

  constructor(dependencies: ModelsDependencies) {
    this.#dependencies = dependencies
    this.#health = new Health(dependencies)
  }

  get catalogue(): Catalogue {
    return this.#catalogue
  }

  /** How the deployments fare. */
  status(): DeploymentStatus[] {
    return this.#health.status()
  }

  /** Embeds with a model in force, outside of any request as `makeOwn` says. */
  embedWith(makeOwn: MakeOwn): EmbedWith {
    const { clock, random } = this.#dependencies
    return innerEmbed({ clock, random, catalogue: () => this.#catalogue }, makeOwn)
  }

  /** Has a model in force answer, likewise. */
  askWith(makeOwn: MakeOwn): AskWith {
    const { clock, random } = this.#dependencies
    return innerAsk({ clock, random, catalogue: () => this.#catalogue }, makeOwn)
  }

  /** One at a time. When it rejects, what was in force stays. */
  async load(loaded: LoadedConfig): Promise<void> {
    const { config, secrets } = loaded
    const engines = new Map<string, Engine>()
    const dependencies = { ...this.#dependencies, client: (way: Way) => this.#network(way) }
    for (const [name, engine] of Object.entries(config.engines))
      engines.set(name, await openEngine(name, engine, secrets, dependencies))
    // A workflow calls the models of its own configuration, also when a reload comes in between.
    let catalogue: Catalogue = new Map()
    const inside = this.#inside(() => catalogue)
    const workflows = new Map<string, WorkflowEngine>()
    for (const [name, { rerank, instructions, prompt, description: _, ...declared }] of Object.entries(
      config.workflows,
    )) {
      const optional = {
        ...(rerank === 'none' ? {} : { rerank }),
        ...(instructions === undefined ? {} : { instructions }),
        ...(prompt === undefined ? {} : { prompt }),
      }
      const spec = { name, ...declared, ...optional }
      workflows.set(name, new WorkflowEngine(spec, inside, behind(spec, config)))
    }
    // A house of embedded engines needs no prices and no tokenizers.
    const remote = Object.values(config.engines).some(isRemote)
    const prices = remote ? await this.#dependencies.loadPrices(loaded) : undefined
    if (prices instanceof Refusal) throw new Fault(prices.code, prices.details)
    const tokenizers = remote ? await this.#dependencies.loadTokenizers(loaded) : undefined
    if (tokenizers instanceof Refusal) throw new Fault(tokenizers.code, tokenizers.details)
    const guardrails = await openGuards(config.guards, {
      clock: this.#dependencies.clock,
      secrets,
      client: () => this.#network({}),
    })
    const health = this.#health.successor()
    catalogue = buildCatalogue(config, engines, workflows, health, prices, tokenizers, guardrails)
    this.#catalogue = catalogue
    this.#health = health
    await this.#follow(loaded, catalogue)
  }

  /** Reads the metrics of the engines that have them. */
  async #follow({ config, secrets }: LoadedConfig, catalogue: Catalogue): Promise<void> {
    this.#watch?.close()
    this.#watch = undefined
    const watched = watchedEngines(config, secrets, catalogue)
    if (watched.length === 0) return
    const { clock, onMetrics } = this.#dependencies
    this.#watch = new MetricsWatch({ clock, client: await this.#network({}), onTurn: onMetrics }, watched)
    this.#watch.start()
  }

  async close(): Promise<void> {
    this.#watch?.close()
    await Promise.all([...this.#clients.values()].map(async (client) => (await client).close()))
  }

  /** One for all engines that are reached alike. A certificate that was renewed makes another. */
  #network(way: Way): Promise<HttpClient> {
    const stamps = Object.values(way.tls ?? {}).map((path) => statSync(path ?? '', { throwIfNoEntry: false })?.mtimeMs)
    const name = JSON.stringify([way, stamps])
    const known = this.#clients.get(name)
    if (known !== undefined) return known
    const client = openClient(way)
    this.#clients.set(name, client)
    client.catch(() => this.#clients.delete(name))
    return client
  }

  /** What a workflow works with. */
  #inside(catalogue: () => Catalogue): WorkflowDependencies {
    const { clock, random, analyzer, search, explainNothing, prompts } = this.#dependencies
    return {
      clock,
      analyzer,
      search,
      random,
      explainNothing,
      instructionsOf: (prompt) => instructionsOf(prompts, prompt),
      tokenizersOf: (model) => {
        const known = (catalogue().get(model)?.deployments ?? []).map(({ tokenizer }) => tokenizer ?? BYTES)
        return known.length > 0 ? known : [BYTES]
      },
      callModel: innerCalls({ clock, random, catalogue }),
      rerank: innerRerank({ clock, random, catalogue }),
    }
  }
}

/** What shapes the answers of the models that a workflow names: part of its version. */
const behind = ({ model, rerank, rewrite, groundedness }: WorkflowSpec, { models }: Config): Json =>
  [model, rerank ?? 'none', rewrite, groundedness].flatMap((name) => {
    const of = models[name]
    if (of === undefined) return []
    const deployments = of.deployments.map((one) => `${one.engine}/${one.model}`)
    return [{ name, deployments, fallback: of.fallback, outputTokensMax: of.outputTokensMax }]
  })

export interface EngineDependencies {
  readonly clock: Clock
  readonly analyzer: Analyzer
  readonly client: (way: Way) => Promise<HttpClient>
}

/** One engine of the configuration. */
export async function openEngine(
  name: string,
  engine: EngineConfig,
  secrets: Secrets,
  { clock, analyzer, client }: EngineDependencies,
): Promise<Engine> {
  if (engine.kind === 'reader') return new ReaderEngine({ name, clock, analyzer })
  if (engine.kind === 'detectors') return new DetectorsEngine({ name, clock, judge: judgeBy(clock) })
  if (engine.kind === 'lexical') return new LexicalEngine({ name, analyzer })
  if (engine.kind === 'onnx') {
    const { folder, runtime = '', pooling, threads } = engine
    return new OnnxEngine({ name, folder, runtime, threads, clock, ...(pooling === undefined ? {} : { pooling }) })
  }
  const { key, headers = {} } = engine
  const secret = (reference: string | undefined) => (reference === undefined ? undefined : secrets.get(reference))
  const own = {
    name,
    ...optional('key', secret(key)),
    headers: Object.fromEntries(Object.entries(headers).map(([header, value]) => [header, revealed(value, secrets)])),
    client: await client(engine.kind === 'openai' ? wayOf(engine) : {}),
    clock,
  }
  if (engine.kind === 'bedrock') {
    const { region, url, accessKeyId, secretAccessKey, sessionToken } = engine
    return new BedrockEngine({
      ...own,
      region,
      ...optional('url', url),
      ...optional('accessKeyId', secret(accessKeyId)),
      ...optional('secretAccessKey', secret(secretAccessKey)),
      ...optional('sessionToken', secret(sessionToken)),
    })
  }
  if (engine.kind === 'openai') return openAi(engine, own)
  const connection = { ...own, url: engine.url }
  if (engine.kind === 'tei') return new TeiEngine(connection)
  if (engine.kind === 'ollama') return new OllamaEngine(connection)
  return engine.kind === 'gemini' ? new GeminiEngine(connection) : new AnthropicEngine(connection)
}

function openAi(
  engine: Extract<EngineConfig, { readonly kind: 'openai' }>,
  own: Omit<OpenAiOptions, 'url' | 'capField'>,
): OpenAiEngine {
  const provider = providerOf(engine)
  const { keyHeader, without, serves = [], outputCap = 'max_tokens' } = provider
  return new OpenAiEngine({
    ...own,
    url: urlOf(engine) ?? '',
    ...optional('keyHeader', keyHeader),
    ...optional('without', without),
    capField: engine.outputCap ?? outputCap,
    serves: engine.serves ?? serves,
    paths: engine.passthrough,
  })
}

const optional = <Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [One in Name]?: Value } => (value === undefined ? {} : ({ [name]: value } as { [One in Name]: Value }))

const wayOf = ({ socket, tls }: Way): Way => ({
  ...(socket === undefined ? {} : { socket }),
  ...(tls === undefined ? {} : { tls }),
})

/** Rejects with a `Fault` (`certificate_unusable`). */
export async function openClient(way: Way = {}): Promise<HttpClient> {
  const { UndiciClient } = await import('../drivers/undici/client.ts')
  return new UndiciClient(way)
}
