import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import fc from 'fast-check'
import type { JsonObject } from '../../base/json.ts'
import { APPEND_ENTRIES_MAX, NAME_UNITS_MAX, VALUE_UNITS_MAX } from '../bounds.ts'
import type { Entry, Events } from '../events.ts'
import { SCAN_MAX } from '../rows.ts'
import { rejects, StoppedClock, type Open, type Opened, type OpenDurable } from './opened.ts'

const RUNS = 25

const entry = (id: string, phase: Entry['phase'], kind = 'request', body: JsonObject = {}): Entry => ({
  id,
  phase,
  kind,
  atMs: 1_700_000_000_123,
  body,
})
const ids = (entries: readonly Entry[]): string[] => entries.map(({ id }) => id)

export function eventsContract(driver: string, open: Open<Events>): void {
  describe(`events: ${driver}`, () => {
    // The journal has no tables to keep tests apart, so each gets one of its own.
    let opened: Opened<Events>
    beforeEach(async () => {
      opened = await open(new StoppedClock())
    })
    afterEach(() => opened.close())

    appending(() => opened.port)
    paging(() => opened.port)
    following(() => opened.port)
    interrupted(() => opened.port)
    refusing(() => opened.port)
  })
  lawful(driver, open)
}

function appending(events: () => Events): void {
  test('entries come back as appended, open first, of their id alone', async () => {
    const body = { text: '日本 \u{1f600} \ud800\0', list: [1, null, { a: true }], number: -1.5 }
    await events().append([entry('a', 'close', 'request', body), entry('b', 'open')])
    await events().append([{ ...entry('a', 'open', 'request', body), atMs: 5.25 }])
    assert.deepEqual(await events().read('a'), [
      { ...entry('a', 'open', 'request', body), atMs: 5.25 },
      entry('a', 'close', 'request', body),
    ])
    assert.deepEqual(await events().read('b'), [entry('b', 'open')])
    assert.deepEqual(await events().read('never'), [])
    await events().append([])
  })

  test('of an id and phase the first entry stands, whether delivered again at once or later', async () => {
    await events().append([entry('a', 'open', 'first'), entry('a', 'open', 'second'), entry('a', 'close', 'first')])
    await events().append([entry('a', 'open', 'third', { more: 1 }), entry('a', 'close', 'third'), entry('b', 'close')])
    assert.deepEqual(
      (await events().read('a')).map(({ kind }) => kind),
      ['first', 'first'],
    )
    assert.deepEqual(ids((await events().recent({ limit: 10 })).entries), ['b', 'a'])
    assert.deepEqual((await events().recent({ kind: 'third', limit: 10 })).entries, [])
  })

  test('what was handed over may be changed at once', async () => {
    const body = { text: 'before' }
    const appended = events().append([entry('a', 'open', 'request', body)])
    body.text = 'after'
    await appended
    assert.deepEqual((await events().read('a'))[0]?.body, { text: 'before' })
  })
}

function paging(events: () => Events): void {
  test('recent gives closing entries, newest first, by kind, page by page', async () => {
    const all = Array.from({ length: 10 }, (_, at) => entry(`id ${at}`, 'close', at % 2 === 0 ? 'even' : 'odd'))
    for (const one of all) await events().append([entry(one.id, 'open', one.kind), one])
    for (const kind of [undefined, 'even', 'odd', 'never']) {
      const expected = ids(all.filter((one) => kind === undefined || one.kind === kind)).reverse()
      for (const limit of [1, 3, 5, 10, SCAN_MAX]) {
        const found: string[] = []
        let before: string | undefined
        do {
          const page = await events().recent({
            limit,
            ...(kind === undefined ? {} : { kind }),
            ...(before === undefined ? {} : { before }),
          })
          assert.ok(page.entries.length === limit || page.next === undefined)
          found.push(...ids(page.entries))
          before = page.next
        } while (before !== undefined)
        assert.deepEqual(found, expected)
      }
    }
  })

  test('what closes between two pages disturbs neither', async () => {
    await events().append(['a', 'b', 'c'].map((id) => entry(id, 'close')))
    const first = await events().recent({ limit: 2 })
    await events().append([entry('d', 'close')])
    const second = await events().recent({ limit: 2, before: first.next ?? '' })
    assert.deepEqual([ids(first.entries), ids(second.entries), second.next], [['c', 'b'], ['a'], undefined])
  })
}

function following(events: () => Events): void {
  test('who follows meets every closing once, in the order they arrived', async () => {
    assert.deepEqual(await events().follow(0, 10), { entries: [], position: 0 })
    await events().append([entry('a', 'open'), entry('b', 'open'), entry('b', 'close')])
    const first = await events().follow(0, 10)
    assert.deepEqual(ids(first.entries), ['b'])
    assert.deepEqual(await events().follow(first.position, 10), { entries: [], position: first.position })
    await events().append([entry('b', 'close'), entry('a', 'close'), entry('c', 'close')])
    const second = await events().follow(first.position, 1)
    assert.deepEqual(ids(second.entries), ['a'])
    const third = await events().follow(second.position, 10)
    assert.deepEqual(ids(third.entries), ['c'])
    assert.deepEqual(ids((await events().follow(0, 10)).entries), ['b', 'a', 'c'])
  })

  test('a place that is none is refused', async () => {
    for (const position of [-1, 0.5, NaN]) await rejects(() => events().follow(position, 1), 'internal', /position/)
    await rejects(() => events().follow(0, 0), 'internal', /limit/)
  })
}

