import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { rowsOf, tickLabels, ticksOf, type Span } from './timeline.ts'

const span = (name: string, parent: number, startMs: number, endMs: number): Span => ({
  name,
  parent,
  startMs,
  endMs,
  attributes: {},
})

test('rows are the tree, siblings by their start, outer stages without a colour', () => {
  const rows = rowsOf([
    span('call', -1, 0, 9),
    span('search', 0, 2, 4),
    span('embed', 0, 0, 2),
    span('settle', -1, 9, 10),
    span('search', 0, 5, 6),
  ])
  assert.deepEqual(
    rows.map((row) => [row.span.name, row.depth, row.isOuter, row.category]),
    [
      ['call', 0, true, 0],
      ['embed', 1, false, 1],
      ['search', 1, false, 2],
      ['search', 1, false, 2],
      ['settle', 0, false, 3],
    ],
  )
})

test('every span has exactly one row, whatever the parents say', () => {
  const spans = fc.array(
    fc.record({
      name: fc.constantFrom('a', 'b'),
      parent: fc.oneof(fc.integer({ min: -3, max: 12 }), fc.constant(0.5)),
      startMs: fc.nat(9),
      endMs: fc.nat(9),
      attributes: fc.constant({}),
    }),
    { maxLength: 12 },
  )
  fc.assert(fc.property(spans, (list) => assert.deepEqual(new Set(rowsOf(list).map((row) => row.span)), new Set(list))))
})

test('ticks are round and reach just past the end', () => {
  assert.deepEqual(ticksOf(38.2, 5), [0, 10, 20, 30, 40])
  assert.deepEqual(ticksOf(1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1])
  assert.deepEqual(ticksOf(0, 5).length, 2)
  fc.assert(
    fc.property(fc.double({ min: 0.01, max: 1e6, noNaN: true }), fc.integer({ min: 2, max: 8 }), (totalMs, atMost) => {
      const ticks = ticksOf(totalMs, atMost)
      const last = ticks.at(-1) ?? 0
      assert.ok(ticks.length - 1 <= atMost && last >= totalMs * (1 - 1e-9))
      assert.ok((ticks.at(-2) ?? 0) <= totalMs * (1 + 1e-9), 'no empty step at the end')
    }),
  )
})

test('labels share one unit, written once', () => {
  assert.deepEqual(tickLabels([0, 0.2, 0.4]), ['0', '0.2', '0.4 ms'])
  assert.deepEqual(tickLabels([0, 1000, 2000]), ['0', '1', '2 s'])
})
