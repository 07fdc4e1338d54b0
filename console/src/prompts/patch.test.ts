import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTwoFilesPatch } from 'diff'
import fc from 'fast-check'
import { linesOf, pairsOf } from './patch.ts'

const patch = (from: readonly string[], to: readonly string[]): string =>
  createTwoFilesPatch('p@1', 'p@2', `${from.join('\n')}\n`, `${to.join('\n')}\n`, '', '', { context: 3 })

test('lines have their numbers in both texts, and what was left out is a gap', () => {
  const many = Array.from({ length: 10 }, (_, at) => `line ${at + 1}`)
  const lines = linesOf(patch(many, [...many.slice(0, 8), '-- nine', 'line 10']))
  assert.deepEqual(
    lines.map(({ kind, text, from, to }) => `${kind} ${from ?? ''}:${to ?? ''} ${text}`),
    [
      'gap : ',
      'same 6:6 line 6',
      'same 7:7 line 7',
      'same 8:8 line 8',
      'removed 9: line 9',
      'added :9 -- nine',
      'same 10:10 line 10',
    ],
  )
})

test('what took the place of something stands beside it', () => {
  const pairs = pairsOf(linesOf(patch(['a', 'b', 'c'], ['a', 'B', 'B2', 'c'])))
  assert.deepEqual(
    pairs.map(({ left, right }) => [left?.text, right?.text]),
    [
      ['a', 'a'],
      ['b', 'B'],
      [undefined, 'B2'],
      ['c', 'c'],
    ],
  )
})

test('no patch has no lines; a text that does not look like one neither', () => {
  assert.deepEqual(linesOf(''), [])
  assert.deepEqual(linesOf('+++ not\n--- a patch'), [])
})

test('both texts can be read off a patch without gaps, whatever they say', () => {
  const text = fc.array(fc.constantFrom('a', '', '+a', '-a', '--- a', '@@ -1 +1 @@', '\\ No'), { maxLength: 6 })
  fc.assert(
    fc.property(text, text, (from, to) => {
      const whole = createTwoFilesPatch('a', 'b', `${from.join('\n')}\n`, `${to.join('\n')}\n`, '', '', {
        context: 100,
      })
      const lines = linesOf(whole)
      if (from.join('\n') === to.join('\n')) return assert.deepEqual(lines, [])
      const side = (kind: string) => lines.filter((line) => line.kind !== kind).map((line) => line.text)
      const written = (given: string[]) => (given.length === 0 ? [''] : given)
      assert.deepEqual([side('added'), side('removed')], [written(from), written(to)])
    }),
  )
})
