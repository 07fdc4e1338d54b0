import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { type Random, seededRandom, uniforms } from '../../base/random.ts'
import { type Attributes, type Filter, matches } from '../filter.ts'
import type { Near, VectorQuery, VectorReader, Vectors } from '../vectors.ts'
import { rejects } from './opened.ts'

/** What every driver of vectors must do. */

export interface VectorsFixture {
  readonly vectors: Vectors
  /** Opens the same vectors anew, as another process would. */
  reopen(): Promise<Vectors>
  /** Spoils a stored segment behind the driver's back. */
  damage(segment: string): Promise<void>
  close(): Promise<void>
}

/** Enough that a driver builds its graph. */
const LARGE = 6_000
const DIMENSION = 24
const QUESTIONS = 20
const TARGET = { recallAt10: 0.95 }

export function vectorsContract(name: string, open: () => Promise<VectorsFixture>, skip: string | false = false): void {
  describe(`vectors contract: ${name}`, { skip }, () => {
    let fixture: VectorsFixture
    beforeEach(async () => {
      fixture = await open()
    })
    afterEach(() => fixture.close())
    const use = (): VectorsFixture => fixture
    searching(use)
    large(use)
    storing(use)
  })
}

type Use = () => VectorsFixture

const chunksOf = (near: readonly Near[]): number[] => near.map(({ chunk }) => chunk)

async function write(vectors: Vectors, segment: string, rows: readonly Row[]): Promise<void> {
  const dimension = rows[0]?.vector.length ?? 1
  const writer = await vectors.write(segment, dimension)
  for (let at = 0; at < rows.length; at += 1_000) {
    const part = rows.slice(at, at + 1_000)
    const flat = new Float32Array(part.length * dimension)
    for (const [i, { vector }] of part.entries()) flat.set(unit(vector), i * dimension)
    await writer.add(
      flat,
      part.map(({ attributes }) => attributes),
    )
  }
  await writer.finish()
}

interface Row {
  readonly vector: readonly number[]
  readonly attributes: Attributes
}

function unit(vector: readonly number[]): Float32Array {
  const length = Math.hypot(...vector)
  return Float32Array.from(vector, (component) => component / length)
}

const row = (vector: readonly number[], attributes: Attributes = {}): Row => ({ vector, attributes })

function searching(use: Use): void {
  test('the best come first, by cosine; k bounds the answer', async () => {
    const { vectors } = use()
    await write(vectors, 'a', [row([1, 0]), row([1, 1]), row([-1, 0]), row([0, 1])])
    const reader = await vectors.open('a', TARGET)
    const near = await reader.search(unit([5, 0.1]), { k: 9 })
    assert.deepEqual(chunksOf(near), [0, 1, 3, 2])
    for (const [at, expected] of [1, Math.SQRT1_2, 0, -1].entries())
      assert.ok(Math.abs((near[at]?.score ?? 9) - expected) < 0.02, `${at}: ${near[at]?.score}`)
    assert.deepEqual(chunksOf(await reader.search(unit([5, 0.1]), { k: 2 })), [0, 1])
    reader.close()
  })

  test('filters mean what they say, values of every kind told apart', async () => {
    const { vectors } = use()
    const hard = { "it's": 'o"n\\e', 'größe 東': '😀', 'a.b': ' %_$1', __proto__x: 'y', half: '\ud800', nul: '\0' }
    const rows = [
      row([9, 1], { kind: 'guide', size: 1, draft: true }),
      row([8, 1], { kind: 'guide', size: 2.5, draft: false }),
      row([7, 1], { kind: 'api', size: '1' }),
      row([6, 1], { kind: 'true', size: -3e-7 }),
      row([5, 1], hard),
      row([4, 1], {}),
      row([3, 1], { size: 0, draft: 'true' }),
    ]
    await write(vectors, 'a', rows)
    const reader = await vectors.open('a', TARGET)
    const isOf = (name: string, ...values: (string | number | boolean)[]): Filter => ({ op: 'in', name, values })
    const filters: Filter[] = [
      isOf('kind', 'guide'),
      isOf('kind', 'guide', 'api', 'none'),
      isOf('size', 1),
      isOf('size', '1'),
      isOf('size', 0, 2.5),
      isOf('draft', true),
      isOf('draft', 'true'),
      isOf('kind'),
      isOf('nothing', 'x'),
      isOf('constructor', 'x'),
      ...Object.entries(hard).map(([name, value]) => isOf(name, value)),
      isOf("it's", "') OR true --"),
      { op: 'not', filter: isOf('kind', 'guide') },
      { op: 'not', filter: isOf('nothing', 'x') },
      { op: 'and', filters: [isOf('kind', 'guide'), { op: 'not', filter: isOf('draft', true) }] },
      { op: 'or', filters: [isOf('kind', 'api'), { op: 'and', filters: [isOf('size', 1), isOf('draft', true)] }] },
      { op: 'and', filters: [] },
      { op: 'or', filters: [] },
      { op: 'not', filter: { op: 'or', filters: [isOf('kind', 'guide'), isOf('size', 0)] } },
    ]
    for (const filter of filters) {
      const expected = rows.flatMap(({ attributes }, chunk) => (matches(filter, attributes) ? [chunk] : []))
      for (const exact of [false, true])
        assert.deepEqual(
          chunksOf(await reader.search(unit([1, 0]), { k: 9, filter, exact })),
          expected,
          JSON.stringify(filter),
        )
    }
    reader.close()
  })
}

