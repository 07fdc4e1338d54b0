import { nearest } from '../base/nearest.ts'
import type { Path } from './problem.ts'
import { urlOf } from './providers.ts'

/** What one section says about another: names that must exist, and those that must not repeat.
 *  Works on unvalidated values and looks only at what has the right shape, so that its findings
 *  join those of the schema instead of waiting for them. */

export interface Finding {
  readonly path: Path
  readonly of: 'name' | 'value'
  readonly wrong: string
  readonly remedy: string
}

type Named = ReadonlyMap<string, { readonly [field: string]: unknown }>

/** What kinds of engines do, where that is known without asking them. */
const OPERATIONS_OF_KIND: { readonly [kind: string]: readonly string[] } = {
  anthropic: ['chat'],
  reader: ['chat'],
  lexical: ['rerank'],
  tei: ['embed', 'rerank'],
  ollama: ['embed'],
  onnx: ['embed'],
  detectors: ['moderations'],
}

/** Whose engines are at a provider unless they have a `url`. */
const PROVIDER_OF_KIND: { readonly [kind: string]: string } = {
  openai: 'OpenAI',
  anthropic: 'Anthropic',
  gemini: 'Google',
}

export function findMisnamed(root: unknown): Finding[] {
  const [engines, models, collections, workflows, guards] = [
    'engines',
    'models',
    'collections',
    'workflows',
    'guards',
  ].map((name) => section(root, name))
  // Where a whole section is no mapping, its names are unknown, and every finding would be noise.
  if (engines === undefined || models === undefined || collections === undefined || workflows === undefined) return []
  return [
    ...nowhereOf(engines),
    ...deploymentsOf(models, engines),
    ...fallbacksOf(models, workflows, engines),
    ...(guards === undefined ? [] : guardsOf(models, guards)),
    ...routingsOf(models),
    ...meaningsOf(models),
    ...timeoutsOf(models),
    ...embeddingsOf(collections, models, engines),
    ...workflowsOf(workflows, models, collections, engines),
  ]
}

/** Without a URL an engine is the provider's. That takes a credential; without one a local server's URL
 *  was forgotten, and its traffic must not go to a provider. */
function* nowhereOf(engines: Named): Generator<Finding> {
  for (const [name, { kind, url, key, headers, provider: named }] of engines) {
    const provider = PROVIDER_OF_KIND[String(kind)]
    if (provider === undefined || url !== undefined) continue
    const own = typeof named === 'string' && kind === 'openai' ? urlOf({ provider: named }) : 'https:'
    if (own === undefined)
      yield {
        path: ['engines', name],
        of: 'name',
        wrong: `has no \`url\`, and its provider "${String(named)}" has none that is the same for everybody`,
        remedy: 'Give it its `url`, with the version.',
      }
    else if (key === undefined && headers === undefined && own.startsWith('https:'))
      yield {
        path: ['engines', name],
        of: 'name',
        wrong: 'has neither `url` nor `key`',
        remedy: `Give a server of your own its \`url\`, such as http://127.0.0.1:8000/v1, and ${provider} its \`key\`.`,
      }
  }
}

function* deploymentsOf(models: Named, engines: Named): Generator<Finding> {
  for (const [name, model] of models) {
    for (const [at, deployment] of listOf(model['deployments']).entries()) {
      const engine = fieldsOf(deployment)?.['engine']
      if (typeof engine !== 'string' || engines.has(engine)) continue
      yield {
        path: ['models', name, 'deployments', at, 'engine'],
        of: 'value',
        wrong: 'names no engine',
        remedy: among(engine, engines, '`engines:`'),
      }
    }
  }
}

