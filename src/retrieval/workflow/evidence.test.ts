import assert from 'node:assert/strict'
import { test } from 'node:test'
import { passage } from '../../../tests/kit/workflow.ts'
import { Analyzer } from '../../base/words.ts'
import { evidenceOf, saysUnanswered } from './evidence.ts'

test('evidence is the share of the words asked about that one passage holds', () => {
  const analyzer = new Analyzer()
  const passages = [passage('Keys expire after a year.'), passage('The disk is full.', { title: 'Disk', headings: [] })]
  assert.equal(evidenceOf(analyzer, 'When do keys expire?', passages), 1)
  assert.equal(evidenceOf(analyzer, 'When do keys melt?', passages), 0.5)
  assert.equal(evidenceOf(analyzer, 'Who sings opera?', passages), 0)
  assert.equal(evidenceOf(analyzer, 'What is it?', passages), 1, 'nothing asked about says nothing against a passage')
  assert.equal(evidenceOf(analyzer, 'What is it?', []), 0)
})

test('a model that says plainly that it has no answer is believed', () => {
  for (const text of [
    'The sources do not answer this question.',
    'The provided documents do not mention a price [1].',
    "The context doesn't specify how long keys live. They may live long.",
    'Nothing about this is in the sources.',
    'I could not find an answer to that in the documents.',
    'There is no information about Oracle in the provided context.',
  ])
    assert.ok(saysUnanswered(text), text)
  for (const text of [
    'Keys expire after a year [1]. The sources do not say why.',
    'Documents that do not parse are skipped [1].',
    'A file without text does not count as a document [2].',
    'You cannot revive an expired key [1].',
  ])
    assert.ok(!saysUnanswered(text), text)
})
