import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { type Scripted, scriptedServer } from '../../../tests/kit/scripted-server.ts'
import { someSpending } from '../../../tests/kit/spending.ts'
import { Fault } from '../../base/errors.ts'
import type { Json } from '../../base/json.ts'
import { Trace } from '../../trace/trace.ts'
import { UndiciClient } from '../undici/client.ts'
import { OllamaEngine } from './engine.ts'

/** As Ollama documents its interface (`docs/api.md` of its repository). */
const TAGS = {
  models: [
    { name: 'all-minilm:latest', model: 'all-minilm:latest', digest: '1b226e2802dbb772', details: { family: 'bert' } },
    { name: 'llama3.2:latest', model: 'llama3.2:latest', digest: 'a80c4f17acd5', details: { family: 'llama' } },
  ],
}
const EMBEDDED = {
  model: 'all-minilm',
  embeddings: [
    [0.25, -0.5],
    [1, 2],
  ],
  total_duration: 14143917,
  load_duration: 1019500,
  prompt_eval_count: 8,
}

let server: Scripted | undefined
const client = new UndiciClient()
describe('ollama: engine', () => {
  afterEach(() => server?.close())

  const open = async (script: Parameters<typeof scriptedServer>[0]): Promise<OllamaEngine> => {
    server = await scriptedServer(script)
    return new OllamaEngine({ name: 'ollama', url: server.url, client })
  }
  const call = (inputs: readonly string[], describe = false) => ({
    requestId: 'req_1',
    span: new Trace(new ManualClock()).open('call'),
    connectTimeoutMs: 1000,
    spending: someSpending(),
    signal: AbortSignal.timeout(5000),
    model: 'all-minilm',
    inputs,
    describe,
  })
  const fails = (code: string) => (thrown: unknown) => thrown instanceof Fault && thrown.code === code

  test('embeds, counts and says what with', async () => {
    const engine = await open(({ path }) => ({ body: path === '/api/tags' ? TAGS : EMBEDDED }))
    const { vectors, facts, usage } = await engine.embed(call(['a', 'b'], true))
    assert.deepEqual(vectors, [Float32Array.of(0.25, -0.5), Float32Array.of(1, 2)])
    assert.deepEqual(facts, { revision: '1b226e2802dbb772' })
    assert.equal(usage?.inputTokens, 8)
    assert.deepEqual(server?.asked[0]?.body, { model: 'all-minilm', input: ['a', 'b'], truncate: true })
    assert.deepEqual(await engine.models(1000), ['all-minilm:latest', 'llama3.2:latest'])
  })

  test('says nothing of a model that is not listed', async () => {
    const engine = await open(({ path }) => ({ body: path === '/api/tags' ? { models: [] } : EMBEDDED }))
    assert.deepEqual((await engine.embed(call(['a', 'b'], true))).facts, {})
  })

  test('what it refuses, and what is no answer', async () => {
    const cases: readonly (readonly [number, Json | string, string])[] = [
      [404, { error: 'model "nope" not found, try pulling it first' }, 'engine_refused'],
      [400, { error: 'the input length exceeds the context length' }, 'engine_rejected'],
      [503, { error: 'server busy, please try again' }, 'engine_busy'],
      [200, { model: 'm', embeddings: [[1]] }, 'engine_garbled'],
      [200, { model: 'm', embeddings: [[1], [null]] }, 'engine_garbled'],
      [200, { model: 'm' }, 'engine_garbled'],
      [200, [[1], [2]], 'engine_garbled'],
    ]
    let [status, body]: [number, Json | string] = [200, '']
    const engine = await open(() => ({ status, body }))
    for (const [given, answer, code] of cases) {
      ;[status, body] = [given, answer]
      await assert.rejects(engine.embed(call(['a', 'b'])), fails(code), JSON.stringify(answer))
    }
    ;[status, body] = [200, {}]
    await assert.rejects(engine.models(1000), fails('engine_garbled'))
    await assert.rejects(engine.rerank(), fails('operation_unsupported'))
  })
})
