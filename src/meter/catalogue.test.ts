import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { Refusal, sentenceOf } from '../base/errors.ts'
import { pathText, type ConfigProblem } from '../config/problem.ts'
import { loadCatalogue, type PriceCatalogue } from './catalogue.ts'
import { costOf } from './prices.ts'
import { NO_USAGE } from './usage.ts'

const SHIPPED = {
  path: 'catalogue/prices.json',
  bytes: readFileSync(new URL('../../catalogue/prices.json', import.meta.url)),
}

interface Raw {
  readonly input: string
  readonly cachedInput?: string
  readonly output: string
}
interface RawEntry {
  readonly provider: string
  readonly model: string
  readonly validFrom: string
  readonly source: string
  readonly usdPerMillion: Raw
  readonly long?: { readonly overInputTokens: number; readonly usdPerMillion: Raw }
}
const RAW = JSON.parse(SHIPPED.bytes.toString()) as { readonly prices: readonly RawEntry[] }

async function catalogue(own?: string): Promise<PriceCatalogue> {
  const loaded = await loadCatalogue(SHIPPED, own === undefined ? undefined : file(own))
  if (loaded instanceof Refusal) assert.fail(sentenceOf(loaded))
  return loaded
}

const file = (text: string) => ({ path: '/house/prices.yaml', bytes: new TextEncoder().encode(text) })
const at = (instant: string): number => Date.parse(instant)
const NOW = at('2026-11-22T12:00:00Z')

