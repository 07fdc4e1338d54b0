import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { inverseDocumentFrequency, lengthNorm, saturation } from '../../base/bm25.ts'
import { Fault, type ErrorCode } from '../../base/errors.ts'
import { type Attributes, type AttributeValue, type Filter, matches } from '../filter.ts'
import type { Hit, Index, IndexChunk, IndexQuery, MountedSegment } from '../index.ts'

/** What every index driver must do. */

export interface IndexFixture {
  readonly index: Index
  close(): Promise<void>
}

/** Of a driver whose segments outlive it. */
export interface DurableIndexFixture extends IndexFixture {
  /** Opens the same segments anew, as after a restart of the process. */
  reopen(): Promise<Index>
  /** Spoils a stored segment behind the driver's back. */
  damage(segment: string, how: 'flip' | 'cut'): Promise<void>
}

const words = (...list: string[]): NonNullable<IndexQuery['terms']> => list.map((word) => ({ word, weight: 1 }))
const places = (hits: readonly Hit[]): string[] => hits.map(({ segment, chunk }) => `${segment}:${chunk}`)
const texts = (...list: string[]): IndexChunk[] => list.map((text) => ({ text }))
const oneOf = (name: string, ...values: readonly AttributeValue[]): Filter => ({ op: 'in', name, values })
const range = (atLeast: number): Filter => ({ op: 'range', name: 'x', atLeast })
const all = (segment: string): { segment: string; removed: [] } => ({ segment, removed: [] })

const rejects = (promise: Promise<unknown>, code: ErrorCode, naming = ''): Promise<void> =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof Fault, String(error))
    assert.equal(error.code, code)
    assert.ok(error.message.includes(naming), `"${error.message}" does not name ${naming}`)
    return true
  })

export function indexContract(name: string, open: () => Promise<IndexFixture>): void {
  describe(`index contract: ${name}`, () => {
    const use = opening(open)
    searching(use)
    filtering(use)
    vectors(use)
    mounting(use)
    storing(use)
  })
}

/** Beyond the contract above: what it means that segments outlive the driver. */
export function durableIndexContract(name: string, open: () => Promise<DurableIndexFixture>): void {
  describe(`index contract: ${name}, durable`, () => lasting(opening(open)))
}

type Use<Fixture extends IndexFixture = IndexFixture> = () => Fixture

function opening<Fixture extends IndexFixture>(open: () => Promise<Fixture>): Use<Fixture> {
  let fixture: Fixture
  beforeEach(async () => {
    fixture = await open()
  })
  afterEach(() => fixture.close())
  return () => fixture
}

