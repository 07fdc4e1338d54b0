import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../../base/json.ts'
import type { TelemetryStore } from '../port.ts'
import { quantile } from '../sketch.ts'
import type { SamplingRules } from '../sampling.ts'

/** What every store of telemetry keeps to. */

export interface StoreOptions {
  readonly sampling?: SamplingRules
  /** A folder that an earlier one left; absent: a new one. */
  readonly folder?: string
}

/** A span as a client makes it. */
export interface SentSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentId?: string
  readonly name: string
  readonly startUs: number
  readonly endUs: number
  readonly status?: number
  readonly message?: string
  readonly attributes?: JsonObject
  readonly events?: readonly { readonly name: string; readonly atUs: number; readonly attributes?: JsonObject }[]
}

/** What makes spans and bodies of them. */
export interface Kit {
  /** `traces` of eight spans each, from the number `from` on: an agent, four calls of models, three
   *  searches. Every 97th has a search that failed. */
  agentSpans(from: number, traces: number, startUs: number): SentSpan[]
  protobufOf(spans: readonly SentSpan[]): Uint8Array
}

/** A store and where it lies; `open` closes nothing. */
export type OpenStore = (options?: StoreOptions) => Promise<{ readonly store: TelemetryStore; readonly folder: string }>

const START_US = (Date.now() - 3_600_000) * 1000

/** Until what was acknowledged is found. */
async function found(store: TelemetryStore): Promise<void> {
  while ((await store.status()).waitingBytes > 0) await new Promise((resolve) => setImmediate(resolve))
}

async function all(store: TelemetryStore): Promise<string[]> {
  const ids: string[] = []
  for await (const page of store.spans({})) ids.push(...page.map(({ traceId, spanId }) => traceId + spanId))
  return ids.sort()
}

const idsOf = (spans: readonly SentSpan[]): string[] => spans.map(({ traceId, spanId }) => traceId + spanId).sort()

