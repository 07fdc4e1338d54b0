import assert from 'node:assert/strict'
import { test } from 'node:test'
import { highlightsOf } from './highlight.ts'

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