function searching(use: Use): void {
  test('scores are BM25 over the live chunks of all segments', async () => {
    const { index } = use()
    await index.build('a', texts('apple apple banana', 'apple cherry', 'dune'))
    await index.build('b', texts('banana banana banana apple egg fig', 'grape'))
    await index.mount('c', [{ segment: 'a', removed: [{ first: 2, count: 1 }] }, all('b')])
    const hits = await index.search('c', {
      terms: [
        { word: 'apples', weight: 2 },
        { word: 'Banana', weight: 0.5 },
      ],
      k: 10,
    })
    const mean = (3 + 2 + 6 + 1) / 4
    const score = (apples: number, bananas: number, length: number): number =>
      2 * inverseDocumentFrequency(4, 3) * saturation(apples, lengthNorm(length, mean)) +
      0.5 * inverseDocumentFrequency(4, 2) * saturation(bananas, lengthNorm(length, mean))
    assert.deepEqual(places(hits), ['a:0', 'b:0', 'a:1'])
    for (const [at, expected] of [score(2, 1, 3), score(1, 3, 6), score(1, 0, 2)].entries()) {
      assert.ok(Math.abs((hits[at]?.score ?? 0) - expected) < 1e-12)
    }
  })

  test('weights decide, and a weight of 0 is no term', async () => {
    const { index } = use()
    await index.build('a', texts('apple', 'banana'))
    await index.mount('c', [all('a')])
    const ask = async (apple: number, banana: number): Promise<string[]> =>
      places(
        await index.search('c', {
          terms: [
            { word: 'apple', weight: apple },
            { word: 'banana', weight: banana },
          ],
          k: 9,
        }),
      )
    assert.deepEqual(await ask(2, 1), ['a:0', 'a:1'])
    assert.deepEqual(await ask(1, 2), ['a:1', 'a:0'])
    assert.deepEqual(await ask(0, 1), ['a:1'])
    assert.deepEqual(await ask(0, 0), [])
  })

  test('k bounds the answer; equal scores keep the order of the mount', async () => {
    const { index } = use()
    await index.build('a', texts(...Array.from({ length: 20 }, () => 'same text')))
    await index.build('b', texts('same text'))
    await index.mount('c', [all('b'), all('a')])
    assert.deepEqual(places(await index.search('c', { terms: words('same'), k: 3 })), ['b:0', 'a:0', 'a:1'])
    assert.equal((await index.search('c', { terms: words('same'), k: 1000 })).length, 21)
  })

  test('a search leaves nothing behind for the next one', async () => {
    const { index } = use()
    await index.build('a', texts('apple', 'banana'))
    await index.mount('c', [all('a')])
    await index.search('c', { terms: words('apple'), k: 1 })
    assert.deepEqual(places(await index.search('c', { terms: words('banana'), k: 9 })), ['a:1'])
  })

  test('unknown words, no words and an unknown collection find nothing', async () => {
    const { index } = use()
    await index.build('a', texts('apple'))
    await index.mount('c', [all('a')])
    assert.deepEqual(await index.search('c', { terms: words('zebra'), k: 5 }), [])
    assert.deepEqual(await index.search('c', { terms: [], k: 5 }), [])
    assert.deepEqual(await index.search('nowhere', { terms: words('apple'), k: 5 }), [])
  })

  test('words of every script are found', async () => {
    const { index } = use()
    await index.build(
      'a',
      texts('Das Café an der Straße', '東京タワーは高い', 'Привет мир', 'emoji 😀 𝒳 math', 'outputTokensMax'),
    )
    await index.mount('c', [all('a')])
    for (const [word, place] of [
      ['cafe', 'a:0'],
      ['東京', 'a:1'],
      ['мир', 'a:2'],
      ['𝒳', 'a:3'],
      ['tokens', 'a:4'],
    ] as const) {
      assert.deepEqual(places(await index.search('c', { terms: words(word), k: 5 })), [place], word)
    }
  })

  test('malformed queries are refused', async () => {
    const { index } = use()
    await index.build('a', texts('apple'))
    await index.mount('c', [all('a')])
    for (const k of [0, -1, 1.5, Number.NaN, 1001])
      await rejects(index.search('c', { terms: words('apple'), k }), 'field_invalid', '`k`')
    for (const weight of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await rejects(index.search('c', { terms: [{ word: 'apple', weight }], k: 1 }), 'field_invalid', 'terms')
    }
    await rejects(index.search('c', { k: 1 }), 'field_invalid', 'query')
    await rejects(
      index.search('c', { terms: words('apple'), vector: Float32Array.of(1), k: 1 }),
      'field_invalid',
      'query',
    )
  })
}