export function telemetryContract(name: string, open: OpenStore, { agentSpans, protobufOf }: Kit): void {
  const take = (store: TelemetryStore, spans: readonly SentSpan[], tenant = '') =>
    store.take({ signal: 'traces', encoding: 'protobuf', compression: '', bytes: protobufOf(spans), tenant })

  test(`${name}: what was taken is listed newest first, page by page, and found by what it is`, async () => {
    const { store } = await open()
    const spans = agentSpans(1, 120, START_US)
    assert.deepEqual(await take(store, spans, 'acme'), { count: 0, reason: '' })
    for (const settled of [false, true]) {
      if (settled) await store.settle()
      else await found(store)
      const first = await store.traces({ limit: 100 })
      const second = await store.traces({ limit: 100, before: first.next })
      const starts = [...first.traces, ...second.traces].map(({ startUs }) => startUs)
      assert.deepEqual(
        starts,
        starts.toSorted((a, b) => b - a),
      )
      assert.deepEqual([starts.length, second.next], [120, undefined])
      const one = first.traces[0] ?? assert.fail()
      assert.deepEqual(
        [one.name, one.service, one.tenant, one.spans, one.requestId],
        ['answer ticket', 'shop', 'acme', 8, ''],
      )
      const trace = await store.trace(one.traceId, { offset: 0, limit: 5 })
      const rest = await store.trace(one.traceId, { offset: 5, limit: 5 })
      assert.deepEqual([trace?.total, trace?.spans.length, rest?.spans.length], [8, 5, 3])
      const shown = [...(trace?.spans ?? []), ...(rest?.spans ?? [])].map(({ spanId }) => spanId)
      assert.equal(new Set(shown).size, 8)
    }
    await store.close()
  })

  test(`${name}: every filter leaves what fits it and no other`, async () => {
    const { store } = await open()
    await take(store, agentSpans(1, 400, START_US))
    await found(store)
    const { traces } = await store.traces({ limit: 1000 })
    const middle = traces[200]?.startUs ?? 0
    for (const [query, fits] of [
      [{ user: 'user-7' }, traces.filter(({ user }) => user === 'user-7')],
      [{ session: 's-12' }, traces.filter(({ session }) => session === 's-12')],
      [{ model: 'gpt-4o' }, traces.filter(({ model }) => model === 'gpt-4o')],
      [{ status: 'error' }, traces.filter(({ errors }) => errors > 0)],
      [{ status: 'ok' }, traces.filter(({ errors }) => errors === 0)],
      [{ durationUsMin: 2_500_000 }, traces.filter(({ durationUs }) => durationUs >= 2_500_000)],
      [{ costNanoUsdMin: 8_000_000 }, traces.filter(({ costNanoUsd }) => costNanoUsd >= 8_000_000)],
      [{ fromUs: middle }, traces.filter(({ startUs }) => startUs >= middle)],
      [{ toUs: middle }, traces.filter(({ startUs }) => startUs < middle)],
      [{ model: 'gpt-4o', status: 'error' }, traces.filter(({ model, errors }) => model === 'gpt-4o' && errors > 0)],
      [{ service: 'nobody' }, []],
      [{ text: 'index 97 timed out' }, traces.filter(({ errors, traceId }) => errors > 0 && traceId.endsWith('61'))],
      [{ text: 'handbook-3' }, traces.filter(({ traceId }) => Number.parseInt(traceId.slice(-8), 16) % 7 === 3)],
      [{ text: '"NOT" OR (' }, []],
    ] as const) {
      const listed = (await store.traces({ ...query, limit: 1000 })).traces.map(({ traceId }) => traceId).sort()
      assert.deepEqual(listed, fits.map(({ traceId }) => traceId).sort(), JSON.stringify(query))
      assert.ok(fits.length < traces.length, `${JSON.stringify(query)} leaves some out`)
    }
    await store.close()
  })

  test(`${name}: the same spans again change nothing, whenever they come, and late ones join their trace`, async () => {
    const { store } = await open()
    const spans = agentSpans(1, 30, START_US)
    const late = spans.filter((_, at) => at % 8 === 5)
    const early = spans.filter((_, at) => at % 8 !== 5)
    for (const batch of [early, early.toReversed(), early.slice(10, 50)]) await take(store, batch)
    await store.settle()
    await Promise.all([take(store, early), take(store, [...late, ...late])])
    await found(store)
    assert.deepEqual(await all(store), idsOf(spans))
    const before = (await store.traces({ limit: 100 })).traces
    assert.ok(before.every(({ spans: count }) => count === 8))
    const one = before[0]?.traceId ?? ''
    assert.equal((await store.trace(one, { offset: 0, limit: 100 }))?.spans.length, 8)
    await store.settle()
    await take(store, spans)
    await store.settle()
    assert.deepEqual(await all(store), idsOf(spans))
    assert.deepEqual((await store.traces({ limit: 100 })).traces, before)
    await store.close()
  })

  test(`${name}: what was acknowledged is there after an end without warning`, async () => {
    const first = await open()
    const spans = agentSpans(1, 50, START_US)
    await take(first.store, spans.slice(0, 200))
    await first.store.settle()
    await take(first.store, spans.slice(200))
    await first.store.close()
    const again = await open({ folder: first.folder })
    await found(again.store)
    assert.deepEqual(await all(again.store), idsOf(spans))
    await again.store.close()
  })

  test(`${name}: sums are exact and percentiles within one per cent, whatever a clock says`, async () => {
    const { store } = await open()
    const spans = agentSpans(1, 200, START_US)
    const lost = [1970, 2100].map((year, at): SentSpan => {
      const startUs = Date.UTC(year, 5, 1) * 1000
      return { ...(spans[at] ?? assert.fail()), spanId: `ff0000000000000${at}`, startUs, endUs: startUs + 1 }
    })
    await take(store, [...spans, ...lost])
    await found(store)
    const range = { fromUs: START_US - 3_600_000_000, toUs: START_US + 7_200_000_000 }
    const [sum] = await store.series({ ...range, by: [], where: {}, overTime: false })
    assert.equal(sum?.spans, spans.length + lost.length)
    const models = await store.series({ ...range, by: ['model'], where: { kind: 'generation' }, overTime: false })
    assert.equal(models.length, 4)
    assert.equal(
      models.reduce((total, { spans: count }) => total + count, 0),
      200 * 4 + 1,
    )
    const durations = spans
      .filter(({ name: of }) => of === 'answer ticket')
      .map(({ startUs, endUs }) => endUs - startUs)
    const [agents] = await store.series({ ...range, by: [], where: { name: 'answer ticket' }, overTime: false })
    for (const q of [0.5, 0.95, 0.99]) {
      const exact = durations.toSorted((a, b) => a - b)[Math.ceil(q * durations.length) - 1] ?? 0
      const told = quantile(agents?.durationUs ?? assert.fail(), q) ?? 0
      assert.ok(Math.abs(told - exact) <= exact * 0.0101, `p${q * 100}: ${told} for ${exact}`)
    }
    const steps = await store.series({ ...range, by: [], where: {}, overTime: true })
    assert.equal(
      steps.reduce((total, { spans: count }) => total + count, 0),
      spans.length + lost.length,
    )
    await store.close()
  })

  test(`${name}: a sample keeps whole traces, and all that is worth it; sums know of the others`, async () => {
    const { store } = await open({ sampling: { share: 0.2 } })
    const spans = agentSpans(1, 300, START_US)
    await take(store, spans)
    await store.settle()
    const { traces } = await store.traces({ limit: 1000 })
    assert.ok(traces.length > 20 && traces.length < 150, `${traces.length} of 300 kept`)
    assert.ok(
      traces.every(({ spans: count, errors, probability }) => count === 8 && probability === (errors > 0 ? 1 : 0.2)),
    )
    assert.equal(traces.filter(({ errors }) => errors > 0).length, 3)
    const kept = new Set(traces.map(({ traceId }) => traceId))
    assert.deepEqual(await all(store), idsOf(spans.filter(({ traceId }) => kept.has(traceId))))
    const range = { fromUs: START_US - 1, toUs: START_US + 3_600_000_000 }
    const [sum] = await store.series({ ...range, by: [], where: {}, overTime: false })
    assert.equal(sum?.spans, spans.length)
    await take(store, spans)
    await store.settle()
    assert.equal((await store.traces({ limit: 1000 })).traces.length, traces.length)
    await store.close()
  })

  test(`${name}: a trace whose parents go round in a circle is shown like any other`, async () => {
    const { store } = await open()
    const [a, b] = agentSpans(1, 1, START_US)
    assert.ok(a !== undefined && b !== undefined)
    await take(store, [
      { ...a, parentId: b.spanId },
      { ...b, parentId: a.spanId },
    ])
    await found(store)
    const trace = await store.trace(a.traceId, { offset: 0, limit: 10 })
    assert.deepEqual([trace?.spans.length, trace?.summary.spans], [2, 2])
    await store.close()
  })

  test(`${name}: a score goes with its trace, and keeps it`, async () => {
    const { store } = await open({ sampling: { share: 0 } })
    const spans = agentSpans(1, 5, START_US)
    const traceId = spans[0]?.traceId ?? ''
    const told = {
      kind: 'feedback',
      name: 'thumbs',
      value: 1,
      label: '',
      comment: 'Right.',
      tenant: '',
      spanId: '',
    } as const
    await take(store, spans)
    for (const _ of [1, 2]) await store.score({ ...told, id: 'one', traceId, atUs: START_US })
    await store.settle()
    assert.deepEqual(
      (await store.traces({ limit: 10 })).traces.map((one) => one.traceId),
      [traceId],
    )
    assert.deepEqual((await store.trace(traceId, { offset: 0, limit: 1 }))?.scores.length, 1)
    await store.close()
  })
}
