import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loaded } from '../../tests/kit/config.ts'
import { planReload } from './reload.ts'
import { packConfig, unpackConfig } from './transfer.ts'

const YAML = `
engines: { up: { kind: openai, url: "http://h/v1", key: "env:KEY", headers: { x-token: "env:TOKEN" } } }
models: { chat: { deployments: [{ engine: up, model: m, price: { inputUsd: "0.15", outputUsd: 2 } }] } }
prices: p.yaml`
const PRICES = { '/house/p.yaml': 'prices: [{ provider: a, model: b, usdPerMillion: { input: 1, output: 2 } }]' }
const ENV = { KEY: 'sk-1', TOKEN: 'sk-2', HEADWORKS_ADMIN_KEY: 'hw_0123456789abcdef0123' }

test('a configuration that was sent is the one that was loaded', async () => {
  const before = await loaded(YAML, ENV, PRICES)
  const after = unpackConfig(structuredClone(packConfig(before)))
  assert.deepEqual(JSON.stringify(after.config, text), JSON.stringify(before.config, text))
  assert.deepEqual(planReload(before, after), { applied: [], needsRestart: [] })
  assert.deepEqual(
    [...after.secrets].map(([reference, secret]) => [reference, secret.reveal()]),
    [
      ['env:KEY', 'sk-1'],
      ['env:TOKEN', 'sk-2'],
    ],
  )
  assert.deepEqual([after.file, after.fileFound, after.adminKey], [before.file, true, undefined])
  assert.equal(after.config.models['constructor'], undefined)
  assert.ok(Object.isFrozen(after.config.models['chat']?.deployments[0]))
  assert.doesNotMatch(JSON.stringify(after.secrets.get('env:KEY')), /sk-/)
})

const text = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value)
