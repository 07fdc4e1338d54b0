import assert from 'node:assert/strict'
import { test } from 'node:test'
import { passage } from '../../../tests/kit/workflow.ts'
import { Analyzer } from '../../base/words.ts'
import { annotations, citationsIn, markersIn, quotesOf } from './cite.ts'

const KEYS = passage('Make a key with `keys create`. Keys expire after a year.')
const MAKE = { start: 100, end: 130, text: 'Make a key with `keys create`.' }
const EXPIRE = { start: 131, end: 156, text: 'Keys expire after a year.' }
const analyzer = new Analyzer()

test('markers name sources that were given, alone or together', () => {
  assert.deepEqual(
    markersIn('A [1], b [2, 3] and [4] c[0].', 3).map(({ source }) => source),
    [1, 2, 3],
  )
})

test('a citation is a range of the document: of the sentence it rests on', () => {
  const answer = 'You make a key with `keys create` [1]. It expires after a year, as all keys do. [1]'
  const cited = annotations(citationsIn(analyzer, answer, [KEYS]), [KEYS])
  assert.deepEqual(
    cited.map(({ headworks }) => headworks),
    [
      { source: 1, document: 'doc_1', ranges: [MAKE] },
      { source: 1, document: 'doc_1', ranges: [EXPIRE] },
    ],
  )
})

test('a marker stands for all sentences of its paragraph since the one before, and so do its neighbours', () => {
  const other = passage(KEYS.text, { document: 'doc_2' })
  const answer = 'Bananas.\n\nMake a key with `keys create`. It will expire after a year. [1][2]'
  const cited = annotations(citationsIn(analyzer, answer, [KEYS, other]), [KEYS, other])
  assert.deepEqual(
    cited.map(({ headworks }) => headworks),
    [
      { source: 1, document: 'doc_1', ranges: [MAKE, EXPIRE] },
      { source: 2, document: 'doc_2', ranges: [MAKE, EXPIRE] },
    ],
  )
})

test('what no sentence can be told for is cited as a whole', () => {
  const citations = citationsIn(analyzer, 'Bananas are yellow [1].', [KEYS])
  assert.deepEqual(quotesOf(citations), [])
  const [cited] = annotations(citations, [KEYS])
  const whole = { start: 100, end: 156, text: KEYS.text }
  assert.deepEqual(cited?.['headworks'], { source: 1, document: 'doc_1', ranges: [whole] })
})

test('quotes of an engine stand before our own', () => {
  const given = [{ source: 1, start: 31, end: 56 }]
  const [citation] = citationsIn(analyzer, 'Bananas [1]', [KEYS], given)
  assert.deepEqual(citation?.quotes, given)
})
