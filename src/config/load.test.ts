import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { loaded, matches, problemsOf } from '../../tests/kit/config.ts'
import { revealed } from './references.ts'
import { toYaml } from './show.ts'

const CHAT = `
engines:
  local: { kind: openai, url: 'http://127.0.0.1:8000/v1' }
models:
  chat: { deployments: [{ engine: local, model: qwen }] }
`

test('without a file the embedded engines, the handbook and its workflow are there', async () => {
  const { config, fileFound, file } = await loaded(undefined)
  assert.equal(fileFound, false)
  assert.equal(file, '/house/headworks.yaml')
  assert.deepEqual(Object.keys(config.engines), ['reader', 'lexical'])
  assert.deepEqual(Object.keys(config.models), ['reader', 'lexical'])
  assert.deepEqual(config.collections['handbook']?.sources, [{ kind: 'folder', path: '/app/docs' }])
  const docs = config.workflows['docs']
  assert.deepEqual([docs?.collection, docs?.topK, docs?.model, docs?.rerank], ['handbook', 8, 'reader', 'none'])
  assert.equal(config.listen, '127.0.0.1:4750')
  assert.equal(config.data, '/house/.headworks')
})

test('an empty file, one of comments and one of empty sections equal none', async () => {
  const { config } = await loaded(undefined)
  for (const text of ['', '# nothing\n', '---\n', 'models:\nengines: ~\n', '\ufeff'])
    assert.deepEqual((await loaded(text)).config, config)
})

test('five lines put a real model behind the workflow', async () => {
  const { config } = await loaded(`${CHAT}workflows: { docs: { model: chat } }`)
  assert.equal(config.workflows['docs']?.model, 'chat')
  assert.equal(config.workflows['docs']?.collection, 'handbook')
  assert.equal(config.models['chat']?.timeouts.connectMs, 3000)
  assert(config.models['reader'] !== undefined)
})

test('a name given by the user replaces the default of that name', async () => {
  const { config } = await loaded('collections: { handbook: { sources: [{ path: ./mine }] } }')
  assert.deepEqual(config.collections['handbook'], {
    sources: [{ kind: 'folder', path: '/house/mine' }],
    recallSample: 0.01,
    targets: { recallAt10: 0.95, searchP95Ms: 50, freshnessMs: 2000 },
    embedding: 'lsa',
    refit: 'propose',
    chunks: { tokensMax: 512, overlapTokens: 0 },
    context: 'none',
  })
})

test('the result is frozen all the way down and has no inherited names', async () => {
  const { config } = await loaded(CHAT)
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    assert(Object.isFrozen(value))
    Object.values(value).forEach(walk)
  }
  walk(config)
  assert.equal(config.models['constructor'], undefined)
  assert.equal(
    (await loaded('engines: { constructor: { kind: reader } }')).config.engines['constructor']?.kind,
    'reader',
  )
})

test('the environment wins over the file', async () => {
  const env = { HEADWORKS_LISTEN: '0.0.0.0:80', HEADWORKS_DATA: 'd', HEADWORKS_ADMIN_KEY: 'hw_0123456789abcdefgh' }
  const { config, adminKey } = await loaded('listen: 127.0.0.1:1\ndata: /x', env)
  assert.deepEqual(
    [config.listen, config.data, adminKey?.reveal()],
    ['0.0.0.0:80', '/house/d', 'hw_0123456789abcdefgh'],
  )
  assert.equal((await loaded('listen: "[::1]:0"', { HEADWORKS_LISTEN: '' })).config.listen, '[::1]:0')
})

test('an admin key that could be guessed, or that no header carries, is refused and not shown', async () => {
  for (const key of [
    'a',
    'hw_0123456789abcdef',
    'with a blank in its middle',
    'schlüssel-schlüssel-schlüssel',
    'x'.repeat(201),
  ]) {
    matches(await problemsOf('', { HEADWORKS_ADMIN_KEY: key }), /^- HEADWORKS_ADMIN_KEY is not 20 to 200 visible ASCII/)
  }
})

test('HEADWORKS_CONFIG names the file, and relative paths start at its folder', async () => {
  const result = await loaded(
    undefined,
    { HEADWORKS_CONFIG: 'etc/hw.yaml' },
    { '/house/etc/hw.yaml': 'data: d\ncollections: { c: { sources: [{ path: p }] } }' },
  )
  assert.deepEqual(
    [result.config.data, result.config.collections['c']?.sources[0]],
    ['/house/etc/d', { kind: 'folder', path: '/house/etc/p' }],
  )
  matches(await problemsOf(undefined, { HEADWORKS_CONFIG: 'nope.yaml' }), /^- {2}does not exist \| HEADWORKS_CONFIG/)
})