function large(use: Use): void {
  test('in a large segment the nearest are found, under filters too, and never fewer than fit', async () => {
    const { vectors } = use()
    const rows = clustered(LARGE)
    await write(vectors, 'large', rows)
    const reader = await vectors.open('large', TARGET)
    assert.equal(reader.probe.vectors, LARGE)
    assert.ok(reader.probe.found.found >= 0.95 * reader.probe.found.of)
    const filters: (Filter | undefined)[] = [
      undefined,
      { op: 'in', name: 'share', values: ['half'] },
      { op: 'in', name: 'hundredth', values: [7] },
      { op: 'in', name: 'own', values: [17, 4_000] },
      { op: 'not', filter: { op: 'in', name: 'share', values: ['half'] } },
    ]
    for (const filter of filters) {
      const query = filter === undefined ? {} : { filter }
      const recalls: number[] = []
      for (const { vector } of clustered(QUESTIONS, 99)) recalls.push(await recall(reader, unit(vector), query))
      const mean = recalls.reduce((sum, one) => sum + one, 0) / recalls.length
      assert.ok(mean >= 0.9, `${JSON.stringify(filter)}: recall ${mean}`)
    }
    const whole = await reader.search(unit(rows[0]?.vector ?? []), { k: 1_000 })
    assert.equal(new Set(chunksOf(whole)).size, 1_000)
    reader.close()
  })
}

/** Against exact search; fails where fewer came back than fit. */
async function recall(reader: VectorReader, vector: Float32Array, query: Omit<VectorQuery, 'k'>): Promise<number> {
  const truth = chunksOf(await reader.search(vector, { k: 10, ...query, exact: true }))
  const found = chunksOf(await reader.search(vector, { k: 10, ...query }))
  assert.equal(found.length, truth.length)
  return found.filter((chunk) => truth.includes(chunk)).length / truth.length
}

function clustered(count: number, seed = 3): Row[] {
  const centres = points(seededRandom(1), 40, 4)
  return points(seededRandom(seed), count, 1).map((offset, at) => ({
    vector: offset.map((one, axis) => one + (centres[(at * 7) % centres.length]?.[axis] ?? 0)),
    attributes: { share: at % 2 === 0 ? 'half' : 'other', hundredth: at % 100, own: at },
  }))
}

/** Normally distributed about 0, by the sum of twelve uniform numbers. */
function points(random: Random, count: number, spread: number): number[][] {
  const normal = (): number => uniforms(random, 12).reduce((sum, one) => sum + one, -6)
  return Array.from({ length: count }, () => Array.from({ length: DIMENSION }, () => spread * normal()))
}

function storing(use: Use): void {
  test('nothing is there before it is finished, or after it was abandoned or dropped', async () => {
    const { vectors, reopen } = use()
    const writer = await vectors.write('shelf/a', 2)
    await writer.add(Float32Array.of(1, 0), [{}])
    await rejects(() => vectors.open('shelf/a', TARGET), 'index_unavailable', /shelf\/a/)
    await writer.finish()
    const gone = await vectors.write('gone', 2)
    await gone.add(Float32Array.of(1, 0), [{}])
    await gone.abandon()
    await rejects(() => vectors.open('gone', TARGET), 'index_unavailable', /gone/)
    await rejects(() => vectors.open('never', TARGET), 'index_unavailable', /never/)
    const again = await reopen()
    assert.deepEqual(await again.segments(), ['shelf/a'])
    const reader = await again.open('shelf/a', TARGET)
    assert.deepEqual(chunksOf(await reader.search(unit([1, 1]), { k: 5 })), [0])
    await again.drop('shelf/a')
    await again.drop('never')
    assert.deepEqual(await again.segments(), [])
    await rejects(() => again.open('shelf/a', TARGET), 'index_unavailable', /shelf\/a/)
    assert.deepEqual(chunksOf(await reader.search(unit([1, 1]), { k: 5 })), [0], 'what is open still answers')
    reader.close()
  })

  test('a name is used once', async () => {
    const { vectors } = use()
    await write(vectors, 'a', [row([1, 0])])
    await rejects(() => write(vectors, 'a', [row([0, 1])]), 'internal', /a was built before/)
    const reader = await vectors.open('a', TARGET)
    assert.ok(((await reader.search(unit([1, 0]), { k: 1 }))[0]?.score ?? 0) > 0.9)
    reader.close()
  })

  test('no vectors at all are a segment too', async () => {
    const { vectors } = use()
    await write(vectors, 'empty', [])
    const reader = await vectors.open('empty', TARGET)
    assert.deepEqual(await reader.search(unit([1]), { k: 3 }), [])
    reader.close()
  })

  test('a damaged segment is refused by name', async () => {
    const { vectors, damage } = use()
    await write(vectors, 'x/bad', [row([1, 0]), row([0, 1])])
    await damage('x/bad')
    await rejects(() => vectors.open('x/bad', TARGET), 'index_unavailable', /x\/bad/)
  })

  test('several are written and read at the same time', async () => {
    const { vectors } = use()
    const names = ['a', 'b', 'c']
    await Promise.all(names.map((name, at) => write(vectors, name, [row([1, at]), row([at, 1])])))
    assert.deepEqual((await vectors.segments()).toSorted(), names)
    const found = await Promise.all(
      names.map(async (name) => {
        const reader = await vectors.open(name, TARGET)
        const near = await reader.search(unit([1, 0]), { k: 1 })
        reader.close()
        return near[0]?.chunk
      }),
    )
    assert.deepEqual(found, [0, 0, 1])
  })
}
