import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { COMMIT_CHANGES_MAX, VALUE_UNITS_MAX } from '../bounds.ts'
import { put, remove, SCAN_MAX, table, type Key, type Range, type Rows } from '../rows.ts'
import { rejects, StoppedClock, type Open, type Opened, type OpenDurable } from './opened.ts'
import { rowsLaws } from './rows-laws.ts'

interface Note {
  readonly text: string
}

/** Keys in the order the port promises. */
const ORDERED: readonly Key[] = [
  [''],
  ['', ''],
  ['', 'z'],
  ['\u0001'],
  ['\u0001', 'a'],
  [' '],
  ['a'],
  ['a', ''],
  ['a', '\u0001'],
  ['a', 'b'],
  ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'],
  ['a\u0001'],
  ['a\u0001', 'a'],
  ['a.b'],
  ['aa'],
  ['b'],
  ['\u007f'],
  ['\u0080'],
  ['é'],
  ['\u07ff'],
  ['\u0800'],
  ['日本'],
  ['\ud7ff'],
  ['\ud800'], // half a surrogate pair
  ['\ud83d\ude00'], // an emoji: behind U+FFFF in UTF-8, before U+E000 by code unit
  ['\udfff'],
  ['\ue000'],
  ['\uffff'],
]

export function rowsContract(driver: string, open: Open<Rows>): void {
  describe(`rows: ${driver}`, () => {
    let opened: Opened<Rows>
    let rows: Rows
    before(async () => {
      opened = await open(new StoppedClock())
      rows = opened.port
    })
    after(() => opened.close())

    reading(() => rows)
    scanning(() => rows)
    comparing(() => rows)
    refusing(() => rows)
    rowsLaws(() => rows)
    closing(open)
  })
}

function reading(rows: () => Rows): void {
  test('a row comes back as it was put, and as a copy or frozen', async () => {
    const notes = table<unknown>('values')
    const values = [
      null,
      true,
      0,
      -1.5,
      1e300,
      '',
      'a\0b',
      '\ud800',
      '日本 \u{1f600}',
      [],
      {},
      { a: [1, { b: null }], ü: 'x'.repeat(100_000) },
    ]
    assert.equal(await rows().commit(values.map((value, at) => put(notes, [String(at)], value))), true)
    for (const [at, value] of values.entries()) assert.deepEqual((await rows().get(notes, [String(at)]))?.row, value)

    const mine = { text: 'before' }
    const committed = rows().commit([put(notes, ['mine'], mine)])
    mine.text = 'after'
    await committed
    const found = await rows().get<Note>(table('values'), ['mine'])
    assert.deepEqual(found?.row, { text: 'before' })
    if (!Object.isFrozen(found?.row)) Object.assign(found?.row ?? {}, { text: 'changed' })
    assert.deepEqual((await rows().get(notes, ['mine']))?.row, { text: 'before' })
  })

  test('what is not there is undefined; getMany keeps order and length', async () => {
    const notes = table<Note>('many')
    assert.equal(await rows().get(notes, ['x']), undefined)
    await rows().commit([put(notes, ['a'], { text: 'A' }), put(notes, ['b'], { text: 'B' })])
    const found = await rows().getMany(notes, [['b'], ['x'], ['a'], ['b']])
    assert.deepEqual(
      found.map((one) => one?.row.text),
      ['B', undefined, 'A', 'B'],
    )
    assert.deepEqual(found[0]?.key, ['b'])
    assert.deepEqual(await rows().getMany(notes, []), [])
  })

  test('tables are apart, also where names and keys could run together', async () => {
    await rows().commit([put(table('t'), ['a', 'b'], 1), put(table('ta'), ['b'], 2), put(table('t.a'), ['b'], 3)])
    assert.deepEqual(
      (await rows().scan(table('t'), { limit: 10 })).map(({ row }) => row),
      [1],
    )
    assert.deepEqual(
      (await rows().scan(table('ta'), { limit: 10 })).map(({ row }) => row),
      [2],
    )
    assert.equal(await rows().get(table('t'), ['b']), undefined)
  })

  test('a removed row is gone; removing nothing is no failure', async () => {
    const notes = table<Note>('gone')
    await rows().commit([put(notes, ['a'], { text: 'A' })])
    assert.equal(await rows().commit([remove(notes, ['a']), remove(notes, ['never'])]), true)
    assert.equal(await rows().get(notes, ['a']), undefined)
    assert.deepEqual(await rows().scan(notes, { limit: 10 }), [])
    assert.equal(await rows().commit([]), true)
  })
}

