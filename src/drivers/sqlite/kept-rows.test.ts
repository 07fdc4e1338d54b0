import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock as clock } from '../../base/clock.ts'
import { put, remove, table } from '../../store/rows.ts'
import { openDistant } from './distant.ts'
import { KeptRows } from './kept-rows.ts'
import type { StoreCaller } from './protocol.ts'
import { SqliteRows } from './rows.ts'
import { openSqlite } from './store.ts'

const NOTES = table<{ readonly text: string }>('notes')

const one = (units: number) => ({ version: 1, row: {}, units })

test('beyond the bound those go that were not used since, and one that is too large is never kept', () => {
  const kept = new KeptRows(true, 1_000)
  for (const key of ['a', 'b']) kept.keep(key, one(400), 1)
  kept.get('a')
  kept.keep('c', one(400), 1)
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => kept.get(key)?.units),
    [400, undefined, 400],
  )
  kept.keep('d', one(2 ** 30), 1)
  assert.deepEqual([kept.get('a')?.units, kept.get('d')], [400, undefined])
})

test('what a commit changed while it was read is not kept, and nothing is remembered of it afterwards', () => {
  const kept = new KeptRows(true)
  const [early, late] = [kept.begun(), kept.begun()]
  kept.change('a')
  kept.keep('a', one(1), early)
  kept.keep('b', one(1), early)
  assert.deepEqual([kept.get('a'), kept.get('b')?.units], [undefined, 1])
  kept.ended(early)
  kept.keep('a', one(1), late)
  assert.equal(kept.get('a'), undefined)
  kept.ended(late)
  const after = kept.begun()
  kept.keep('a', one(1), after)
  assert.equal(kept.get('a')?.units, 1)
  kept.change('a')
  assert.equal(kept.get('a'), undefined)
})

test('what another process commits by way of this one is read at once', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'headworks-kept-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const store = await openSqlite({ path: join(folder, 'store.db'), clock, log: { write: () => {} } })
  t.after(() => store.close())
  const { rows: distant } = openDistant(store.answer, clock)
  for (let at = 0; at < 50; at++) {
    // Readings on their way while it is committed, by either.
    const read = Promise.all([store.rows.get(NOTES, ['a']), distant.get(NOTES, ['a'])])
    await (at % 2 === 0 ? distant : store.rows).commit([put(NOTES, ['a'], { text: String(at) })])
    assert.equal((await store.rows.get(NOTES, ['a']))?.row.text, String(at))
    assert.equal((await distant.get(NOTES, ['a']))?.row.text, String(at))
    await read
    assert.equal((await store.rows.get(NOTES, ['a']))?.row.text, String(at))
  }
})

test('a row that has not changed is not sent again, one that was changed or removed elsewhere is seen', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'headworks-kept-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const store = await openSqlite({ path: join(folder, 'store.db'), clock, log: { write: () => {} } })
  t.after(() => store.close())
  const sent: unknown[] = []
  const watched: StoreCaller = {
    call: (async (name: never, ...values: never) => {
      const answer = await store.answer({ name, values })
      sent.push(answer)
      return answer
    }) as StoreCaller['call'],
    close: async () => {},
  }
  const rows = new SqliteRows(watched)
  await store.rows.commit([put(NOTES, ['a'], { text: 'one' })])
  const first = await rows.get(NOTES, ['a'])
  assert.deepEqual(first, await rows.get(NOTES, ['a']))
  assert.equal(sent.filter((answer) => JSON.stringify(answer).includes('one')).length, 1, 'sent once')
  assert.throws(() => Object.assign(first?.row ?? {}, { text: 'mine' }), TypeError)
  await store.rows.commit([put(NOTES, ['a'], { text: 'two' })])
  assert.equal((await rows.get(NOTES, ['a']))?.row.text, 'two')
  await store.rows.commit([remove(NOTES, ['a'])])
  assert.equal(await rows.get(NOTES, ['a']), undefined)
  await store.rows.commit([put(NOTES, ['a'], { text: 'three' })])
  assert.equal((await rows.get(NOTES, ['a']))?.row.text, 'three')
})

test('a read does not wait for the writes that were asked for before it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'headworks-kept-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const store = await openSqlite({ path: join(folder, 'store.db'), clock, log: { write: () => {} } })
  t.after(() => store.close())
  await store.rows.commit([put(NOTES, ['a'], { text: 'one' })])
  await store.rows.get(NOTES, ['a'])
  const ended: string[] = []
  const large = Array.from({ length: 50_000 }, (_, at) => put(NOTES, [`n${at}`], { text: 'x' }))
  await Promise.all([
    store.rows.commit(large).then(() => ended.push('commit')),
    store.rows.get(NOTES, ['a']).then(() => ended.push('read')),
  ])
  assert.deepEqual(ended, ['read', 'commit'])
})
