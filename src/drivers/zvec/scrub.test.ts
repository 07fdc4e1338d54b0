import assert from 'node:assert/strict'
import { mkdtemp, open, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { systemClock as clock } from '../../base/clock.ts'
import { seededRandom, uniform } from '../../base/random.ts'
import type { Vectors } from '../../store/vectors.ts'
import { loadZvec, type Zvec } from './binding.ts'
import { openZvecVectors } from './vectors.ts'

const zvec = loadZvec(1)
const skip = typeof zvec === 'string' ? `zvec: ${zvec}` : false
const DIMENSION = 24
const COUNT = 2_000
const TARGET = { recallAt10: 0.95 }
const LARGE = join('0', 'v.qindex.5.proxima')

async function fixture(t: TestContext): Promise<{ folder: string; vectors: Vectors; damaged: Promise<string[]> }> {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-scrub-'))
  t.after(() => rm(folder, { recursive: true }))
  const { promise: damaged, resolve } = Promise.withResolvers<string[]>()
  const vectors = openZvecVectors({
    clock,
    folder,
    zvec: zvec as Zvec,
    threads: 1,
    graphVectorsMin: 500,
    // Of what is searched, all is large.
    summedBytesMax: 2 ** 20,
    onDamage: (segment, reason) => resolve([segment, reason]),
  })
  const random = seededRandom(4)
  for (const segment of ['sound', 'damaged']) {
    const writer = await vectors.write(segment, DIMENSION)
    const rows = Float32Array.from({ length: COUNT * DIMENSION }, () => uniform(random) - 0.5)
    await writer.add(
      rows,
      Array.from({ length: COUNT }, () => ({})),
    )
    await writer.finish()
  }
  return { folder, vectors, damaged }
}

async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, at)
  await file.write(Buffer.of((byte[0] ?? 0) ^ 1), 0, 1, at)
  await file.close()
}

test(
  'one byte that changes in the middle of a large file is found while it answers, and it is not opened again',
  {
    skip,
  },
  async (t) => {
    const { folder, vectors, damaged } = await fixture(t)
    const path = join(folder, 'damaged.zvec', LARGE)
    const { size } = await stat(path)
    assert.ok(size > 2 ** 20)
    await flip(path, size >> 1)
    const readers = [await vectors.open('sound', TARGET), await vectors.open('damaged', TARGET)]
    const [segment, reason = ''] = await damaged
    // The sound one was read before.
    assert.equal(segment, 'damaged')
    const block = Number(/^0.v\.qindex\.5\.proxima was changed at byte (\d+)$/.exec(reason)?.[1])
    assert.ok(block <= size >> 1 && block + 65_536 > size >> 1, reason)
    for (const reader of readers) {
      assert.equal((await reader.search(new Float32Array(DIMENSION).fill(0.2), { k: 3 })).length, 3)
      reader.close()
    }
    await assert.rejects(vectors.open('damaged', TARGET), { code: 'index_unavailable', message: /was changed at byte/ })
    ;(await vectors.open('sound', TARGET)).close()
    await vectors.drop('damaged')
    assert.deepEqual(await vectors.segments(), ['sound'])
  },
)

test('a large file that is gone is found as well', { skip }, async (t) => {
  const { folder, vectors, damaged } = await fixture(t)
  const reader = await vectors.open('damaged', TARGET)
  await rm(join(folder, 'damaged.zvec', LARGE))
  assert.match((await damaged)[1] ?? '', /cannot be read: ENOENT/)
  reader.close()
})
