import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { DocumentedQdrant } from '../../../tests/kit/qdrant.ts'
import { systemClock as clock } from '../../base/clock.ts'
import { Analyzer } from '../../base/words.ts'
import { indexContract } from '../../store/contract/index.ts'
import { vectorsContract } from '../../store/contract/vectors.ts'
import { openFilesystemIndex } from '../filesystem/index.ts'
import { UndiciClient } from '../undici/client.ts'
import { openQdrantVectors } from './vectors.ts'

/** The contract runs against the server that HEADWORKS_TEST_QDRANT names, by default against one
 *  that answers as the documentation says. */
const real = process.env['HEADWORKS_TEST_QDRANT']
const TARGET = { recallAt10: 0.95 }

describe('with a Qdrant', () => {
  const client = new UndiciClient()
  let qdrant: DocumentedQdrant
  let fixtures = 0
  before(async () => {
    qdrant = await DocumentedQdrant.start()
  })
  after(async () => {
    await client.close()
    await qdrant.stop()
  })
  const open = (prefix: string, url = qdrant.url, key?: string) =>
    openQdrantVectors({ client, clock, url, prefix, ...(key === undefined ? {} : { key }) })

  vectorsContract(real === undefined ? 'qdrant, as documented' : 'qdrant', async () => {
    const url = real ?? qdrant.url
    const prefix = `test-${process.pid}-${fixtures++}`
    const vectors = await open(prefix, url)
    return {
      vectors,
      reopen: () => open(prefix, url),
      damage: async () => {
        const answer = await fetch(`${url}/collections`)
        const listed = real === undefined ? [...qdrant.collections.keys()] : namesIn(await answer.json())
        for (const name of listed)
          if (name.startsWith(`${prefix}-`) && !name.endsWith('-segments'))
            await fetch(`${url}/collections/${name}`, { method: 'DELETE' })
      },
      close: async () => {
        for (const segment of await vectors.segments()) await vectors.drop(segment)
        await fetch(`${url}/collections/${prefix}-segments`, { method: 'DELETE' })
      },
    }
  })

  indexContract('filesystem with qdrant', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'headworks-qdrant-'))
    const vectors = await open(`index-${fixtures++}`)
    const index = openFilesystemIndex(folder, new Analyzer(), { apart: vectors, comparedMax: 0 })
    return {
      index,
      close: async () => {
        await index.close()
        await vectors.close()
        await rm(folder, { recursive: true })
      },
    }
  })

  test('what a crash left unfinished is listed, cannot be opened and can be dropped', async () => {
    const vectors = await open('crash')
    await (await vectors.write('half', 2)).add(Float32Array.of(1, 0), [{}])
    const again = await open('crash')
    assert.deepEqual(await again.segments(), ['half'])
    await assert.rejects(again.open('half', TARGET), { code: 'index_unavailable' })
    await again.drop('half')
    assert.deepEqual(await again.segments(), [])
    assert.deepEqual(
      [...qdrant.collections.keys()].filter((name) => name.startsWith('crash-')),
      ['crash-segments'],
    )
  })

  test('a key is sent, and a wrong one is a fault that says what Qdrant said', async () => {
    const locked = await DocumentedQdrant.start('right')
    await open('x', locked.url, 'right')
    await assert.rejects(open('x', locked.url, 'wrong'), (thrown: { code: string; message: string }) => {
      assert.equal(thrown.code, 'index_unavailable')
      assert.match(thrown.message, /401: Must provide an API key/)
      return true
    })
    await locked.stop()
  })

  test('vectors of another dimension are refused by the server and told as they are', async () => {
    const vectors = await open('dimension')
    const writer = await vectors.write('a', 2)
    await writer.add(Float32Array.of(1, 0), [{}])
    await writer.finish()
    const reader = await vectors.open('a', TARGET)
    await assert.rejects(reader.search(Float32Array.of(1, 0, 0), { k: 1 }), {
      code: 'index_unavailable',
      message: /expected dim: 2/,
    })
    reader.close()
  })

  test('a server that is not there is index_unavailable', async () => {
    await assert.rejects(open('x', 'http://127.0.0.1:1'), { code: 'index_unavailable' })
  })

  test('a server that answers with something else is index_unavailable', async () => {
    const locked = await DocumentedQdrant.start('right')
    await assert.rejects(open('x', `${locked.url}/collections`), { code: 'index_unavailable' })
    await locked.stop()
  })
})

const namesIn = (answer: unknown): string[] =>
  (answer as { result: { collections: { name: string }[] } }).result.collections.map(({ name }) => name)