function scanning(rows: () => Rows): void {
  const keys = table<number>('ordered')
  const scan = async (range: Range): Promise<Key[]> => (await rows().scan(keys, range)).map(({ key }) => key)

  test('keys come in code-unit order, part by part', async () => {
    const shuffled = ORDERED.map((key, at) => put(keys, key, at)).sort(
      (a, b) => JSON.stringify(a.key).length - JSON.stringify(b.key).length,
    )
    assert.equal(await rows().commit(shuffled), true)
    assert.deepEqual(await scan({ limit: SCAN_MAX }), ORDERED)
    assert.deepEqual(await scan({ limit: SCAN_MAX, reverse: true }), ORDERED.toReversed())
    for (const [at, key] of ORDERED.entries()) assert.equal((await rows().get(keys, key))?.row, at)
  })

  test('a prefix is of whole parts', async () => {
    const below = (prefix: Key): Key[] => ORDERED.filter((key) => prefix.every((part, at) => key[at] === part))
    for (const prefix of [
      [],
      [''],
      ['a'],
      ['a', 'b'],
      ['a\u0001'],
      ['\u0001'],
      ['\ud800'],
      ['\ud83d'],
      ['\uffff'],
      ['nothing'],
    ]) {
      assert.deepEqual(await scan({ prefix, limit: 100 }), below(prefix), JSON.stringify(prefix))
      assert.deepEqual(
        await scan({ prefix, limit: 100, reverse: true }),
        below(prefix).reverse(),
        JSON.stringify(prefix),
      )
    }
  })

  test('a scan continues after a key, present or not, in either direction', async () => {
    for (const [at, key] of ORDERED.entries()) {
      assert.deepEqual(await scan({ after: key, limit: 100 }), ORDERED.slice(at + 1))
      assert.deepEqual(await scan({ after: key, limit: 100, reverse: true }), ORDERED.slice(0, at).reverse())
    }
    assert.deepEqual(await scan({ prefix: ['a'], after: ['a', 'a'], limit: 1 }), [['a', 'b']])
    assert.deepEqual(await scan({ prefix: ['a'], after: ['b'], limit: 9 }), [])
    assert.deepEqual(await scan({ prefix: ['a'], after: [''], limit: 1 }), [['a']])
    assert.deepEqual(await scan({ prefix: ['a'], after: ['b'], limit: 1, reverse: true }), [
      ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'],
    ])
  })

  test('pages of any size add up to the whole', async () => {
    for (const reverse of [false, true]) {
      const whole: Key[] = []
      for (
        let page = await scan({ limit: 3, reverse });
        page.length > 0;
        page = await scan({ limit: 3, reverse, after: whole.at(-1) ?? [] })
      ) {
        assert.ok(page.length <= 3 && whole.length < ORDERED.length)
        whole.push(...page)
      }
      assert.deepEqual(whole, reverse ? ORDERED.toReversed() : ORDERED)
    }
  })
}

