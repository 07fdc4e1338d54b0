import assert from 'node:assert/strict'
import { test } from 'node:test'
import { passage } from '../../../tests/kit/workflow.ts'
import { Analyzer } from '../../base/words.ts'
import { claimsOf, judgePrompt, lexicalGroundedness, readVerdicts, supports } from './ground.ts'

const PASSAGES = [
  passage(
    'Make a key with `keys create`. Keys expire after 90 days unless they are renewed. An expired key cannot be revived.',
  ),
  passage('When the disk is full, writes are refused and reads go on.', {
    document: 'doc_2',
    title: 'Disk',
    headings: [],
  }),
]
const analyzer = new Analyzer()
const supported = (text: string, sources: number[] = [1]): boolean => supports(analyzer, { text, sources }, PASSAGES)

test('a sentence rests on a passage where it holds its words, numbers and negations', () => {
  for (const [text, is] of [
    ['Keys expire after 90 days.', true],
    ['A key expires after 90 days unless it is renewed.', true],
    ['Keys expire after 30 days.', false],
    ['Keys never expire after 90 days.', false],
    ['An expired key can be revived.', false],
    ['An expired key cannot be revived.', true],
    ['Keys are stored in a vault of the bank.', false],
  ] as const)
    assert.equal(supported(text), is, text)
  assert.equal(supported('Writes are refused when the disk is full.', [1]), false, 'not by what it does not cite')
  assert.equal(supported('Writes are refused when the disk is full.', [2]), true)
  assert.equal(supported('Keys expire.', [7]), false)
})

test('the score is the share of sentences that state something', () => {
  const answer =
    'Here is how it goes:\n\nKeys expire after 90 days [1]. Writes are refused when the disk is full [2]. Bananas are yellow [2].'
  assert.deepEqual(lexicalGroundedness(analyzer, answer, PASSAGES), {
    score: 0.667,
    supported: 2,
    sentences: 3,
    method: 'lexical',
  })
  assert.equal(lexicalGroundedness(analyzer, '', PASSAGES), undefined)
})

test('a sentence without a marker rests on all that the answer cites, or on nothing', () => {
  const [first, second] = claimsOf(analyzer, 'Keys expire [1]. Disks fill up.', 2)
  assert.deepEqual([first?.sources, second?.sources], [[1], [1]])
  assert.equal(lexicalGroundedness(analyzer, 'Keys expire after 90 days.', PASSAGES)?.score, 0)
})

test('the verdicts of a judge count only when there is one for each statement', () => {
  const claims = claimsOf(analyzer, 'Keys expire [1]. Disks fill up [2].', 2)
  assert.match(
    String(judgePrompt(claims, 'SOURCES')[1]?.['content']),
    /^SOURCES\n\nStatements:\n1\. Keys expire\s.*\n2\. /,
  )
  assert.deepEqual(readVerdicts('1. yes\n2: No, it does not', 2), [true, false])
  assert.equal(readVerdicts('1. yes', 2), undefined)
  assert.equal(readVerdicts('Certainly! All are fine.', 2), undefined)
})
