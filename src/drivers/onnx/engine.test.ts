import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { someSpending } from '../../../tests/kit/spending.ts'
import { Fault } from '../../base/errors.ts'
import { Trace } from '../../trace/trace.ts'
import { OnnxEngine } from './engine.ts'

const TINY = join(import.meta.dirname, '..', '..', '..', 'tests', 'fixtures', 'onnx')
/** Where the package `onnxruntime-node` is installed; it is no part of the project. */
const runtime = process.env['HEADWORKS_TEST_ONNX'] ?? ''
const needsRuntime = {
  skip: runtime === '' && 'HEADWORKS_TEST_ONNX names no folder of onnxruntime-node (.ci/run installs it)',
}

let folder = ''
let engine: OnnxEngine | undefined
describe('onnx: engine', () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headworks-onnx-'))
    await cp(TINY, folder, { recursive: true })
  })
  afterEach(async () => {
    await engine?.close()
    await rm(folder, { recursive: true, force: true })
  })

  const open = (more: { readonly pooling?: 'cls'; readonly runtime?: string } = {}): OnnxEngine =>
    (engine = new OnnxEngine({ name: 'onnx', folder, runtime, threads: 1, clock: new ManualClock(), ...more }))
  const call = (inputs: readonly string[], signal = AbortSignal.timeout(20_000)) => ({
    requestId: 'req_1',
    span: new Trace(new ManualClock()).open('call'),
    connectTimeoutMs: 1000,
    spending: someSpending(),
    signal,
    model: 'tiny',
    inputs,
    describe: true,
  })
  const unreachable = (reason: RegExp) => (thrown: unknown) =>
    thrown instanceof Fault && thrown.code === 'engine_unreachable' && reason.test(thrown.message)

  test('a folder without the runtime says how to install it', async () => {
    await assert.rejects(open({ runtime: '/nowhere/node_modules/onnxruntime-node' }).embed(call(['red'])), (thrown) =>
      unreachable(/npm install onnxruntime-node/)(thrown),
    )
  })

  test('a call that was given up before its thread answered ends at once', async () => {
    const stop = new AbortController()
    const asked = open({ runtime: '/nowhere' }).embed(call(['red'], stop.signal))
    stop.abort(new Fault('stopping', {}))
    await assert.rejects(asked, (thrown) => thrown instanceof Fault && thrown.code === 'stopping')
  })

  test('embeds by the mean of the tokens, padded together and apart alike', needsRuntime, async () => {
    const texts = ['green', 'red and blue blue blue', 'green']
    const { vectors, usage, facts } = await open().embed(call(texts))
    assert.deepEqual(vectors[0], vectors[2])
    // [CLS] leads to red: 3 and 4 in green's place.
    assert.deepEqual(
      Array.from(vectors[0] ?? []).map((value) => Math.round(value * 10)),
      [6, 8, 0],
    )
    await engine?.close()
    const [alone] = (await open().embed(call([texts[1] ?? '']))).vectors
    assert.deepEqual(alone, vectors[1])
    assert.equal(usage?.inputTokens, 3 + 7 + 3)
    assert.equal(facts?.pooling, 'mean')
    assert.match(facts?.revision ?? '', /^[0-9a-f]{40}$/)
  })

  test('takes the first token where the folder or the configuration says so', needsRuntime, async () => {
    const [set] = (await open({ pooling: 'cls' }).embed(call(['blue']))).vectors
    assert.deepEqual(Array.from(set ?? []), [1, 0, 0])
    await engine?.close()
    await mkdir(join(folder, '1_Pooling'))
    await writeFile(join(folder, '1_Pooling', 'config.json'), '{"pooling_mode_cls_token": true}')
    const { vectors, facts } = await open().embed(call(['blue']))
    assert.deepEqual([Array.from(vectors[0] ?? []), facts?.pooling], [[1, 0, 0], 'cls'])
  })

  test('a text that is too long is cut before its end token', needsRuntime, async () => {
    await writeFile(join(folder, 'tokenizer_config.json'), '{"model_max_length": 4}')
    const { usage } = await open().embed(call(['blue '.repeat(500)]))
    assert.equal(usage?.inputTokens, 4)
  })

  test('a folder that is no model is named', needsRuntime, async () => {
    await writeFile(join(folder, 'model.onnx'), 'nonsense')
    await assert.rejects(open().embed(call(['red'])), unreachable(/cannot be loaded/))
    await engine?.close()
    await rm(join(folder, 'model.onnx'))
    await assert.rejects(open().embed(call(['red'])), unreachable(/no model\.onnx/))
    await engine?.close()
    await cp(join(TINY, 'model.onnx'), join(folder, 'onnx', 'model.onnx'))
    await writeFile(join(folder, 'tokenizer.json'), '[')
    await assert.rejects(open().embed(call(['red'])), unreachable(/no JSON object/))
  })
})