function filtering(use: Use): void {
  const chunk = (text: string, language: string, kind?: string): IndexChunk => ({
    text,
    attributes: kind === undefined ? { language } : { language, kind },
  })

  test('a filter works inside the search: k hits whenever k match', async () => {
    const { index } = use()
    const crowd = Array.from({ length: 50 }, () => chunk('apple apple apple', 'en'))
    await index.build('a', [
      ...crowd,
      chunk('apple and much else that makes it longer', 'de'),
      chunk('apple pie', 'de'),
    ])
    await index.mount('c', [all('a')])
    const hits = await index.search('c', { terms: words('apple'), filter: oneOf('language', 'de'), k: 2 })
    assert.deepEqual(places(hits), ['a:51', 'a:50'])
  })

  test('one of the values of every name must match', async () => {
    const { index } = use()
    await index.build('a', [
      chunk('apple', 'en', 'guide'),
      chunk('apple', 'de', 'guide'),
      chunk('apple', 'de'),
      chunk('apple', 'fr', 'api'),
    ])
    await index.mount('c', [all('a')])
    const ask = async (...filters: Filter[]): Promise<string[]> =>
      places(await index.search('c', { terms: words('apple'), filter: { op: 'and', filters }, k: 9 }))
    assert.deepEqual(await ask(oneOf('language', 'de', 'fr')), ['a:1', 'a:2', 'a:3'])
    assert.deepEqual(await ask(oneOf('language', 'de', 'fr'), oneOf('kind', 'guide', 'api')), ['a:1', 'a:3'])
    assert.deepEqual(await ask(oneOf('language')), [])
    assert.deepEqual(await ask(oneOf('language', 'xx')), [])
    assert.deepEqual(await ask(oneOf('constructor', 'de')), [])
    assert.deepEqual(await ask(), ['a:0', 'a:1', 'a:2', 'a:3'])
  })

  test('filters compare texts, numbers and truth, joined and turned round', async () => {
    const { index } = use()
    const given: Attributes[] = [
      { year: 1999, 'open access': true, "it's": 'a\'b"c\\d(e)' },
      { year: 2004.5, 'open access': false },
      { year: '2004.5', 'open access': 'true' },
      { year: -3 },
      {},
    ]
    await index.build(
      'a',
      given.map((attributes) => ({ text: 'apple', vector: Float32Array.of(1, 2), attributes })),
    )
    await index.mount('c', [all('a')])
    const filters: { readonly [name: string]: Filter } = {
      number: oneOf('year', 2004.5),
      text: oneOf('year', '2004.5'),
      truth: oneOf('open access', true),
      either: { op: 'or', filters: [oneOf('open access', false), oneOf('year', -3)] },
      range: { op: 'range', name: 'year', atLeast: -3, below: 2004.5 },
      above: { op: 'range', name: 'year', above: 1999 },
      none: { op: 'range', name: 'year', above: 5, atMost: 4 },
      not: { op: 'not', filter: oneOf('year', 1999, -3) },
      'not range': { op: 'not', filter: { op: 'range', name: 'year', atMost: 1999 } },
      'not both': {
        op: 'not',
        filter: { op: 'and', filters: [oneOf('year', 1999), { op: 'not', filter: oneOf('open access', 'no') }] },
      },
      'nobody is in nothing': { op: 'not', filter: { op: 'or', filters: [] } },
      quotes: oneOf("it's", 'a\'b"c\\d(e)'),
    }
    for (const [name, filter] of Object.entries(filters)) {
      const expected = given.flatMap((attributes, at) => (matches(filter, attributes) ? [`a:${at}`] : []))
      const byWords = await index.search('c', { terms: words('apple'), filter, k: 9 })
      assert.deepEqual(places(byWords), expected, name)
      for (const exact of [true, false]) {
        const byVector = await index.search('c', { vector: Float32Array.of(2, 1), filter, exact, k: 9 })
        assert.deepEqual(places(byVector).toSorted(), expected, `${name}, by vector`)
      }
    }
  })

  test('a filter beyond its bounds is refused', async () => {
    const { index } = use()
    await index.build('a', texts('apple'))
    await index.mount('c', [all('a')])
    let deep: Filter = oneOf('x', 1)
    for (let level = 0; level < 20; level++) deep = { op: 'not', filter: deep }
    const wide: Filter = { op: 'or', filters: Array.from({ length: 300 }, () => oneOf('x', 1)) }
    const long = oneOf('x', ...Array.from({ length: 5000 }, (_, at) => at))
    for (const filter of [deep, wide, long, oneOf('x', Number.NaN), range(Number.NaN), range(Number.POSITIVE_INFINITY)])
      await rejects(index.search('c', { terms: words('apple'), filter, k: 1 }), 'field_invalid', 'filter')
  })
}

