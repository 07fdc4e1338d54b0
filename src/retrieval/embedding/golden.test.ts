import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { Fault } from '../../base/errors.ts'
import { GOLDEN_CHECK_MS, GoldenChecks, goldenOf } from './golden.ts'
import type { Embedder, SpaceRow } from './port.ts'

const space = {
  model: 'e5',
  revision: 'r',
  dimension: 2,
  pooling: '',
  passagePrefix: '',
  questionPrefix: '',
  normalised: true,
}
const row: SpaceRow = { id: 'spc_1', space, golden: goldenOf(Float32Array.of(1, 0)), createdAtMs: 0 }
const options = { signal: new AbortController().signal }

function open() {
  const clock = new ManualClock()
  const asked = { count: 0, vector: Float32Array.of(1, 0) }
  const embedder: Embedder = {
    space,
    embed: async () => {
      asked.count++
      return [asked.vector]
    },
  }
  const checks = new GoldenChecks(clock)
  return { clock, asked, check: () => checks.check('books', row, embedder, options), checks }
}

const changed = (thrown: unknown): boolean => thrown instanceof Fault && thrown.code === 'embedding_changed'

test('a space is looked at once, again after an hour, and again after a reload', async () => {
  const { clock, asked, check, checks } = open()
  await Promise.all([check(), check()])
  await check()
  assert.equal(asked.count, 1)
  clock.advance(GOLDEN_CHECK_MS)
  await check()
  assert.equal(asked.count, 2)
  checks.forget()
  await check()
  assert.equal(asked.count, 3)
})

test('noise is no change, another place is, and so is another dimension', async () => {
  const { asked, check, checks } = open()
  asked.vector = Float32Array.of(1, 0.05)
  await check()
  for (const vector of [[1, 0.2], [0, 1], [1], [1, 0, 0]]) {
    checks.forget()
    asked.vector = Float32Array.from(vector)
    await assert.rejects(check(), changed, String(vector))
  }
  // What was mended is believed at once.
  asked.vector = Float32Array.of(1, 0)
  await check()
})
