import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TraceSpan } from '../api/traces.ts'
import { depthsOf, pagesIn, visibleRows } from './virtual.ts'

const span = (id: string, parent: string): TraceSpan => ({
  id,
  parent,
  kind: 'span',
  name: id,
  atMs: 0,
  durationMs: 1,
  status: 'ok',
  error: '',
  model: '',
  prompt: '',
  attributes: {},
})

test('of a hundred thousand rows those in sight are drawn and some beside them', () => {
  const rows = visibleRows(26 * 50_000, 26, 24, 100_000)
  assert.deepEqual([rows[0], rows.length], [49_988, 48])
  assert.deepEqual(visibleRows(1e9, 26, 24, 100_000).at(-1), 99_999)
  assert.deepEqual(visibleRows(0, 26, 24, 3), [0, 1, 2])
  assert.deepEqual(visibleRows(0, 26, 24, 0), [])
})

test('rows at a border need the pages on both sides', () => {
  assert.deepEqual(pagesIn([998, 999, 1000, 1001], 1000), [0, 1])
})

test('a span is as deep as its parents say; of unknown parents it is one deep', () => {
  const pages = new Map([
    [7, [span('d', 'b'), span('e', 'far'), span('f', 'f')]],
    [0, [span('a', ''), span('b', 'a')]],
  ])
  assert.deepEqual(
    [...depthsOf(pages)],
    [
      ['a', 0],
      ['b', 1],
      ['d', 2],
      ['e', 1],
      ['f', 1],
    ],
  )
})
