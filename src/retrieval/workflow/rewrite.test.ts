import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Analyzer } from '../../base/words.ts'
import { carryTerms, readRewritten, rewritePrompt, type Turn, turnsOf } from './rewrite.ts'

const analyzer = new Analyzer()
const said = (...asked: string[]): Turn[] =>
  asked.flatMap((text, at): Turn[] => [
    { role: 'user', text },
    ...(at < asked.length - 1 ? [{ role: 'assistant', text: 'Bananas are yellow [1].' } as const] : []),
  ])

test('a question that points back takes along what the one before was about', () => {
  for (const [turns, words] of [
    [
      ['How do I rotate a key?', 'And how long does the old one stay valid?'],
      ['rotate', 'key'],
    ],
    [
      ['Which file formats can be ingested?', 'What about PDF?'],
      ['file', 'formats', 'ingested'],
    ],
    [['What is a budget?', 'Can it be raised?'], ['budget']],
    [
      ['Where is the pepper stored?', 'Why?'],
      ['pepper', 'stored'],
    ],
    [
      ['How do I create a workflow?', 'And delete one?'],
      ['create', 'workflow'],
    ],
    [
      ['What does the breaker do?', 'When does it open?', 'And close again?'],
      ['open', 'breaker'],
    ],
    [
      ['Was macht ein Budget?', 'Warum?'],
      ['macht', 'ein', 'Budget'],
    ],
  ] as const)
    assert.deepEqual(carryTerms(analyzer, said(...turns)).carried, words, turns.join(' | '))
  const { question } = carryTerms(analyzer, said('How do I rotate a key?', 'And revoke it?'))
  assert.equal(question, 'And revoke it? (rotate key)')
})

test('a question that stands alone is left as it is, and so is a first one', () => {
  for (const turns of [
    ['How do I rotate a key?', 'Which ports does the gateway listen on by default?'],
    ['How do I rotate a key?', 'How are prices of models configured?'],
    ['What about it?'],
  ])
    assert.deepEqual(carryTerms(analyzer, said(...turns)), { question: turns.at(-1), carried: [] })
})

test('what is carried is bounded, and answers carry nothing', () => {
  const { carried } = carryTerms(analyzer, said(Array.from({ length: 50 }, (_, at) => `word${at}x`).join(' '), 'Why?'))
  assert.equal(carried.length, 8)
  assert.ok(!carryTerms(analyzer, said('Tell me?', 'Why?')).question.includes('Banana'))
})

test('of a body the turns are what was said by both', () => {
  const messages = [
    { role: 'system', content: 'x' },
    { role: 'user', content: 'first' },
    { role: 'assistant', content: null, tool_calls: [] },
    { role: 'tool', content: 'y' },
    { role: 'user', content: [{ type: 'text', text: 'second' }] },
    'noise',
  ]
  assert.deepEqual(
    turnsOf({ messages }),
    said('first', 'second').filter(({ role }) => role === 'user'),
  )
  assert.deepEqual(turnsOf({}), [])
})

test('a model is shown the conversation, bounded, and its first line is the question', () => {
  const shown = String(rewritePrompt(said('a'.repeat(5000), 'b', 'c', 'd', 'e'))[1]?.['content'])
  assert.ok(shown.length < 7000 && shown.endsWith('user: e'))
  assert.equal(readRewritten('Question: "How long is an old key valid?"\nBecause...'), 'How long is an old key valid?')
  for (const reply of ['', '  \n', 'x'.repeat(1001)]) assert.equal(readRewritten(reply), undefined)
})
