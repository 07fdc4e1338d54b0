import assert from 'node:assert/strict'
import { test } from 'node:test'
import { someSpending } from '../../../tests/kit/spending.ts'
import { systemClock } from '../../base/clock.ts'
import { Analyzer } from '../../base/words.ts'
import { Trace } from '../../trace/trace.ts'
import type { Engine, RerankCall } from '../../engine/port.ts'
import { LexicalEngine } from './engine.ts'

const engine: Engine = new LexicalEngine({ name: 'lexical', analyzer: new Analyzer() })

const call = (query: string, documents: readonly string[], changes: Partial<RerankCall> = {}): RerankCall => ({
  requestId: 'r',
  span: new Trace(systemClock).open('call'),
  connectTimeoutMs: 1,
  spending: someSpending(),
  model: 'lexical',
  signal: new AbortController().signal,
  query,
  documents,
  topN: documents.length,
  ...changes,
})

const order = async (
  query: string,
  documents: readonly string[],
  changes: Partial<RerankCall> = {},
): Promise<number[]> => (await engine.rerank(call(query, documents, changes))).results.map(({ index }) => index)

test('documents with the words of the question come first, the rarer words counting more', async () => {
  const documents = [
    'the kitchen has a table',
    'a table of prices',
    'prices and taxes of a table',
    'nothing of the kind',
  ]
  assert.deepEqual(await order('prices and taxes', documents), [2, 1, 0, 3])
  assert.deepEqual(await order('prices and taxes', documents, { topN: 2 }), [2, 1])
  assert.deepEqual(
    (await order('the', documents)).slice(0, 2).toSorted((a, b) => a - b),
    [0, 3],
    'a question of stop words alone is searched by them',
  )
})

test('a document in other words is found by those of the best', async () => {
  const documents = [
    'Gardening in spring is pleasant.',
    'Reset your password: open settings, choose credentials, then renew the passphrase.',
    'Credentials and the passphrase are renewed under settings.',
  ]
  assert.deepEqual(await order('how can I reset the password of my account today', documents), [1, 2, 0])
})

test('documents without any word of the question stay, in their order, at the end', async () => {
  const { results, usage } = await engine.rerank(call('zebra', ['one', 'two', 'a zebra']))
  assert.deepEqual(
    results.map(({ index }) => index),
    [2, 0, 1],
  )
  assert.deepEqual(
    results.map(({ score }) => score > 0),
    [true, false, false],
  )
  assert.deepEqual(usage, {
    inputTokens: 5,
    cachedInputTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
    estimated: false,
  })
})

test('no documents, empty documents and an empty question are no fault', async () => {
  assert.deepEqual(await order('x', []), [])
  assert.deepEqual(await order('x', ['', '']), [0, 1])
  assert.deepEqual(await order('', ['a', 'b']), [0, 1])
})

test('too many documents and too much text are refused', async () => {
  await assert.rejects(
    engine.rerank(
      call(
        'x',
        Array.from({ length: 1001 }, () => 'x'),
      ),
    ),
    { code: 'field_invalid' },
  )
  await assert.rejects(engine.rerank(call('x', ['x'.repeat(10_000_001)])), { code: 'context_too_long' })
})

test('an abort ends it with the reason of the signal', async () => {
  const controller = new AbortController()
  const pending = engine.rerank(
    call(
      'word',
      Array.from({ length: 20 }, () => 'word '.repeat(20_000)),
      { signal: controller.signal },
    ),
  )
  controller.abort(new Error('enough'))
  await assert.rejects(pending, /enough/)
})

test('long documents leave others their turn', async () => {
  let turns = 0
  const tick = (): void => {
    turns++
    next = setImmediate(tick)
  }
  let next = setImmediate(tick)
  await engine.rerank(call('word', ['word '.repeat(100_000)]))
  clearImmediate(next)
  assert.ok(turns >= 5, `${turns}`)
})

test('what it does not serve is refused as such', async () => {
  const context = { ...call('q', []), inputs: ['x'] }
  await assert.rejects(engine.embed(context), { code: 'operation_unsupported' })
  const fault = await new Promise<{ code: string }>((resolve, reject) => {
    const never = (): void => reject(new Error('answered'))
    engine.chat({ ...context, body: {}, stream: true, outputTokensMax: 1 }, { frame: never, end: never, fail: resolve })
  })
  assert.equal(fault.code, 'operation_unsupported')
  assert.deepEqual([...engine.operations], ['rerank'])
})