function interrupted(events: () => Events): void {
  test('unclosed gives what was opened and never closed, oldest first', async () => {
    await events().append(['a', 'b', 'c', 'd'].map((id) => entry(id, 'open')))
    await events().append([entry('b', 'close'), entry('early', 'close')])
    await events().append([entry('early', 'open'), entry('a', 'open')])
    assert.deepEqual(
      await events().unclosed(10),
      ['a', 'c', 'd'].map((id) => entry(id, 'open')),
    )
    assert.deepEqual(ids(await events().unclosed(2)), ['a', 'c'])
    await events().append(['a', 'c', 'd'].map((id) => entry(id, 'close')))
    assert.deepEqual(await events().unclosed(10), [])
  })
}

function refusing(events: () => Events): void {
  test('entries that no store can keep are refused, and their whole append', async () => {
    const bad: [Partial<Record<keyof Entry, unknown>>, RegExp][] = [
      [{ id: '' }, /id/],
      [{ id: 'a\0b' }, /id/],
      [{ id: '\ud800' }, /id/],
      [{ id: 'x'.repeat(NAME_UNITS_MAX + 1) }, /id/],
      [{ kind: '' }, /kind/],
      [{ atMs: NaN }, /time/],
      [{ body: undefined }, /body/],
      [{ body: { big: 1n } }, /body/],
      [{ body: { text: 'x'.repeat(VALUE_UNITS_MAX) } }, /body/],
    ]
    for (const [part, sentence] of bad) {
      await rejects(
        () => events().append([entry('good', 'open'), { ...entry('bad', 'open'), ...part } as Entry]),
        'internal',
        sentence,
      )
    }
    await rejects(
      () => events().append(Array.from({ length: APPEND_ENTRIES_MAX + 1 }, () => entry('good', 'open'))),
      'internal',
      /entries/,
    )
    await rejects(() => events().read(''), 'internal', /id/)
    assert.deepEqual(await events().unclosed(10), [])
  })

  test('limits out of bounds are refused, and cursors that are none by the name of the field', async () => {
    for (const limit of [0, -1, 0.5, NaN, SCAN_MAX + 1]) {
      await rejects(() => events().recent({ limit }), 'internal', /limit/)
      await rejects(() => events().unclosed(limit), 'internal', /limit/)
    }
    for (const before of ['', 'x', '-1', '1e3', "1' OR 1", '9'.repeat(30)])
      await rejects(() => events().recent({ limit: 1, before }), 'field_invalid', /before/)
  })
}

/** For drivers whose data outlives the process. */
export function durableEventsContract(driver: string, open: OpenDurable<Events>): void {
  test(`events: ${driver} > after reopening the journal is whole and goes on in its order`, async (t) => {
    const one = await open(new StoppedClock())
    t.after(() => one.close())
    await one.port.append([entry('a', 'open'), entry('a', 'close'), entry('b', 'open')])
    const again = await one.reopen()
    assert.deepEqual(await again.read('a'), [entry('a', 'open'), entry('a', 'close')])
    assert.deepEqual(ids(await again.unclosed(10)), ['b'])
    await again.append([entry('a', 'close', 'second'), entry('c', 'close'), entry('b', 'close')])
    assert.deepEqual(ids((await again.recent({ limit: 10 })).entries), ['b', 'c', 'a'])
    assert.deepEqual(await again.unclosed(10), [])
  })
}

function lawful(driver: string, open: Open<Events>): void {
  test(`events: ${driver}: any deliveries, in any order and number, leave each first entry once`, async (t) => {
    const opened = await open(new StoppedClock())
    t.after(() => opened.close())
    let run = 0
    const one = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd'),
      phase: fc.constantFrom('open' as const, 'close' as const),
      number: fc.nat(99),
    })
    const law = fc.asyncProperty(fc.array(fc.array(one, { maxLength: 5 }), { maxLength: 8 }), async (appends) => {
      const kind = `run ${run++}`
      const first = new Map<string, Entry>()
      const sent = appends.map((append) =>
        append.map(({ name, phase, number }) => entry(`${kind} ${name}`, phase, kind, { number })),
      )
      for (const one of sent.flat()) if (!first.has(`${one.id} ${one.phase}`)) first.set(`${one.id} ${one.phase}`, one)
      await Promise.all(sent.map((append) => opened.port.append(append)))
      const kept = [...first.values()]
      assert.deepEqual(
        (await opened.port.recent({ kind, limit: 100 })).entries,
        kept.filter(({ phase }) => phase === 'close').reverse(),
      )
      const open = kept.filter(({ phase, id }) => phase === 'open' && !first.has(`${id} close`))
      assert.deepEqual(
        (await opened.port.unclosed(SCAN_MAX)).filter((found) => found.kind === kind),
        open,
      )
    })
    await fc.assert(law, { numRuns: RUNS })
  })
}
