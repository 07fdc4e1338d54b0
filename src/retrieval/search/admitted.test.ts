import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../../base/errors.ts'
import type { Search, SearchAnswer } from '../search.ts'
import { admitted } from './admitted.ts'

const ANSWER: SearchAnswer = { passages: [], terms: [] }

/** Searches that end when they are told to. */
function house() {
  let nowMs = 0
  const begun: { readonly question: string; readonly end: () => void; readonly fail: (reason: Error) => void }[] = []
  const search: Search = {
    search: (_, question) => new Promise((resolve, fail) => begun.push({ question, end: () => resolve(ANSWER), fail })),
  }
  const clock = { monotonicMs: () => nowMs, wallMs: () => nowMs, after: () => ({ cancel: () => {} }) }
  const { search: ask } = admitted(search, clock)
  const asked = (count: number, from = 0): Promise<string>[] =>
    Array.from({ length: count }, (_, at) =>
      ask('c', `q${from + at}`, { k: 1 }).then(
        () => 'answered',
        (thrown: unknown) => (thrown instanceof Fault ? thrown.code : String(thrown)),
      ),
    )
  return { begun, asked, pass: (ms: number) => void (nowMs += ms) }
}

const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

test('no more than sixteen are at work, the others come in their order', async () => {
  const { begun, asked } = house()
  const all = asked(20)
  await settle()
  assert.equal(begun.length, 16)
  begun[3]?.end()
  begun[9]?.fail(new Error('broken'))
  await settle()
  assert.deepEqual(
    begun.slice(16).map(({ question }) => question),
    ['q16', 'q17'],
  )
  for (let at = 0; at < 20; at++) {
    begun[at]?.end()
    await settle()
  }
  assert.deepEqual(new Set(await Promise.all(all)), new Set(['answered', 'Error: broken']))
  assert.equal(begun.length, 20)
})

test('who waited too long is refused, who has not is not', async () => {
  const { begun, asked, pass } = house()
  const atWork = asked(16)
  await settle()
  const late = asked(3, 16)
  await settle()
  pass(251)
  const fresh = asked(1, 19)
  await settle()
  begun[0]?.end()
  await settle()
  assert.deepEqual(await Promise.all(late), ['overloaded', 'overloaded', 'overloaded'])
  assert.equal(begun.at(-1)?.question, 'q19')
  for (const one of begun) one.end()
  assert.deepEqual(new Set(await Promise.all([...atWork, ...fresh])), new Set(['answered']))
})

test('beyond its length the queue refuses at once, and places are not lost', async () => {
  const { begun, asked } = house()
  const all = asked(16 + 256 + 5)
  await settle()
  assert.deepEqual(
    await Promise.all(all.slice(-5)),
    Array.from({ length: 5 }, () => 'overloaded'),
  )
  for (let at = 0; at < 272; at++) {
    begun[at]?.end()
    await settle()
  }
  assert.equal(begun.length, 272)
  const more = asked(16)
  await settle()
  assert.equal(begun.length, 288)
  for (const one of begun) one.end()
  await Promise.all(more)
})
