import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal, sentenceOf } from '../base/errors.ts'
import { loadConfig, type LoadedConfig } from './load.ts'
import { applyReload, planReload } from './reload.ts'

async function loaded(yaml: string, env = {}): Promise<LoadedConfig> {
  const readFile = async () => new TextEncoder().encode(yaml)
  const result = await loadConfig({ readFile, env, cwd: '/house', docsFolder: '/docs' })
  if (result instanceof Refusal) assert.fail(sentenceOf(result))
  return result
}

test('the same configuration plans nothing', async () => {
  const yaml = 'models: { m: { deployments: [{ engine: reader, model: r, price: { inputUsd: 1, outputUsd: 2 } }] } }'
  assert.deepEqual(planReload(await loaded(yaml), await loaded(yaml)), { applied: [], needsRestart: [] })
})

test('models, engines, collections, workflows and limits on flow apply; addresses, folders and buffers wait', async () => {
  const before = await loaded(
    `models: { a: { deployments: [{ engine: reader, model: r }] }, gone: { deployments: [{ engine: reader, model: r }] } }`,
  )
  const after = await loaded(`listen: 127.0.0.1:1
data: elsewhere
engines: { e: { kind: openai, url: 'http://h/v1' } }
models: { a: { deployments: [{ engine: reader, model: other }], timeouts: { totalMs: 60000 } } }
workflows: { docs: { topK: 3 } }
limits: { bodyTimeoutMs: 2048, requestsInFlightMax: 5 }
log: { level: debug }`)
  const plan = planReload(before, after)
  assert.deepEqual(plan.applied.toSorted(), [
    'engines.e',
    'limits.requestsInFlightMax',
    'log.level',
    'models.a.deployments',
    'models.a.timeouts.totalMs',
    'models.gone',
    'workflows.docs.topK',
  ])
  assert.deepEqual(plan.needsRestart.toSorted(), ['data', 'limits.bodyTimeoutMs', 'listen'])
})

test('after a reload the running process has the new values, but the old ones of what waits', async () => {
  const before = await loaded('data: one')
  const after = await loaded('data: two\nlimits: { bodyTimeoutMs: 2048, requestsInFlightMax: 7 }')
  const { config } = applyReload(before, after)
  assert.deepEqual(
    [config.data, config.limits.bodyTimeoutMs, config.limits.requestsInFlightMax],
    ['/house/one', 30_000, 7],
  )
  assert(Object.isFrozen(config) && Object.isFrozen(config.limits))
  assert.deepEqual(planReload(before, { ...after, config }).needsRestart, [])
})

test('a rotated secret is a change of the field that refers to it', async () => {
  const yaml = `engines: { e: { kind: openai, url: 'http://h/v1', key: env:K, headers: { x-token: env:T } } }`
  const plan = planReload(await loaded(yaml, { K: 'a', T: 'b' }), await loaded(yaml, { K: 'a', T: 'c' }))
  assert.deepEqual(plan, { applied: ['engines.e.headers.x-token'], needsRestart: [] })
  const hook = `alerts: { webhooks: [{ url: 'https://h/', secret: env:K }] }`
  assert.deepEqual(planReload(await loaded(hook, { K: 'a' }), await loaded(hook, { K: 'b' })), {
    applied: ['alerts.webhooks'],
    needsRestart: [],
  })
  const others = `alerts: { slack: [{ name: ops, url: env:K }], email: { server: 'smtp://h', password: env:T, from: a@b, to: [a@b] } }`
  assert.deepEqual(
    planReload(await loaded(others, { K: 'a', T: 'b' }), await loaded(others, { K: 'b', T: 'c' })).applied,
    ['alerts.slack', 'alerts.email'],
  )
})
