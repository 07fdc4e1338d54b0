import assert from 'node:assert/strict'
import { test } from 'node:test'
import { movesOf, moveText } from './moves.ts'

const found = (document: string, start = 0) => ({ document, title: document.toUpperCase(), start, end: start + 9 })

test('passages are the same by document and place, and move by rank', () => {
  const moves = movesOf([found('a'), found('b'), found('b', 10)], [found('b'), found('c'), found('b', 10)])
  assert.deepEqual(
    moves.map((move) => [move.title, move.before, move.after, moveText(move)]),
    [
      ['A', 1, undefined, 'gone'],
      ['B', 2, 1, 'up 1'],
      ['B', 3, 3, 'same'],
      ['C', undefined, 2, 'new'],
    ],
  )
  assert.equal(moveText({ key: '', title: '', before: 1, after: 4 }), 'down 3')
})
