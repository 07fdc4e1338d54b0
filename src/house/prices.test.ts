import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { loaded, matches, problemsOf } from '../../tests/kit/config.ts'
import { Refusal, sentenceOf } from '../base/errors.ts'
import { planReload } from '../config/reload.ts'
import { namesPrices, priceLoader } from './prices.ts'

const load = priceLoader(join(import.meta.dirname, '../../catalogue/prices.json'), readFile)
const OWN = 'prices: [{ provider: house, model: qwen, usdPerMillion: { input: 0.01, output: 0.02 } }]'
const engine = (provider: string) =>
  `prices: ./my/prices.yaml\nengines: { e: { kind: openai, url: http://h/v1, provider: ${provider} } }`

test('a provider without known prices is refused, with the one that was meant', async () => {
  const refused = await load(await loaded(engine('mistrall'), {}, { '/house/my/prices.yaml': OWN }))
  assert(refused instanceof Refusal && refused.code === 'config_invalid')
  assert.match(
    sentenceOf(refused),
    /engines\.e\.provider = "mistrall" is no provider .*\n +Did you mean "mistral"\? .*together, house/,
  )
})

test('a provider of the own file is known, and the file stands relative to the configuration', async () => {
  const config = await loaded(engine('house'), {}, { '/house/my/prices.yaml': OWN })
  assert.equal(config.config.prices, '/house/my/prices.yaml')
  const prices = await load(config)
  assert(!(prices instanceof Refusal))
  assert.equal(prices.priceOf({ provider: 'house', model: 'qwen', atMs: 0 })?.price.inputNanoUsd, 10_000_000n)
})

test('only a configuration that speaks of prices or providers has them checked at once', async () => {
  assert.equal(namesPrices(await loaded(undefined)), false)
  assert.equal(namesPrices(await loaded('engines: { e: { kind: openai, url: http://h/v1 } }')), false)
  assert.equal(namesPrices(await loaded('engines: { e: { kind: openai, url: http://h/v1, provider: groq } }')), true)
  assert.equal(namesPrices(await loaded('prices: p.yaml', {}, { '/house/p.yaml': OWN })), true)
})

test('a price file that is not there is refused where it is named', async () => {
  matches(await problemsOf('prices: ./gone.yaml'), /^1:9 prices names a file that does not exist \| Correct the path/)
  matches(await problemsOf('prices: 5'), /prices = 5 is not a text/)
})

test('a changed price file is a change, though its name is the same', async () => {
  const [before, same, after] = await Promise.all(
    [OWN, OWN, `${OWN} # later`].map((text) => loaded('prices: p.yaml', {}, { '/house/p.yaml': text })),
  )
  assert(before !== undefined && same !== undefined && after !== undefined)
  assert.deepEqual(planReload(before, same), { applied: [], needsRestart: [] })
  assert.deepEqual(planReload(before, after), { applied: ['prices'], needsRestart: [] })
})
