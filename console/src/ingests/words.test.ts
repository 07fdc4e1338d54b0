import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Run } from '../api/ingests.ts'
import { countsText, doneOf, isOver, reasonsOf, sharesOf, stateText, toneOf } from './words.ts'

const run = (state: string, files: Partial<Run['files']> = {}): Run => ({
  id: 'ing_1',
  collection: 'a',
  path: '/srv',
  state,
  files: { found: 0, read: 0, unchanged: 0, removed: 0, skipped: 0, ignored: 0, ...files },
  bytes: 0,
  chunks: 0,
  documents: 0,
  skipped: [],
  notes: [],
  startedMs: 0,
  endedMs: undefined,
  problem: undefined,
})

test('how far a run is, known only once files were found', () => {
  assert.equal(doneOf(run('running')), undefined)
  assert.equal(doneOf(run('running', { found: 10, read: 3, unchanged: 1, skipped: 1 })), 0.5)
  assert.equal(doneOf(run('running', { found: 1, read: 3 })), 1)
  assert.equal(doneOf(run('done')), 1)
  assert.deepEqual(sharesOf(run('running', { found: 10, read: 3, skipped: 1 })), {
    read: 0.3,
    unchanged: 0,
    skipped: 0.1,
  })
  assert.deepEqual(
    ['waiting', 'running', 'done', 'failed', 'cancelled'].map((state) => isOver(run(state))),
    [false, false, true, true, true],
  )
})

test('counts name what there is', () => {
  assert.equal(countsText(run('running')), 'nothing yet')
  assert.equal(countsText(run('done', { read: 1200, skipped: 2, ignored: 1 })), '1,200 read, 2 failed, 1 ignored')
})

test('failures stand together by reason, the most frequent first', () => {
  const skipped = ['a', 'b', 'b'].map((code, at) => ({ uri: String(at), code, message: '' }))
  assert.deepEqual(
    reasonsOf(skipped).map(({ code, skipped: all }) => [code, all.length]),
    [
      ['b', 2],
      ['a', 1],
    ],
  )
})

test('a run that is done with failures says so', () => {
  assert.deepEqual(
    [run('done'), run('done', { skipped: 1 }), run('failed'), run('running')].map((one) => [
      stateText(one),
      toneOf(one),
    ]),
    [
      ['done', 'good'],
      ['done, with failures', 'caution'],
      ['failed', 'danger'],
      ['running', undefined],
    ],
  )
})
