import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  completenessText,
  fittedText,
  modelText,
  mostMeasured,
  placeText,
  recallText,
  selectivityText,
  spaceText,
  verdictOf,
} from './words.ts'

const recall = (mean: number | undefined, low: number, high: number, queries: number) => ({
  selectivity: '10..100',
  mean,
  low,
  high,
  queries,
})

test('what is no learned model is not called one', () => {
  assert.equal(
    spaceText({ model: 'lsa', revision: '', dimension: 256 }),
    'corpus-fitted LSA, 256 directions, no learned model',
  )
  assert.equal(spaceText({ model: 'e5', revision: 'r1', dimension: 1024 }), 'e5 (r1), 1,024 dimensions')
  assert.equal(spaceText(undefined), 'words alone, no vectors')
  assert.deepEqual(['lsa', 'none', '', 'bge'].map(modelText), [
    'corpus-fitted LSA, no learned model',
    'words alone',
    'words alone',
    'bge',
  ])
})

test('directions that are not fitted yet are not said to answer', () => {
  assert.match(fittedText('lsa', undefined), /too few passages to fit it yet, so by words alone$/)
  assert.equal(fittedText('lsa', { model: 'lsa', revision: '', dimension: 9 }), modelText('lsa'))
  assert.equal(fittedText('none', undefined), 'words alone')
})

test('a target is met or missed only where the whole interval says so', () => {
  assert.equal(verdictOf(recall(0.99, 0.96, 1, 200), 0.95), 'met')
  assert.equal(verdictOf(recall(0.9, 0.85, 0.94, 200), 0.95), 'missed')
  assert.equal(verdictOf(recall(1, 0.7, 1, 9), 0.95), 'unsure')
  assert.equal(verdictOf(recall(undefined, 0, 1, 0), 0.95), 'unmeasured')
  assert.equal(verdictOf(recall(1, 0.9, 1, 9), undefined), 'unsure')
})

test('estimates carry their interval and n', () => {
  assert.equal(recallText(recall(0.9731, 0.951, 0.985, 1212)), '0.973 (0.951 to 0.985, n = 1,212)')
  assert.equal(recallText(recall(undefined, 0, 1, 0)), 'not measured')
  const [few, many, none] = [recall(1, 0, 1, 2), recall(1, 0, 1, 9), recall(undefined, 0, 1, 0)]
  assert.equal(mostMeasured([few, many, none]), many)
  assert.equal(mostMeasured([none]), undefined)
})

test('filters are told in words', () => {
  assert.deepEqual(['10..100', '1..10', '0..1', 'odd'].map(selectivityText), [
    'no filter, or one that lets 10 % or more through',
    'filters that let 1 to 10 % through',
    'filters that let less than 1 % through',
    'odd',
  ])
})

test('what lacks is never rounded away', () => {
  const texts = [
    { chunks: 0, searchable: 0 },
    { chunks: 10, searchable: 10 },
    { chunks: 100_000, searchable: 99_999 },
    { chunks: 10, searchable: 4 },
  ].map(completenessText)
  assert.deepEqual(texts, ['nothing to search', 'all of it', '>99 %', '40 %'])
  assert.deepEqual(['bytes', 'odd'].map(placeText), ['files of the index', 'odd'])
})