/** A fallback is the name of a model, or `engine/model` for a deployment that needs no name. */
function* fallbacksOf(models: Named, workflows: Named, engines: Named): Generator<Finding> {
  for (const [name, model] of models) {
    for (const [at, fallback] of listOf(model['fallback']).entries()) {
      if (typeof fallback !== 'string' || isDirect(fallback, models, engines)) continue
      const path = ['models', name, 'fallback', at]
      if (workflows.has(fallback) && !models.has(fallback))
        yield { path, of: 'value', wrong: 'names a workflow', remedy: 'A fallback is a model.' }
      else if (!models.has(fallback) && engines.has(fallback.slice(0, fallback.indexOf('/')))) continue
      else if (!models.has(fallback))
        yield { path, of: 'value', wrong: 'names no model', remedy: among(fallback, models, '`models:`') }
      else {
        const circle = circleThrough(name, fallback, models)
        if (circle !== undefined)
          yield {
            path,
            of: 'value',
            wrong: `leads back to itself: ${circle.join(' → ')}`,
            remedy: 'Take one of these fallbacks out.',
          }
      }
    }
  }
}

/** What measures questions is a model. */
function* meaningsOf(models: Named): Generator<Finding> {
  for (const [name, model] of models) {
    const embedding = fieldsOf(fieldsOf(model['cache'])?.['semantic'])?.['embedding']
    if (typeof embedding !== 'string') continue
    const path = ['models', name, 'cache', 'semantic', 'embedding']
    if (!models.has(embedding))
      yield { path, of: 'value', wrong: 'names no model', remedy: among(embedding, models, '`models:`') }
  }
}

function* guardsOf(models: Named, guards: Named): Generator<Finding> {
  for (const [name, model] of models) {
    for (const [at, guard] of listOf(model['guards']).entries()) {
      if (typeof guard !== 'string' || guards.has(guard)) continue
      const path = ['models', name, 'guards', at]
      yield { path, of: 'value', wrong: 'names no guard', remedy: among(guard, guards, '`guards:`') }
    }
  }
}

/** `engine/model`: a fallback without a name of its own. */
const isDirect = (name: string, models: Named, engines: Named): boolean =>
  !models.has(name) && /^[^/]+\/./.test(name) && engines.has(name.slice(0, name.indexOf('/')))

/** The way from `next` back to `start` over fallbacks, or undefined. */
function circleThrough(start: string, next: string, models: Named): string[] | undefined {
  const seen = new Set<string>()
  const walk = (name: string, way: readonly string[]): string[] | undefined => {
    if (name === start) return [...way, name]
    if (seen.has(name)) return undefined
    seen.add(name)
    for (const further of listOf(models.get(name)?.['fallback'])) {
      const found = typeof further === 'string' ? walk(further, [...way, name]) : undefined
      if (found !== undefined) return found
    }
    return undefined
  }
  return walk(next, [start])
}

/** A weight says nothing where something else decides the order; 0 still says: last. */
const UNWEIGHED: { readonly [routing: string]: string } = { priority: 'the order of the list', cheapest: 'the price' }

function* routingsOf(models: Named): Generator<Finding> {
  for (const [name, { routing, deployments }] of models) {
    const decides = typeof routing === 'string' ? UNWEIGHED[routing] : undefined
    if (decides === undefined) continue
    for (const [at, deployment] of listOf(deployments).entries()) {
      const weight = fieldsOf(deployment)?.['weight']
      if (typeof weight !== 'number' || weight <= 1) continue
      yield {
        path: ['models', name, 'deployments', at, 'weight'],
        of: 'value',
        wrong: `has no meaning under \`routing: ${String(routing)}\`, where ${decides} decides`,
        remedy: 'Take it out, or choose `weighted`, `least_outstanding` or `p2c`.',
      }
    }
  }
}

function* timeoutsOf(models: Named): Generator<Finding> {
  for (const [name, model] of models) {
    const timeouts = fieldsOf(model['timeouts'])
    const total = timeouts?.['totalMs']
    if (timeouts === undefined || typeof total !== 'number') continue
    for (const phase of ['connectMs', 'firstTokenMs', 'betweenTokensMs']) {
      const limit = timeouts[phase]
      if (typeof limit !== 'number' || limit <= total) continue
      yield {
        path: ['models', name, 'timeouts', phase],
        of: 'value',
        wrong: `is longer than totalMs, ${total}`,
        remedy: 'Raise `totalMs` or lower this one.',
      }
    }
  }
}