function vectors(use: Use): void {
  const chunk = (...components: number[]): IndexChunk => ({
    text: 'x',
    vector: Float32Array.from(components),
    attributes: { side: components[0] === 1 ? 'right' : 'left' },
  })

  test('cosine is exact, whatever the lengths', async () => {
    const { index } = use()
    await index.build('a', [chunk(1, 0, 0, 0, 0), chunk(5, 5, 0, 0, 0), chunk(-3, 0, 0, 0, 0), chunk(0, 0, 0, 0, 2)])
    await index.build('b', [chunk(0.1, 0.01, 0, 0, 0)])
    await index.mount('c', [all('a'), all('b')])
    const hits = await index.search('c', { vector: Float32Array.of(7, 0, 0, 0, 0), k: 9 })
    assert.deepEqual(places(hits), ['a:0', 'b:0', 'a:1', 'a:3', 'a:2'])
    for (const [at, expected] of [1, 0.1 / Math.hypot(0.1, 0.01), Math.SQRT1_2, 0, -1].entries()) {
      assert.ok(Math.abs((hits[at]?.score ?? 9) - expected) < 1e-6)
    }
  })

  test('removals and filters hold for vectors too', async () => {
    const { index } = use()
    await index.build('a', [chunk(1, 0), chunk(1, 1), chunk(0, 1), chunk(0, 2)])
    await index.mount('c', [{ segment: 'a', removed: [{ first: 0, count: 1 }] }])
    const vector = Float32Array.of(1, 0)
    assert.deepEqual(places(await index.search('c', { vector, k: 1 })), ['a:1'])
    assert.deepEqual(places(await index.search('c', { vector, filter: oneOf('side', 'left'), k: 2 })), ['a:2', 'a:3'])
  })

  test('what is no direction, or of another space, is refused', async () => {
    const { index } = use()
    await rejects(index.build('bad', [chunk(1, 0), chunk(1)]), 'field_invalid', 'chunks[1].vector')
    await rejects(index.build('bad', [chunk(1, 0), { text: 'none' }]), 'field_invalid', 'chunks[1].vector')
    await rejects(index.build('bad', [chunk(Number.NaN, 0)]), 'field_invalid', 'chunks[0].vector')
    await rejects(index.build('bad', [chunk(Number.POSITIVE_INFINITY, 0)]), 'field_invalid', 'chunks[0].vector')
    await rejects(index.build('bad', [chunk(0, 0)]), 'field_invalid', 'chunks[0].vector')
    assert.deepEqual(await index.segments(), [])

    await index.build('two', [chunk(1, 0)])
    await index.build('three', [chunk(1, 0, 0)])
    await index.build('none', texts('x'))
    await index.mount('c', [all('two'), all('none')])
    await rejects(index.search('c', { vector: Float32Array.of(1, 0, 0), k: 1 }), 'field_invalid', 'vector')
    await rejects(index.search('c', { vector: Float32Array.of(0, 0), k: 1 }), 'field_invalid', 'vector')
    await rejects(index.search('c', { vector: Float32Array.of(Number.NaN, 0), k: 1 }), 'field_invalid', 'vector')
    await rejects(index.mount('c', [all('two'), all('three')]), 'index_unavailable', 'dimensions')
    assert.deepEqual(places(await index.search('c', { vector: Float32Array.of(1, 0), k: 9 })), ['two:0'])
    await index.mount('wordsOnly', [all('none')])
    await rejects(index.search('wordsOnly', { vector: Float32Array.of(1, 0), k: 1 }), 'field_invalid', 'vector')
  })
}

