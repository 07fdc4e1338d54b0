import assert from 'node:assert/strict'
import { test } from 'node:test'
import { densestOf, highlightsOf } from './highlight.ts'

const marked = (text: string, question: string): string[] =>
  highlightsOf(text, question).map(({ start, end }) => text.slice(start, end))

test('words of the question are found with other endings, and idle ones are not', () => {
  assert.deepEqual(marked('The keys are rotated. A key rotates; rotating keys', 'How do I rotate the key?'), [
    'keys',
    'rotated',
    'key',
    'rotates',
    'rotating',
    'keys',
  ])
  assert.deepEqual(marked('Über Öl, ÜBER uns', 'über'), ['Über', 'ÜBER'])
  assert.deepEqual(marked('to be or not to be', 'to be'), [])
  assert.deepEqual(marked('', 'x'), [])
})

test('a text is opened where the words stand closest together, and at the first of equals', () => {
  const at = (...starts: number[]) => densestOf(starts.map((start) => ({ start, end: start + 5 })))
  assert.equal(at(), undefined)
  assert.equal(at(10), 0)
  assert.equal(at(0, 2000, 2100, 2200), 1)
  assert.equal(at(0, 100, 3000, 3100), 0)
  assert.equal(at(0, 498), 0)
})
