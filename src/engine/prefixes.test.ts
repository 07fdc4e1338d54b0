import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PrefixBook } from './prefixes.ts'

test('what was sent is warm as far as it is the same', () => {
  const book = new PrefixBook()
  assert.equal(book.warm([1, 2, 3]), 0)
  book.add([1, 2, 3])
  assert.deepEqual(
    [[1, 2, 3, 4], [1, 2, 9], [9, 8, 7], []].map((blocks) => book.warm(blocks)),
    [3, 2, 0, 0],
  )
  book.forget()
  assert.equal(book.warm([1]), 0)
})

test('the book is bounded, and forgets the end of a prompt before its beginning', () => {
  const book = new PrefixBook()
  const kept = [1, 2, 3, 4]
  book.add(kept)
  for (let n = 0; n < 40_000; n++) {
    if (n % 1_000 === 0) book.add(kept.slice(0, 2))
    book.add([10 + n])
  }
  assert.equal(book.warm(kept), 2)
  assert.equal(book.warm([10]), 0)
})

test('halving finds what looking at every block finds', () => {
  // Prompts as paths of a tree: a block's hash stands for all before it.
  const path = fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 8 })
  const hashed = (turns: readonly number[]): number[] =>
    turns.map((_, at) => Number(`1${turns.slice(0, at + 1).join('')}`))
  fc.assert(
    fc.property(fc.array(path, { maxLength: 20 }), path, (sent, asked) => {
      const book = new PrefixBook()
      for (const one of sent) book.add(hashed(one))
      const known = new Set(sent.flatMap(hashed))
      const blocks = hashed(asked)
      const first = blocks.findIndex((block) => !known.has(block))
      assert.equal(book.warm(blocks), first < 0 ? blocks.length : first)
    }),
  )
})