/** Fields that name a model, what it must serve, and what they may say instead. */
const CALLED_BY_WORKFLOWS: readonly (readonly [field: string, operation: string, ...others: string[]])[] = [
  ['model', 'chat'],
  ['rerank', 'rerank', 'none'],
  ['rewrite', 'chat', 'none', 'terms'],
  ['groundedness', 'chat', 'none', 'lexical'],
]

function* embeddingsOf(collections: Named, models: Named, engines: Named): Generator<Finding> {
  for (const [name, collection] of collections) {
    for (const [field, operation, others] of [
      ['embedding', 'embed', ['lsa', 'none']],
      ['context', 'chat', ['none']],
    ] as const) {
      const model = collection[field]
      if (typeof model !== 'string' || others.some((other) => other === model)) continue
      const path = ['collections', name, field]
      if (!models.has(model))
        yield { path, of: 'value', wrong: 'names no model', remedy: among(model, models, '`models:`') }
      else if (!canServe(models.get(model), operation, engines))
        yield {
          path,
          of: 'value',
          wrong: operation === 'embed' ? 'names a model that cannot embed' : 'names a model that cannot answer',
          remedy: `Name a model that serves ${operation}, or write ${others.map((other) => `\`${other}\``).join(' or ')}.`,
        }
    }
  }
}

function* workflowsOf(workflows: Named, models: Named, collections: Named, engines: Named): Generator<Finding> {
  for (const [name, workflow] of workflows) {
    const at = (field: string): Path => ['workflows', name, field]
    if (models.has(name)) {
      yield {
        path: ['workflows', name],
        of: 'name',
        wrong: 'has the name of a model',
        remedy: 'Callers name both in `model`: give one of them another name.',
      }
    }
    const collection = workflow['collection']
    if (typeof collection === 'string' && !collections.has(collection)) {
      yield {
        path: at('collection'),
        of: 'value',
        wrong: 'names no collection',
        remedy: among(collection, collections, '`collections:`'),
      }
    }
    for (const [field, operation, ...others] of CALLED_BY_WORKFLOWS) {
      const model = workflow[field]
      if (typeof model !== 'string' || others.includes(model)) continue
      const path = at(field)
      if (!models.has(model)) {
        const wrong = workflows.has(model) ? 'names a workflow' : 'names no model'
        yield { path, of: 'value', wrong, remedy: among(model, models, '`models:`') }
      } else if (!canServe(models.get(model), operation, engines)) {
        yield {
          path,
          of: 'value',
          wrong: operation === 'chat' ? 'names a model that cannot answer' : 'names a model that cannot rerank',
          remedy: `Name a model that serves ${operation}.`,
        }
      }
    }
  }
}

function canServe(
  model: { readonly [field: string]: unknown } | undefined,
  operation: string,
  engines: Named,
): boolean {
  const operations = listOf(model?.['deployments']).map((deployment) => {
    const kind = engines.get(String(fieldsOf(deployment)?.['engine']))?.['kind']
    return OPERATIONS_OF_KIND[String(kind)]
  })
  return operations.length === 0 || operations.some((one) => one === undefined || one.includes(operation))
}

function among(name: string, known: Named, where: string): string {
  const near = nearest(name, known.keys())
  return `${near === undefined ? '' : `Did you mean "${near}"? `}Name one of ${[...known.keys()].join(', ') || '(none yet)'}, or add it under ${where}.`
}

function section(root: unknown, name: string): Named | undefined {
  const entries = fieldsOf(fieldsOf(root)?.[name])
  return entries && new Map(Object.entries(entries).map(([key, value]) => [key, fieldsOf(value) ?? {}]))
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const fieldsOf = (value: unknown): { readonly [field: string]: unknown } | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as { readonly [field: string]: unknown })
    : undefined
