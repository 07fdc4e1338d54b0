import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { loaded } from '../../tests/kit/config.ts'
import { ManualClock } from '../../tests/kit/clock.ts'
import { HandEngine } from '../../tests/kit/engine.ts'
import { Refusal } from '../base/errors.ts'
import { loadCatalogue } from '../meter/catalogue.ts'
import { Health } from '../engine/health.ts'
import { BYTES } from '../meter/tokenizer/tokenizer.ts'
import { buildCatalogue } from './build.ts'
import type { LogicalModel } from './catalogue.ts'

const SHIPPED = {
  path: 'catalogue/prices.json',
  bytes: readFileSync(new URL('../../catalogue/prices.json', import.meta.url)),
}
const NOW = Date.parse('2026-11-22')

async function pricesOf(yaml: string, shipped = true) {
  const { config } = await loaded(yaml, { KEY: 'secret' })
  const prices = await loadCatalogue(SHIPPED, undefined)
  assert(!(prices instanceof Refusal))
  const engines = new Map(Object.keys(config.engines).map((name) => [name, new HandEngine(name)]))
  const catalogue = buildCatalogue(
    config,
    engines,
    new Map(),
    new Health({ clock: new ManualClock() }),
    shipped ? prices : undefined,
  )
  return {
    version: prices.version,
    price: (model: string, atMs = NOW) => catalogue.get(model)?.deployments[0]?.priceAt?.(atMs),
    fallback: (model: string) => catalogue.get(model)?.fallback[0]?.deployments[0]?.priceAt?.(NOW),
  }
}

const YAML = `
engines:
  openai: { kind: openai, key: env:KEY }
  mistral: { kind: openai, url: https://api.mistral.ai/v1, key: env:KEY, provider: mistral }
  local: { kind: openai, url: http://127.0.0.1:8000/v1 }
  claude: { kind: anthropic, key: env:KEY }
models:
  list: { deployments: [{ engine: openai, model: gpt-5-mini }] }
  own: { deployments: [{ engine: openai, model: gpt-5-mini, price: { inputUsd: 1, outputUsd: 2 } }] }
  unheard: { deployments: [{ engine: openai, model: gpt-99 }], fallback: [openai/gpt-4.1] }
  named: { deployments: [{ engine: mistral, model: mistral-large-2512 }] }
  local: { deployments: [{ engine: local, model: gpt-5-mini }] }
  haiku: { deployments: [{ engine: claude, model: claude-haiku-4-5 }] }
`

test('the list price applies at OpenAI and where a provider is named; a price of its own wins over it', async () => {
  const { price, version, fallback } = await pricesOf(YAML)
  assert.deepEqual([price('list')?.price.inputNanoUsd, price('list')?.version], [250_000_000n, version])
  assert.deepEqual([price('own')?.price.inputNanoUsd, price('own')?.version], [1_000_000_000n, 'config'])
  assert.deepEqual([price('named')?.price.outputNanoUsd, price('named')?.version], [1_500_000_000n, version])
  assert.deepEqual([price('haiku')?.price.cacheWrite1hNanoUsd, price('haiku')?.version], [2_000_000_000n, version])
  assert.equal(fallback('unheard')?.price.inputNanoUsd, 2_000_000_000n)
})

test('an unknown price stays unknown and is never zero; embedded engines are free', async () => {
  const { price } = await pricesOf(YAML)
  assert.equal(price('unheard'), undefined)
  assert.equal(price('local'), undefined, 'a server of your own is not its namesake')
  assert.equal(price('list', Date.parse('2020-01-01')), undefined)
  assert.deepEqual([price('reader')?.price.outputNanoUsd, price('reader')?.version], [0n, 'embedded'])
  const without = await pricesOf(YAML, false)
  assert.deepEqual([without.price('list'), without.price('named')], [undefined, undefined])
  assert.equal(without.price('own')?.version, 'config')
})

test('a deployment has the tokenizer of its model at its provider, also as a fallback without a name', async () => {
  const { config } = await loaded(YAML, { KEY: 'secret' })
  const prices = await loadCatalogue(SHIPPED, undefined)
  assert(!(prices instanceof Refusal))
  const engines = new Map(Object.keys(config.engines).map((name) => [name, new HandEngine(name)]))
  const catalogue = buildCatalogue(
    config,
    engines,
    new Map(),
    new Health({ clock: new ManualClock() }),
    prices,
    ({ model }, provider) => (provider === undefined ? undefined : { ...BYTES, name: `${model} at ${provider}` }),
  )
  const nameOf = (model: LogicalModel | undefined): string | undefined => model?.deployments[0]?.tokenizer?.name
  assert.equal(nameOf(catalogue.get('list')), 'gpt-5-mini at openai')
  assert.equal(nameOf(catalogue.get('named')), 'mistral-large-2512 at mistral')
  assert.equal(nameOf(catalogue.get('local')), undefined)
  assert.equal(nameOf(catalogue.get('unheard')?.fallback[0]), 'gpt-4.1 at openai')
})

test('answers kept by meaning are forgotten with what measured them', async () => {
  const versionOf = async (semantic: string, weights = 'e5', url = 'h'): Promise<string | undefined> => {
    const { config } = await loaded(`
engines: { e: { kind: openai, url: 'http://${url}/v1' }, c: { kind: openai, url: 'http://c/v1' } }
models:
  meaning: { deployments: [{ engine: e, model: ${weights} }] }
  chat: { deployments: [{ engine: c, model: m }], cache: { ttlMs: 1000${semantic} } }
`)
    const engines = new Map(Object.keys(config.engines).map((name) => [name, new HandEngine(name)]))
    const health = new Health({ clock: new ManualClock() })
    return buildCatalogue(config, engines, new Map(), health, undefined).get('chat')?.cache?.version
  }
  const semantic = ', semantic: { embedding: meaning }'
  const versions = [
    await versionOf(''),
    await versionOf(semantic),
    await versionOf(semantic, 'bge'),
    await versionOf(semantic, 'e5', 'elsewhere'),
    await versionOf(', semantic: { embedding: meaning, similarityMin: 0.9 }'),
  ]
  assert.equal(new Set(versions).size, versions.length)
  assert.equal(await versionOf(semantic), versions[1])
  assert.equal(await versionOf('', 'bge'), versions[0], 'who does not look at meanings keeps its answers')
})
