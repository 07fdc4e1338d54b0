import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom, uniform } from '../../base/random.ts'
import { Aims } from './aim.ts'

/** Replays queries against an index whose live recall lies `gap` below what it aims at. */
function settle(aims: Aims, gap: number, queries = 20_000): { readonly aim: number; readonly recall: number } {
  const random = seededRandom(4)
  for (let query = 0; query < queries; query++) {
    const expected = Math.max(0, Math.min(1, aims.of('c') - gap))
    // Tenths, as recall@10 comes.
    let found = 0
    for (let at = 0; at < 10; at++) if (uniform(random) < expected) found++
    aims.measured('c', found / 10)
  }
  return { aim: aims.of('c'), recall: aims.of('c') - gap }
}

test('aims at the target until live searches show that it is not reached, then higher until it is', () => {
  const aims = new Aims(() => 0.9)
  assert.equal(aims.of('c'), 0.9)
  const { recall } = settle(aims, 0.06)
  assert.ok(recall > 0.88 && recall < 0.96, String(recall))
})

test('gives effort back where searches became easier, and never aims below the target', () => {
  const aims = new Aims(() => 0.8)
  assert.ok(settle(aims, 0.1).aim > 0.85)
  const { aim, recall } = settle(aims, -0.1)
  assert.ok(aim >= 0.8 && aim < 0.85 && recall >= 0.8, String(aim))
})

test('stays below one however bad it is, leaves collections apart, and begins anew with a new target', () => {
  let target = 0.95
  const aims = new Aims(() => target)
  assert.equal(settle(aims, 0.5).aim, 0.999)
  assert.equal(aims.of('other'), 0.95)
  target = 0.9
  assert.equal(aims.of('c'), 0.9)
})

test('a few queries change nothing', () => {
  const aims = new Aims(() => 0.95)
  for (let query = 0; query < 49; query++) assert.equal(aims.measured('c', 0), false)
  assert.equal(aims.of('c'), 0.95)
  assert.equal(aims.measured('c', 0), true)
})