test('prices are exact, from texts and from numbers', async () => {
  const price = async (input: string, more = '') =>
    (
      await loaded(
        `engines: { e: { kind: reader } }\nmodels: { m: { deployments: [{ engine: e, model: m, price: { inputUsd: ${input}, outputUsd: 2${more} } }] } }`,
      )
    ).config.models['m']?.deployments[0]?.price
  assert.deepEqual(await price('0.15'), {
    inputNanoUsd: 150_000_000n,
    cachedInputNanoUsd: 150_000_000n,
    outputNanoUsd: 2_000_000_000n,
  })
  assert.equal((await price('"0.000000001"'))?.inputNanoUsd, 1n)
  assert.equal((await price('1', ', cachedInputUsd: 0.1'))?.cachedInputNanoUsd, 100_000_000n)
  for (const wrong of ['-1', '1e-7', '1000000', '.nan', '"1,5"', '0.0000000001', 'true']) {
    const lines = await problemsOf(
      `models: { m: { deployments: [{ engine: reader, model: m, price: { inputUsd: ${wrong}, outputUsd: 2 } }] } }`,
    )
    matches(lines, /models\.m\.deployments\[0\]\.price\.inputUsd = .* is (no price|not a price)/)
  }
})

test('every amount a number can carry is converted exactly', async () => {
  await fc.assert(
    fc.asyncProperty(fc.bigInt(0n, 999_999_999_999_999n), async (nanoUsd) => {
      const text = `${nanoUsd / 1_000_000_000n}.${(nanoUsd % 1_000_000_000n).toString().padStart(9, '0')}`
      for (const written of [text, JSON.stringify(text)]) {
        if (written === text && Number(text) > 0 && Number(text) < 1e-6) continue // JavaScript prints these as 1e-7
        const { config } = await loaded(
          `models: { m: { deployments: [{ engine: reader, model: m, price: { inputUsd: ${written}, outputUsd: 0 } }] } }`,
        )
        assert.equal(config.models['m']?.deployments[0]?.price?.inputNanoUsd, nanoUsd)
      }
    }),
    { numRuns: 30 },
  )
})

test('secrets are references, resolved apart from the configuration and never printed', async () => {
  const yaml = `engines:
  a: { kind: openai, url: 'http://h/v1', key: env:K, headers: { x-org: acme, x-api-key: 'file:../k' } }`
  const { config, secrets } = await loaded(yaml, { K: 'sk-one' }, { '/k': 'sk-two\n' })
  const engine = config.engines['a']
  assert(engine?.kind === 'openai')
  assert.equal(engine.key, 'env:K')
  assert.equal(revealed(engine.key, secrets), 'sk-one')
  assert.deepEqual(
    Object.values(engine.headers ?? {}).map((text) => revealed(text, secrets)),
    ['acme', 'sk-two'],
  )
  const all = { config, secrets }
  const printed = [
    inspect(all, { depth: 9, showHidden: true }),
    JSON.stringify([...secrets]),
    String(secrets.get('env:K')),
    String([...secrets.values()]),
  ]
  for (const text of printed) assert(!/sk-(one|two)/.test(text), text)
})

test('an anchor used a few times is a convenience', async () => {
  const { config } = await loaded('models:\n  a: &m { deployments: [{ engine: reader, model: r }] }\n  b: *m\n')
  assert.deepEqual(config.models['b'], config.models['a'])
})

test('what is shown loads again to the same configuration', async () => {
  const yaml = `${CHAT}
  priced:
    deployments: [{ engine: local, model: x, weight: 0, label: canary, price: { inputUsd: 0.15, cachedInputUsd: "0.0000001", outputUsd: 10 } }]
    fallback: [chat]
    timeouts: { totalMs: 700000 }
workflows: { docs: { model: chat, instructions: "Be brief:\\n- yes" } }
log: { level: warn }`
  const { config } = await loaded(yaml)
  assert.deepEqual((await loaded(toYaml(config))).config, config)
  assert.deepEqual((await loaded(toYaml((await loaded(undefined)).config))).config, (await loaded(undefined)).config)
})

test('a strategy of routing is one that there is, and weights stand where they mean something', async () => {
  const model = (routing: string, weight: number) =>
    `models: { a: { routing: ${routing}, deployments: [{ engine: reader, model: m, weight: ${weight} }] } }`
  assert.equal((await loaded(model('p2c', 5))).config.models['a']?.routing, 'p2c')
  assert.equal((await loaded(model('priority', 0))).config.models['a']?.routing, 'priority')
  assert.equal((await loaded(undefined)).config.models['reader']?.routing, 'weighted')
  matches(await problemsOf(model('quickest', 1)), /a\.routing = "quickest"/)
  matches(
    await problemsOf(model('priority', 5)),
    /a\.deployments\[0\]\.weight = 5 has no meaning under `routing: priority`, where the order of the list decides \| Take it out/,
  )
  matches(await problemsOf(model('cheapest', 2)), /under `routing: cheapest`, where the price decides/)
})