function comparing(rows: () => Rows): void {
  const notes = table<Note>('compared')

  test('a version that does not hold changes nothing of the whole commit', async () => {
    await rows().commit([put(notes, ['a'], { text: 'A' }), put(notes, ['b'], { text: 'B' })])
    const version = (await rows().get(notes, ['a']))?.version ?? 0
    assert.ok(version > 0)
    for (const conflict of [
      put(notes, ['a'], { text: 'no' }, version + 1_000_000),
      put(notes, ['a'], { text: 'no' }, 0),
      remove(notes, ['a'], version + 1_000_000),
      remove(notes, ['a'], 0),
      put(notes, ['never'], { text: 'no' }, version),
      remove(notes, ['never'], version),
    ]) {
      assert.equal(
        await rows().commit([
          put(notes, ['c'], { text: 'C' }),
          remove(notes, ['b']),
          conflict,
          put(notes, ['d'], { text: 'D' }),
        ]),
        false,
      )
    }
    assert.deepEqual(
      (await rows().scan(notes, { limit: 10 })).map(({ row }) => row.text),
      ['A', 'B'],
    )
    assert.equal((await rows().get(notes, ['a']))?.version, version)
    assert.equal(
      await rows().commit([
        put(notes, ['a'], { text: 'A2' }, version),
        put(notes, ['c'], { text: 'C' }, 0),
        remove(notes, ['x'], 0),
      ]),
      true,
    )
    assert.deepEqual(
      (await rows().scan(notes, { limit: 10 })).map(({ row }) => row.text),
      ['A2', 'B', 'C'],
    )
  })

  test('versions grow with every change, also across a removal', async () => {
    const seen: number[] = []
    for (let round = 0; round < 4; round++) {
      await rows().commit([put(notes, ['grows'], { text: 'same' })])
      seen.push((await rows().get(notes, ['grows']))?.version ?? 0)
      if (round % 2 === 1) await rows().commit([remove(notes, ['grows'])])
    }
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
    )
    assert.equal(new Set(seen).size, 4)
    assert.equal(await rows().commit([put(notes, ['grows'], { text: 'stale' }, seen[3])]), false)
  })

  test('changes apply in their order', async () => {
    assert.equal(
      await rows().commit([
        put(notes, ['o'], { text: '1' }, 0),
        remove(notes, ['o']),
        put(notes, ['o'], { text: '2' }, 0),
      ]),
      true,
    )
    assert.equal((await rows().get(notes, ['o']))?.row.text, '2')
    assert.equal(await rows().commit([put(notes, ['p'], { text: '1' }, 0), put(notes, ['p'], { text: '2' }, 0)]), false)
    assert.equal(await rows().get(notes, ['p']), undefined)
  })

  test('of many that compare with the same version one wins, and its neighbours stand', async () => {
    await rows().commit([put(notes, ['counter'], { text: '' })])
    const version = (await rows().get(notes, ['counter']))?.version
    const tries = Array.from({ length: 50 }, (_, at) =>
      Promise.all([
        rows().commit([
          put(notes, ['try', `${at}`], { text: '' }),
          put(notes, ['counter'], { text: `${at}` }, version),
        ]),
        rows().commit([put(notes, ['neighbour', `${at}`], { text: '' })]),
      ]),
    )
    const won = (await Promise.all(tries)).flatMap(([first], at) => (first ? [`${at}`] : []))
    assert.equal(won.length, 1)
    assert.equal((await rows().get(notes, ['counter']))?.row.text, won[0])
    assert.deepEqual(
      (await rows().scan(notes, { prefix: ['try'], limit: 100 })).map(({ key }) => key[1]),
      won,
    )
    assert.equal((await rows().scan(notes, { prefix: ['neighbour'], limit: 100 })).length, 50)
  })
}

