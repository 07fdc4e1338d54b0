/** Prometheus, as Debian has it, scraping the real program: what it makes of `/metrics`, and whether
 *  the dashboard's questions have answers. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { dashboard } from '../../src/cli/dashboards.ts'
import { ADMIN_KEY, startHouse } from '../kit/house.ts'
import { skipPrometheus, startPrometheus } from '../kit/programs.ts'
import { answers, startUpstream } from './upstream.ts'

const POLL_MS = 250
const POLLS_MAX = 160
const CALLS = 5

test(
  'Prometheus scrapes every metric, exemplars with it, and answers what the dashboard asks',
  { skip: skipPrometheus },
  async (t) => {
    const upstream = await startUpstream()
    upstream.behave(answers)
    const price = { inputUsd: '1', outputUsd: '2' }
    const house = await startHouse({
      documents: {},
      config: {
        engines: { up: { kind: 'openai', url: upstream.url } },
        models: { m: { deployments: [{ engine: 'up', model: 'weights', price }] } },
      },
    })
    const folder = mkdtempSync(join(tmpdir(), 'headworks-prometheus-'))
    writeFileSync(join(folder, 'key'), ADMIN_KEY)
    const scrape = {
      job_name: 'headworks',
      authorization: { credentials_file: join(folder, 'key') },
      static_configs: [{ targets: [new URL(house.url).host] }],
    }
    writeFileSync(
      join(folder, 'prometheus.yml'),
      JSON.stringify({ global: { scrape_interval: '1s', scrape_timeout: '1s' }, scrape_configs: [scrape] }),
    )
    const prometheus = await startPrometheus(folder)
    t.after(async () => {
      await prometheus.stop()
      await house.stop()
      await upstream.stop()
      rmSync(folder, { recursive: true, force: true })
    })
    // oxlint-disable-next-line typescript/no-explicit-any -- A test reads whatever shape it expects.
    const ask = async (path: string, query: { readonly [name: string]: string }): Promise<any> => {
      const answer = await fetch(
        `http://127.0.0.1:${prometheus.port}/api/v1/${path}?${new URLSearchParams(query).toString()}`,
      )
      return answer.json()
    }
    const until = async (expr: string, isSo: (value: number) => boolean): Promise<void> => {
      for (let polls = 0; polls < POLLS_MAX; polls++) {
        const { data } = await ask('query', { query: expr })
        if (isSo(Number(data.result[0]?.value[1]))) return
        await sleep(POLL_MS)
      }
      assert.fail(`${expr} did not come`)
    }
    for (let call = 0; call < CALLS; call++) {
      const answer = await fetch(`${house.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hello' }] }),
      })
      assert.equal(answer.status, 200)
      await answer.text()
    }
    const requests = 'headworks_spans_total{kind="request",model="m"}'
    await until(requests, (value) => value === CALLS)
    await until(`count_over_time(${requests}[1m])`, (value) => value > 3)
    const { data } = await ask('targets', { state: 'active' })
    assert.deepEqual([data.activeTargets[0].health, data.activeTargets[0].lastError], ['up', ''])
    const window = { start: String(Date.now() / 1000 - 600), end: String(Date.now() / 1000 + 600) }
    const exemplars = await ask('query_exemplars', { query: 'headworks_span_duration_seconds_bucket', ...window })
    assert.match(JSON.stringify(exemplars.data), /"trace_id":"[0-9a-f]{32}"/)
    for (const { title, targets } of dashboard().panels) {
      for (const { expr } of targets) {
        const query = expr.replaceAll('$__rate_interval', '1m').replaceAll('$tenant', '.*')
        const answer = await ask('query', { query })
        assert.equal(answer.status, 'success', `${title}: ${answer.error}`)
        if (!/first_token|embedding/.test(query)) assert.ok(answer.data.result.length > 0, title)
      }
    }
  },
)
