import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryBlobs } from '../../drivers/memory/blobs.ts'
import { Vectors } from './vectors.ts'

const COUNT = 1_500

async function open() {
  const blobs = new MemoryBlobs()
  const get = blobs.get.bind(blobs)
  const asked: string[] = []
  blobs.get = async (name) => {
    asked.push(name)
    return await get(name)
  }
  const vectors = new Vectors(blobs)
  await vectors.keep(
    's',
    Array.from({ length: COUNT }, (_, at) => Float32Array.of(at, 1)),
  )
  return { vectors, asked }
}

test('reading vectors one by one reads what they are kept in once', async () => {
  const { vectors, asked } = await open()
  for (let at = 0; at < COUNT; at++) assert.deepEqual(await vectors.read('s', at, 1), [Float32Array.of(at, 1)])
  assert.equal(asked.length, 2)
  const across = await vectors.read('s', 1_020, 10)
  assert.deepEqual([across?.length, across?.[9]?.[0]], [10, 1_029])
  assert.equal(await vectors.read('s', COUNT - 1, 2), undefined, 'beyond the last')
})

test('what was dropped is not read any more', async () => {
  const { vectors } = await open()
  assert.equal((await vectors.read('s', 0, 2))?.length, 2)
  await vectors.drop('s')
  assert.equal(await vectors.read('s', 0, 2), undefined)
})

test('few are held, whatever is read', async () => {
  const { vectors, asked } = await open()
  for (const name of ['a', 'b', 'c', 'd', 'e']) await vectors.keep(name, [Float32Array.of(1, 1)])
  for (const name of ['s', 'a', 'b', 'c', 'd', 'e', 's', 'e']) await vectors.read(name, 0, 1)
  assert.equal(asked.length, 7, 's was given up for the others, e was not')
})
