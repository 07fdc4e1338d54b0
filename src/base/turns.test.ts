import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Turns } from './turns.ts'

test('work under one name is done in the order it came, whatever fails', async () => {
  const turns = new Turns()
  const done: string[] = []
  const gate = Promise.withResolvers<void>()
  const first = turns.take('a', async () => {
    await gate.promise
    done.push('first')
    throw new Error('first failed')
  })
  const second = turns.take('a', async () => done.push('second'))
  await turns.take('b', async () => done.push('other'))
  gate.resolve()
  await assert.rejects(first, /first failed/)
  await second
  assert.deepEqual(done, ['other', 'first', 'second'])
})