function refusing(rows: () => Rows): void {
  const notes = table<unknown>('refused')
  const keys: [string, Key, RegExp][] = [
    ['no part', [], /no part/],
    ['nine parts', ['1', '2', '3', '4', '5', '6', '7', '8', '9'], /9 parts/],
    ['a part of 513 units', ['x'.repeat(513)], /513 units/],
    ['U+0000', ['a', 'b\0c'], /U\+0000/],
    ['a part that is no string', [7 as unknown as string], /number/],
  ]
  for (const [what, key, sentence] of keys) {
    test(`a key with ${what} is refused`, async () => {
      await rejects(() => rows().get(notes, key), 'internal', sentence)
      await rejects(() => rows().getMany(notes, [['fine'], key]), 'internal', sentence)
      await rejects(() => rows().scan(notes, { after: key, limit: 1 }), 'internal', sentence)
      if (key.length > 0) await rejects(() => rows().scan(notes, { prefix: key, limit: 1 }), 'internal', sentence)
      await rejects(() => rows().commit([put(notes, ['fine'], 1), put(notes, key, 1)]), 'internal', sentence)
      await rejects(() => rows().commit([remove(notes, key)]), 'internal', sentence)
      assert.equal(await rows().get(notes, ['fine']), undefined)
    })
  }

  test('the longest key and most parts are kept', async () => {
    const key = Array.from({ length: 8 }, () => '\uffff'.repeat(512))
    await rows().commit([put(table('longest'), key, 1)])
    assert.deepEqual(
      await rows()
        .scan(table('longest'), { prefix: key, limit: 2 })
        .then((found) => found.map((one) => one.key)),
      [key],
    )
  })

  test('a limit outside 1 to SCAN_MAX, too many keys and changes are refused', async () => {
    for (const limit of [0, -1, 1.5, NaN, SCAN_MAX + 1])
      await rejects(() => rows().scan(notes, { limit }), 'internal', /limit/)
    await rejects(
      () =>
        rows().getMany(
          notes,
          Array.from({ length: SCAN_MAX + 1 }, () => ['k']),
        ),
      'internal',
      /keys/,
    )
    const change = put(notes, ['k'], 1)
    await rejects(
      () => rows().commit(Array.from({ length: COMMIT_CHANGES_MAX + 1 }, () => change)),
      'internal',
      /changes/,
    )
  })

  test('a version that none can be is refused', async () => {
    for (const version of [-1, 0.5, NaN, Infinity]) {
      await rejects(() => rows().commit([put(notes, ['k'], 1, version)]), 'internal', /version/)
      await rejects(() => rows().commit([remove(notes, ['k'], version)]), 'internal', /version/)
    }
  })

  test("a name that is no table's is refused", async () => {
    for (const name of ['', 'a b', 'a\0b', '-a', 'x'.repeat(65)])
      await rejects(() => rows().get(table(name), ['k']), 'internal', /table/)
  })

  test('a row that is no JSON or huge is refused, and its commit with it', async () => {
    const circle: { self?: unknown } = {}
    circle.self = circle
    for (const row of [undefined, () => {}, 1n, circle, 'x'.repeat(VALUE_UNITS_MAX)]) {
      await rejects(() => rows().commit([put(notes, ['fine'], 1), put(notes, ['bad'], row)]), 'internal', /a row/)
    }
    assert.deepEqual(await rows().getMany(notes, [['fine'], ['bad']]), [undefined, undefined])
  })
}

function closing(open: Open<Rows>): void {
  test('what is closed refuses, and may be closed again', async () => {
    const notes = table<Note>('closed')
    const last = await open(new StoppedClock())
    await Promise.all([last.port.close(), last.port.close()])
    await rejects(() => last.port.commit([put(notes, ['a'], { text: 'A' })]), 'store_unavailable', /closed/)
    await rejects(() => last.port.get(notes, ['a']), 'store_unavailable', /closed/)
    await last.close()
  })
}

/** For drivers whose data outlives the process. */
export function durableRowsContract(driver: string, open: OpenDurable<Rows>): void {
  test(`rows: ${driver} > what was committed is there after reopening`, async (t) => {
    const notes = table<Note>('lasting')
    const opened = await open(new StoppedClock())
    t.after(() => opened.close())
    await opened.port.commit([put(notes, ['a'], { text: 'A' }), put(notes, ['b'], { text: 'B' }), remove(notes, ['a'])])
    const version = (await opened.port.get(notes, ['b']))?.version ?? 0
    const again = await opened.reopen()
    const texts = (await again.scan(notes, { limit: 10 })).map(({ row }) => row.text)
    assert.deepEqual(texts, ['B'])
    const changes = [put(notes, ['b'], { text: 'B2' }, version), put(notes, ['a'], { text: 'A' })]
    assert.equal(await again.commit(changes), true)
    assert.ok(((await again.get(notes, ['b']))?.version ?? 0) > version)
    assert.ok(((await again.get(notes, ['a']))?.version ?? 0) > version)
  })
}