function mounting(use: Use): void {
  test('removed chunks do not answer and do not count', async () => {
    const { index } = use()
    await index.build('a', texts('apple', 'apple tart', 'tart', 'apple'))
    await index.mount('c', [
      {
        segment: 'a',
        removed: [
          { first: 0, count: 1 },
          { first: 3, count: 1 },
        ],
      },
    ])
    assert.deepEqual(places(await index.search('c', { terms: words('apple'), k: 9 })), ['a:1'])
    assert.deepEqual(await index.statistics('c', ['Apple', 'tarts', 'zebra']), {
      chunks: 2,
      lengthMean: 1.5,
      chunksWith: [1, 2, 0],
    })
  })

  test('the hits of a segment that was made of others name those', async () => {
    const { index } = use()
    const made = ['plum', 'apple', 'apple tart', 'fig'].map((text) => ({
      text,
      vector: Float32Array.of(text.length, 1),
    }))
    await index.build('made', made)
    await index.build('own', [{ text: 'apple', vector: Float32Array.of(5, 1) }])
    const held: MountedSegment = {
      segment: 'made',
      removed: [{ first: 3, count: 1 }],
      holds: [
        { segment: 'gone', first: 7, count: 1 },
        { segment: 'elsewhere', first: 40, count: 3 },
      ],
    }
    await index.mount('c', [held, all('own')])
    const expected = ['elsewhere:40', 'elsewhere:41', 'own:0']
    assert.deepEqual(places(await index.search('c', { terms: words('apple'), k: 9 })).toSorted(), expected)
    const near = await index.search('c', { vector: Float32Array.of(5, 1), k: 9 })
    assert.deepEqual(places(near).toSorted(), [...expected.slice(0, 2), 'gone:7', 'own:0'])
    const few = { ...held, holds: [{ segment: 'gone', first: 7, count: 3 }] }
    await rejects(index.mount('c', [few]), 'index_unavailable', 'made')
    const none = { ...held, holds: [{ segment: 'gone', first: 0, count: 0 }] }
    await rejects(index.mount('c', [none]), 'field_invalid', 'holds')
    assert.deepEqual(places(await index.search('c', { terms: words('apple'), k: 9 })).toSorted(), expected)
  })

  test('a mount replaces the one before, and collections are apart', async () => {
    const { index } = use()
    await index.build('a', texts('apple'))
    await index.build('b', texts('apple'))
    await index.mount('c', [all('a')])
    await index.mount('d', [all('a'), all('b')])
    await index.mount('c', [all('b')])
    assert.deepEqual(places(await index.search('c', { terms: words('apple'), k: 9 })), ['b:0'])
    assert.deepEqual(places(await index.search('d', { terms: words('apple'), k: 9 })), ['a:0', 'b:0'])
  })

  test('searches beside a mount see all of it or nothing', async () => {
    const { index } = use()
    await index.build('a', texts('apple', 'apple'))
    await index.build('b', texts('apple', 'apple', 'apple'))
    await index.mount('c', [all('a')])
    const search = async (): Promise<string> => places(await index.search('c', { terms: words('apple'), k: 9 })).join()
    const seen = await Promise.all([
      search(),
      index.mount('c', [all('b')]),
      search(),
      search(),
      index.mount('c', [all('a'), all('b')]),
      search(),
    ])
    const whole = ['a:0,a:1', 'b:0,b:1,b:2', 'a:0,a:1,b:0,b:1,b:2']
    for (const answer of seen) if (answer !== undefined) assert.ok(whole.includes(answer), answer)
    assert.equal(await search(), whole[2])
  })

  test('an empty mount, an empty segment and an unknown collection are empty', async () => {
    const { index } = use()
    const nothing = { chunks: 0, lengthMean: 0, chunksWith: [0] }
    await index.build('empty', [])
    await index.mount('none', [])
    await index.mount('empty', [all('empty')])
    for (const collection of ['none', 'empty', 'unknown']) {
      assert.deepEqual(await index.search(collection, { terms: words('apple'), k: 5 }), [])
      assert.deepEqual(await index.statistics(collection, ['apple']), nothing)
    }
    assert.deepEqual(await index.search('none', { vector: Float32Array.of(1), k: 5 }), [])
  })

  test('a missing segment is refused by name and the former mount stays', async () => {
    const { index } = use()
    await index.build('a', texts('apple'))
    await index.mount('c', [all('a')])
    await rejects(index.mount('c', [all('a'), all('gone')]), 'index_unavailable', 'gone')
    await rejects(index.mount('c', [all('../../etc/passwd')]), 'index_unavailable', 'passwd')
    await rejects(index.mount('c', [all('a'), all('a')]), 'field_invalid', 'twice')
    await rejects(index.mount('c', [{ segment: 'a', removed: [{ first: -1, count: 2 }] }]), 'field_invalid', 'removes')
    assert.deepEqual(places(await index.search('c', { terms: words('apple'), k: 9 })), ['a:0'])
  })
}

