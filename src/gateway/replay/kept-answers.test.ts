import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock, settled } from '../../../tests/kit/clock.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import { claim } from './claim.ts'
import { KeptAnswers } from './kept-answers.ts'

const whole = (text: string | Uint8Array) => ({ status: 200, headers: { 'content-type': 'x/y' }, pieces: [text] })
const id = (digest: string) => ({ scope: 'key_1', digest })

test('the oldest answers go where there are too many bytes, and those that are over first', async () => {
  const clock = new ManualClock()
  const rows = new MemoryRows()
  const kept = new KeptAnswers(rows, clock)
  for (const name of ['a', 'b', 'c', 'd']) {
    await kept.keep(id(name), 'f', whole(name.repeat(100)))
    clock.advance(1000)
  }
  await kept.keep(id('a'), 'f', whole('anew'))
  await kept.sweep(250)
  const found = await Promise.all(['a', 'b', 'c', 'd'].map((name) => kept.read(id(name))))
  assert.deepEqual(
    found.map((one) => one?.body.slice(0, 4)),
    ['anew', undefined, 'cccc', 'dddd'],
  )
  clock.advance(25 * 3_600_000)
  await kept.sweep()
  for (const table of ['idempotent_answers', 'idempotent_expiries'])
    assert.deepEqual(await rows.scan({ name: table }, { limit: 10 }), [], table)
})

test('what is no text comes back byte for byte', async () => {
  const kept = new KeptAnswers(new MemoryRows(), new ManualClock())
  const bytes = Uint8Array.of(0, 255, 128, 10)
  await kept.keep(id('a'), 'f', whole(bytes))
  const { encoding, body } = (await kept.read(id('a'))) ?? { encoding: 'utf8', body: '' }
  assert.deepEqual(new Uint8Array(Buffer.from(body, encoding)), bytes)
})

test('a claim is renewed for as long as it is held', async () => {
  const clock = new ManualClock()
  const rows = new MemoryRows()
  const held = await claim({ clock, rows, node: 'one' }, id('a'))
  for (let tens = 0; tens < 6; tens++) {
    clock.advance(10_000)
    for (let turn = 0; turn < 5; turn++) await settled()
  }
  assert.equal(await claim({ clock, rows, node: 'two' }, id('a')), undefined)
  await held?.release()
  const other = await claim({ clock, rows, node: 'two' }, id('a'))
  assert.ok(other !== undefined)
  await other.release()
  assert.equal(clock.pending, 0)
})

test('answers that name a document are forgotten, and no others', async () => {
  const rows = new MemoryRows()
  const kept = new KeptAnswers(rows, new ManualClock())
  const naming = JSON.stringify({ sources: [{ document: 'a "note"' }] })
  await kept.keep(id('text'), 'f', whole(naming))
  await kept.keep(id('bytes'), 'f', whole(Buffer.concat([Buffer.of(0xff), Buffer.from(naming)])))
  await kept.keep(id('other'), 'f', whole(JSON.stringify({ sources: [{ document: 'a "note" of another' }] })))
  assert.equal(await kept.forgetNaming('a "note"'), 2)
  assert.equal(await kept.read(id('text')), undefined)
  assert.equal(await kept.read(id('bytes')), undefined)
  assert.ok((await kept.read(id('other'))) !== undefined)
  assert.equal((await rows.scan({ name: 'idempotent_expiries' }, { limit: 10 })).length, 1)
})
