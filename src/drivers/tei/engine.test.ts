import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { type Scripted, scriptedServer } from '../../../tests/kit/scripted-server.ts'
import { someSpending } from '../../../tests/kit/spending.ts'
import { Fault } from '../../base/errors.ts'
import type { Json } from '../../base/json.ts'
import { Trace } from '../../trace/trace.ts'
import { UndiciClient } from '../undici/client.ts'
import { TeiEngine } from './engine.ts'

/** As Text Embeddings Inference 1.8 documents its interface (`/docs/openapi.json` of its repository). */
const INFO = {
  model_id: 'intfloat/e5-small-v2',
  model_sha: 'dca8b1a9dae0d4575df2bf423a5edb485a431236',
  model_dtype: 'float16',
  model_type: { embedding: { pooling: 'mean' } },
  max_concurrent_requests: 512,
  max_client_batch_size: 32,
}

let server: Scripted | undefined
const client = new UndiciClient()
describe('tei: engine', () => {
  afterEach(() => server?.close())

  const open = async (script: Parameters<typeof scriptedServer>[0]): Promise<TeiEngine> => {
    server = await scriptedServer(script)
    return new TeiEngine({ name: 'tei', url: `${server.url}/`, key: { reveal: () => 'hf_1' }, client })
  }
  const context = () => ({
    requestId: 'req_1',
    span: new Trace(new ManualClock()).open('call'),
    connectTimeoutMs: 1000,
    spending: someSpending(),
    signal: AbortSignal.timeout(5000),
    model: 'e5',
  })
  const fails = (code: string) => (thrown: unknown) => thrown instanceof Fault && thrown.code === code

  test('embeds and says what with', async () => {
    const engine = await open(({ path }) => ({
      body:
        path === '/info'
          ? INFO
          : [
              [1, 0],
              [0, 0.5],
            ],
    }))
    const { vectors, facts } = await engine.embed({ ...context(), inputs: ['a', 'b'], describe: true })
    assert.deepEqual(vectors, [Float32Array.of(1, 0), Float32Array.of(0, 0.5)])
    assert.deepEqual(facts, { revision: `${INFO.model_id}@${INFO.model_sha}`, pooling: 'mean' })
    const [asked] = server?.asked ?? []
    assert.deepEqual([asked?.method, asked?.path, asked?.headers.authorization], ['POST', '/embed', 'Bearer hf_1'])
    assert.deepEqual(asked?.body, { inputs: ['a', 'b'], truncate: true, normalize: true })
    assert.deepEqual(await engine.models(1000), [INFO.model_id])
  })

  test('reranks, best first', async () => {
    const engine = await open(() => ({
      body: [
        { index: 1, score: 0.2 },
        { index: 0, score: 0.9 },
      ],
    }))
    const { results } = await engine.rerank({ ...context(), query: 'q', documents: ['x', 'y'], topN: 1 })
    assert.deepEqual(results, [{ index: 0, score: 0.9 }])
    assert.deepEqual(server?.asked[0]?.body, { query: 'q', texts: ['x', 'y'], truncate: true })
  })

  test('what it refuses, and what is no answer', async () => {
    const cases: readonly (readonly [number, Json | string, string])[] = [
      [429, { error: 'Model is overloaded', error_type: 'overloaded' }, 'engine_busy'],
      [422, { error: 'batch size 33 > maximum allowed batch size 32', error_type: 'validation' }, 'engine_rejected'],
      [424, { error: 'Inference failed', error_type: 'backend' }, 'engine_refused'],
      [200, [[1]], 'engine_garbled'],
      [200, [[1], ['x']], 'engine_garbled'],
      [200, [[1], []], 'engine_garbled'],
      [200, { embeddings: [] }, 'engine_garbled'],
      [200, '<html>', 'engine_garbled'],
    ]
    let [status, body]: [number, Json | string] = [200, '']
    const engine = await open(() => ({ status, body }))
    for (const [given, answer, code] of cases) {
      ;[status, body] = [given, answer]
      await assert.rejects(engine.embed({ ...context(), inputs: ['a', 'b'] }), fails(code), JSON.stringify(answer))
    }
    ;[status, body] = [200, [{ index: 7, score: 1 }]]
    const ranking = { ...context(), query: 'q', documents: ['x'], topN: 1 }
    await assert.rejects(engine.rerank(ranking), fails('engine_garbled'))
    body = {}
    await assert.rejects(engine.rerank(ranking), fails('engine_garbled'))
    await assert.rejects(engine.models(1000), fails('engine_garbled'))
  })

  test('says nothing of weights that the server does not know', async () => {
    const engine = await open(({ path }) => ({
      body: path === '/info' ? { model_id: '/data', model_sha: null } : [[1]],
    }))
    assert.deepEqual((await engine.embed({ ...context(), inputs: ['a'], describe: true })).facts, {})
  })

  test('does not chat', async () => {
    const engine = await open(() => ({ body: {} }))
    const failed = Promise.withResolvers<string>()
    const call = { ...context(), body: {}, stream: true, outputTokensMax: 1 }
    engine.chat(call, { frame() {}, end() {}, fail: ({ code }) => failed.resolve(code) })
    assert.equal(await failed.promise, 'operation_unsupported')
  })
})