test('the shipped catalogue is in order: every price has a day, and a source with a day of its own', async () => {
  const { listed, version, providers } = await catalogue()
  assert.match(version, /^2026-11-22\.[0-9a-f]{8}$/)
  assert.ok(listed.length >= 60, String(listed.length))
  assert.deepEqual([...providers], ['openai', 'anthropic', 'google', 'mistral', 'groq', 'together'])
  for (const { provider, model, validFrom, origin } of listed) {
    assert.ok(validFrom !== undefined && origin !== undefined, `${provider} ${model}`)
    assert.match(origin.url, /^https:\/\//)
    assert.ok(origin.read <= '2026-11-22')
    assert.ok(providers.has(provider))
  }
  assert.ok(Object.isFrozen(listed) && listed.every((entry) => Object.isFrozen(entry)))
})

/** A decimal text as an exact fraction, without the code under test. */
function fraction(text: string): { readonly over: bigint; readonly under: bigint } {
  const [whole = '', decimals = ''] = text.split('.')
  return { over: BigInt(whole + decimals), under: 10n ** BigInt(decimals.length) }
}

test('a cost from the catalogue is the exact fraction of the written decimals, rounded up once', async () => {
  const prices = await catalogue()
  const tokens = fc.oneof(fc.nat(500_000), fc.nat(10_000_000))
  fc.assert(
    fc.property(
      fc.constantFrom(...RAW.prices),
      tokens,
      tokens,
      tokens,
      tokens,
      (raw, input, cached, output, thought) => {
        const atMs = at(raw.validFrom)
        const priced = prices.priceOf({ provider: raw.provider, model: raw.model, atMs })
        assert.ok(priced !== undefined)
        const usage = {
          ...NO_USAGE,
          inputTokens: input,
          cachedInputTokens: cached,
          outputTokens: output,
          reasoningTokens: thought,
        }
        const isLong = raw.long !== undefined && input + cached > raw.long.overInputTokens
        const rates = isLong ? raw.long.usdPerMillion : raw.usdPerMillion
        const parts = [
          [input, rates.input],
          [cached, rates.cachedInput ?? rates.input],
          [output + thought, rates.output],
        ] as const
        // Nano-USD: dollars per million tokens, times 1e9, over 1e6; everything over one divisor.
        let over = 0n
        let under = 1n
        for (const [count, text] of parts) {
          const part = fraction(text)
          over = over * part.under + BigInt(count) * part.over * 1000n * under
          under *= part.under
        }
        assert.equal(costOf(usage, priced.price), (over + under - 1n) / under)
      },
    ),
  )
})

test('a price that changes on a day applies from its first instant, and not before the first day known', async () => {
  const prices = await catalogue()
  const input = (instant: string) =>
    prices.priceOf({ provider: 'google', model: 'gemini-3.6-flash', atMs: at(instant) })?.price.inputNanoUsd
  assert.equal(input('2026-08-24T23:59:59.999Z'), undefined)
  assert.equal(input('2026-08-25T00:00:00.000Z'), 750_000_000n)
  assert.equal(input('2026-12-31T23:59:59.999Z'), 750_000_000n)
  assert.equal(input('2027-01-01T00:00:00.000Z'), 1_500_000_000n)
})

test('a long request has its own price from the first token beyond the bound', async () => {
  const { price } = (await catalogue()).priceOf({ provider: 'openai', model: 'gpt-5.4', atMs: NOW }) ?? {}
  assert.ok(price !== undefined)
  const cost = (inputTokens: number, cachedInputTokens: number) =>
    costOf({ ...NO_USAGE, inputTokens, cachedInputTokens, outputTokens: 1000 }, price)
  assert.equal(cost(272_000, 0), 272_000n * 2500n + 1000n * 15_000n)
  assert.equal(cost(272_000, 1), 272_000n * 5000n + 500n + 1000n * 22_500n)
})

test('a model is found by each of its names; what is not known stays unknown', async () => {
  const prices = await catalogue()
  const price = (provider: string, model: string) => prices.priceOf({ provider, model, atMs: NOW })
  assert.equal(price('openai', 'gpt-4.1-2025-04-14'), price('openai', 'gpt-4.1'))
  assert.equal(price('openai', 'gpt-4.1')?.version, prices.version)
  for (const [provider, model] of [
    ['openai', 'gpt-4.1-2099-01-01'],
    ['openai', 'GPT-4.1'],
    ['openai', 'constructor'],
    ['mistral', 'gpt-4.1'],
    ['constructor', 'gpt-4.1'],
    ['', ''],
  ] as const)
    assert.equal(price(provider, model), undefined, `${provider} ${model}`)
  assert.equal(prices.providerAt('https://api.openai.com/v1'), 'openai')
  for (const url of [
    'https://api.openai.com.evil.test/v1',
    'http://127.0.0.1:8000/v1',
    'https://api.mistral.ai/v1',
    '?',
  ])
    assert.equal(prices.providerAt(url), undefined, url)
})

test("an operator's own file adds models, replaces what the catalogue says about one, and shows in the version", async () => {
  const shipped = await catalogue()
  const prices = await catalogue(`
prices:
  - { provider: openai, model: gpt-4.1-2025-04-14, validFrom: 2026-06-01, usdPerMillion: { input: 1.5, output: "6" } }
  - { provider: openai, model: gpt-4.1-2025-04-14, validFrom: 2026-12-01, usdPerMillion: { input: 1, output: 4 } }
  - { provider: house, model: qwen, usdPerMillion: { input: 0.01, output: 0.02 } }
`)
  const price = (provider: string, model: string, atMs = NOW) => prices.priceOf({ provider, model, atMs })?.price
  assert.deepEqual(price('openai', 'gpt-4.1-2025-04-14'), {
    inputNanoUsd: 1_500_000_000n,
    cachedInputNanoUsd: 1_500_000_000n,
    outputNanoUsd: 6_000_000_000n,
  })
  assert.equal(price('openai', 'gpt-4.1-2025-04-14', at('2026-12-01'))?.inputNanoUsd, 1_000_000_000n)
  assert.equal(price('openai', 'gpt-4.1-2025-04-14', at('2026-05-31')), undefined)
  assert.equal(price('openai', 'gpt-4.1')?.inputNanoUsd, 2_000_000_000n, 'its other name keeps the list price')
  assert.equal(price('house', 'qwen', 0)?.inputNanoUsd, 10_000_000n)
  assert.ok(prices.providers.has('house'))
  assert.equal(prices.version.slice(0, prices.version.indexOf('+')), shipped.version)
  const other = await catalogue(
    'prices: [{ provider: house, model: qwen, usdPerMillion: { input: 0.01, output: 0.03 } }]',
  )
  assert.notEqual(other.version, prices.version)
})

test('JSON is taken as well, and a file of no prices changes none', async () => {
  const own = JSON.stringify({ prices: [{ provider: 'p', model: 'm', usdPerMillion: { input: '1', output: '2' } }] })
  assert.equal(
    (await catalogue(own)).priceOf({ provider: 'p', model: 'm', atMs: 0 })?.price.outputNanoUsd,
    2_000_000_000n,
  )
  assert.equal((await catalogue('prices: []')).listed.length, (await catalogue()).listed.length)
})

const entry = (more: string, usd = '{ input: 1, output: 2 }') =>
  `prices:\n  - { provider: p, model: m, usdPerMillion: ${usd}${more === '' ? '' : `, ${more}`} }`
const two = (first: string, second: string) =>
  `prices:\n  - { provider: p, model: m, ${first} }\n  - { provider: p, ${second} }`
const USD = 'usdPerMillion: { input: 1, output: 2 }'

const BAD: readonly (readonly [what: string, text: string | Uint8Array, problem: RegExp])[] = [
  ['no YAML', 'prices: [', /^1:10 {2}is indented .* or a bracket above it is not closed/],
  ['a list', '- 1', /^1:1 {2}is no mapping/],
  ['empty', '', /prices is missing/],
  ['not UTF-8', new Uint8Array([0xff, 0xfe, 0x00]), /is not UTF-8/],
  ['too large', new Uint8Array(2 ** 20 + 1).fill(0x20), /is larger than 1048576 bytes/],
  ['a field too many', 'price: []\nprices: []', /1:\d+ price is not a known field .*Did you mean "prices"/],
  ['prices that are no list', 'prices: { a: 1 }', /prices = .* is no list/],
  ['too many prices', `prices: [${'0,'.repeat(10_001)}]`, /prices has more than 10000 entries/],
  ['an entry that is a text', 'prices: [cheap]', /prices\[0\] = "cheap" is no mapping/],
  ['no provider', `prices: [{ model: m, ${USD} }]`, /prices\[0\]\.provider is missing/],
  ['a provider that is a number', `prices: [{ provider: 5, model: m, ${USD} }]`, /provider = 5 is no text/],
  ['an empty model', `prices: [{ provider: p, model: "", ${USD} }]`, /model = "" is no text/],
  ['no figures', 'prices: [{ provider: p, model: m }]', /prices\[0\]\.usdPerMillion is missing/],
  ['a misspelt bucket', entry('', '{ input: 1, ouput: 1, output: 2 }'), /usdPerMillion\.ouput is not .*"output"/],
  ['no output', entry('', '{ input: 1 }'), /usdPerMillion\.output is missing/],
  ['a negative price', entry('', '{ input: -1, output: 2 }'), /usdPerMillion\.input = -1 is no price/],
  ['a price in euros', entry('', '{ input: 1, output: "2 EUR" }'), /output = "2 EUR" is no price/],
  ['a decimal comma', entry('', '{ input: "0,15", output: 2 }'), /input = "0,15" is no price/],
  ['ten decimals', entry('', '{ input: "0.0000000001", output: 2 }'), /input = .* is no price/],
  ['a number YAML rounds', entry('', '{ input: 0.0000001, output: 2 }'), /input = 1e-7 is no price/],
  ['an absurd price', entry('', '{ input: 1000000, output: 2 }'), /input = 1000000 is no price/],
  ['null', entry('', '{ input: ~, output: 2 }'), /input = null is no price/],
  ['a day that does not exist', entry('validFrom: 2026-02-30'), /validFrom = "2026-02-30" is no date/],
  ['an instant', entry('validFrom: 2026-02-03T10:00:00Z'), /validFrom = .* is no date/],
  ['a year', entry('validFrom: 2026'), /validFrom = 2026 is no date/],
  ['other names that are no list', entry('also: n'), /also = "n" is no list/],
  ['a source not among the sources', `sources: {}\n${entry('source: hearsay')}`, /source = "hearsay" names no source/],
  ['a source without a day', `sources: { s: { url: u } }\n${entry('source: s')}`, /sources\.s\.read is missing/],
  ['a bound of no tokens', entry(`long: { overInputTokens: 0, ${USD} }`), /overInputTokens = 0 is no count/],
  ['a bound without a price', entry('long: { overInputTokens: 5 }'), /long\.usdPerMillion is missing/],
  [
    'a gap beside a short price',
    entry(`long: { overInputTokens: 5, ${USD} }`, '{ input: 1, cachedInput: 1, output: 2 }'),
    /long\.usdPerMillion\.cachedInput has no price, although short requests have one/,
  ],
  [
    'a gap after an earlier price',
    two('usdPerMillion: { input: 1, cachedInput: 1, output: 2 }', `model: m, validFrom: 2026-01-01, ${USD}`),
    /prices\[1\]\.usdPerMillion\.cachedInput has no price, although prices\[0\] has one/,
  ],
  ['the same twice', two(USD, `model: m, ${USD}`), /prices\[1\] prices a model that prices\[0\] prices too/],
  [
    'the same twice under another name',
    two(`validFrom: 2026-01-01, ${USD}`, `model: n, also: [m], validFrom: 2026-01-01, ${USD}`),
    /prices\[1\] prices a model that prices\[0\] prices from 2026-01-01 on too/,
  ],
  ['a field given twice', 'prices: []\nprices: []', /prices is given twice/],
]

for (const [what, text, problem] of BAD) {
  test(`a price file with ${what} is refused, with path and remedy`, async () => {
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
    const refused = await loadCatalogue(SHIPPED, { path: '/house/prices.yaml', bytes })
    assert(refused instanceof Refusal, 'accepted')
    assert.equal(refused.code, 'prices_invalid')
    assert.match(sentenceOf(refused), /\/house\/prices\.yaml/)
    const list = refused.details['list'] as readonly ConfigProblem[]
    const lines = list.map(({ place, path, value, wrong, remedy }) => {
      assert.ok(remedy.length > 5)
      const where = place === undefined ? '' : `${place.line}:${place.column} `
      return `${where}${pathText(path)}${value === undefined ? '' : ` = ${value}`} ${wrong} | ${remedy}`
    })
    assert.equal(lines.length, 1, lines.join('\n'))
    assert.match(lines[0] ?? '', problem)
  })
}

test('all problems of a file are told at once', async () => {
  const refused = await loadCatalogue(
    SHIPPED,
    file('prices: [{ provider: 1, model: 2, validFrom: x, usdPerMillion: 3 }]'),
  )
  assert(refused instanceof Refusal)
  assert.equal((refused.details['list'] as unknown[]).length, 4)
})

test('a shipped catalogue that was damaged is refused and not half used', async () => {
  for (const text of ['{', '{"prices":{}}']) {
    const refused = await loadCatalogue(
      { path: 'catalogue/prices.json', bytes: new TextEncoder().encode(text) },
      undefined,
    )
    assert(refused instanceof Refusal && refused.code === 'prices_invalid', text)
  }
})
