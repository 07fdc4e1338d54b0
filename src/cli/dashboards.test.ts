import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dashboard, Panel } from '@grafana/schema'
import { type } from '../../tests/kit/terminal.ts'
import { metricsRoutes } from '../control/metrics.ts'
import { sketchOf } from '../trace/sketch.ts'
import { dashboard } from './dashboards.ts'

/** The compiler checks it against Grafana's own schema. */
const checked: Dashboard & { readonly panels?: readonly unknown[] } = dashboard()
const panels: readonly Panel[] = dashboard().panels

test('the dashboard is written as Grafana imports it', async () => {
  const { exit, out } = await type(['dashboards'], {})
  assert.equal(exit, 0)
  assert.deepEqual(JSON.parse(out), checked)
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
  const cells = panels.map(({ gridPos }) => `${gridPos?.x} ${gridPos?.y}`)
  assert.equal(new Set(cells).size, panels.length)
})

test('every chart asks for metrics and labels that there are', async () => {
  const point = {
    atUs: 0,
    of: { tenant: 't', service: 's', kind: 'request' as const, model: 'm' },
    spans: 1,
    errors: 0,
    inputTokens: 1,
    outputTokens: 1,
    costNanoUsd: 1,
    durationUs: sketchOf(10),
    firstTokenUs: sketchOf(5),
  }
  const status = { waitingBytes: 0, recentSpans: 0, fileSpans: 0, fileBytes: 0, recentBytes: 0, files: 0 }
  const telemetry = { totals: async () => [point], status: async () => status }
  const [route] = metricsRoutes(telemetry as never)
  const answer = route?.answer({} as never) as { readonly pieces: AsyncIterable<Uint8Array> }
  const text = Buffer.concat(await Array.fromAsync(answer.pieces)).toString()
  const names = new Set([...text.matchAll(/^(headworks_\w+)/gm)].map(([, name]) => name))
  const labels = new Set(['le', ...[...text.matchAll(/[{,](\w+)="/g)].map(([, name]) => name)])
  for (const target of panels.flatMap(({ targets }) => targets ?? [])) {
    const expr = String(target['expr'])
    for (const [name] of expr.matchAll(/headworks_\w+/g)) assert.ok(names.has(name), name)
    for (const [, label = ''] of expr.matchAll(/[{,](\w+)=/g)) assert.ok(labels.has(label), label)
    for (const [, all = ''] of expr.matchAll(/by \(([^)]+)\)/g))
      for (const label of all.split(', ')) assert.ok(labels.has(label), label)
  }
})