function storing(use: Use): void {
  test('a summary counts; a name is used once and must be a name', async () => {
    const { index } = use()
    const summary = await index.build('shelf/one', texts('apple banana', 'apple'))
    assert.equal(summary.segment, 'shelf/one')
    assert.equal(summary.chunks, 2)
    assert.equal(summary.terms, 2)
    assert.ok(summary.bytes > 0)
    await rejects(index.build('shelf/one', texts('other')), 'internal', 'shelf/one')
    for (const bad of ['', '../up', 'a//b', '/abs', 'UPPER', 'a/.hidden', 'x'.repeat(300)]) {
      await rejects(index.build(bad, texts('x')), 'field_invalid', 'segment')
    }
    assert.deepEqual(await index.segments(), ['shelf/one'])
  })

  test('a dropped segment answers until the next mount', async () => {
    const { index } = use()
    await index.build('a', texts('apple'))
    await index.build('b', texts('apple'))
    await index.mount('c', [all('a')])
    await index.drop('a')
    await index.drop('never')
    assert.deepEqual(await index.segments(), ['b'])
    assert.deepEqual(places(await index.search('c', { terms: words('apple'), k: 9 })), ['a:0'])
    await index.mount('c', [all('b')])
    await rejects(index.mount('c', [all('a')]), 'index_unavailable', 'a')
    assert.deepEqual(places(await index.search('c', { terms: words('apple'), k: 9 })), ['b:0'])
  })
}

function lasting(use: Use<DurableIndexFixture>): void {
  test('after a restart the segments are there and can be mounted', async () => {
    const { index, reopen } = use()
    await index.build('shelf/a', [{ text: 'apple pie', attributes: { kind: 'food' }, vector: Float32Array.of(3, 4) }])
    await index.mount('c', [all('shelf/a')])
    const query = { terms: words('pie'), where: { kind: ['food'] }, k: 5 }
    const before = await index.search('c', query)
    const again = await reopen()
    assert.deepEqual(await again.segments(), ['shelf/a'])
    assert.deepEqual(await again.search('c', query), [])
    await again.mount('c', [all('shelf/a')])
    assert.deepEqual(await again.search('c', query), before)
    assert.equal((await again.search('c', { vector: Float32Array.of(3, 4), k: 1 }))[0]?.segment, 'shelf/a')
  })

  test('what one opening builds, another can mount', async () => {
    const { index, reopen } = use()
    const builder = await reopen()
    await builder.build('a', texts('apple'))
    await index.mount('c', [all('a')])
    assert.deepEqual(places(await index.search('c', { terms: words('apple'), k: 5 })), ['a:0'])
  })

  for (const how of ['flip', 'cut'] as const) {
    test(`a damaged segment (${how}) is refused by name and the former mount stays`, async () => {
      const { index, damage } = use()
      await index.build('a', texts('apple'))
      await index.build('x/bad', texts('apple apple'))
      await index.mount('c', [all('a')])
      await damage('x/bad', how)
      await rejects(index.mount('c', [all('x/bad')]), 'index_unavailable', 'x/bad')
      assert.deepEqual(places(await index.search('c', { terms: words('apple'), k: 9 })), ['a:0'])
    })
  }
}
