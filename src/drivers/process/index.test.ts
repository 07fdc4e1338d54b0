import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { Analyzer } from '../../base/words.ts'
import { type DurableIndexFixture, durableIndexContract, indexContract } from '../../store/contract/index.ts'
import { openFilesystemIndex } from '../filesystem/index.ts'
import { type Damage, openProcessIndex, serveIndex } from './index.ts'

/** This file is its own child: started with a role it serves an index over the folder given last. */
if (process.argv.includes('--role')) serve()
else tests()

/** The segment `told` is damaged as soon as it is dropped. */
function serve(): void {
  const index = openFilesystemIndex(process.argv.at(-1) ?? '', new Analyzer())
  const tell = serveIndex({
    ...index,
    drop: async (segment) =>
      segment === 'told' ? tell({ segment, reason: 'a block was changed' }) : index.drop(segment),
  })
}

function open(folder: string, onDamage?: (damage: Damage) => void): ReturnType<typeof openProcessIndex> {
  return openProcessIndex({
    ...(onDamage === undefined ? {} : { onDamage }),
    entry: import.meta.filename,
    role: 'search',
    arguments: [folder],
    heapMb: 128,
    clock: systemClock,
    log: silentLog,
  })
}

const folderOf = (): Promise<string> => mkdtemp(join(tmpdir(), 'headworks-index-'))

function tests(): void {
  describe('with one child for all', () => {
    let folder = ''
    let index: ReturnType<typeof openProcessIndex>
    const mounted = new Set<string>()
    before(async () => {
      folder = await folderOf()
      index = open(folder)
    })
    after(async () => {
      await index.close()
      await rm(folder, { recursive: true })
    })
    indexContract('process', async () => ({
      index: {
        ...index,
        mount: (collection, parts) => index.mount(collection, parts).finally(() => mounted.add(collection)),
      },
      close: async () => {
        for (const collection of mounted) await index.mount(collection, [])
        for (const segment of await index.segments()) await index.drop(segment)
      },
    }))
  })

  test('damage that the child finds is told to whoever opened the index', async (t) => {
    const folder = await folderOf()
    const { promise, resolve } = Promise.withResolvers<Damage>()
    const index = open(folder, resolve)
    t.after(async () => {
      await index.close()
      await rm(folder, { recursive: true })
    })
    await index.drop('told')
    assert.deepEqual(await promise, { segment: 'told', reason: 'a block was changed' })
    assert.deepEqual(await index.segments(), [])
  })

  test('of many searches at once the first are answered while others still wait', async (t) => {
    const folder = await folderOf()
    const index = open(folder)
    t.after(async () => {
      await index.close()
      await rm(folder, { recursive: true })
    })
    const chunks = Array.from({ length: 3_000 }, (_, at) => ({
      text: `word${at}`,
      vector: Float32Array.of(at, 1, 2, 3),
    }))
    await index.build('c/s', chunks)
    await index.mount('c', [{ segment: 'c/s', removed: [] }])
    let left = 400
    let waitingAtFirst = 0
    await Promise.all(
      Array.from({ length: left }, async () => {
        await index.search('c', { vector: Float32Array.of(1, 2, 3, 4), k: 10 })
        left--
        // Those that were answered together with it have been counted by then.
        if (waitingAtFirst === 0) setImmediate(() => (waitingAtFirst ||= left))
      }),
    )
    assert.ok(waitingAtFirst > 0)
  })

  durableIndexContract('process', async (): Promise<DurableIndexFixture> => {
    const folder = await folderOf()
    const opened = [open(folder)]
    return {
      index: opened[0] ?? open(folder),
      reopen: async () => {
        const index = open(folder)
        opened.push(index)
        return index
      },
      damage: async (segment, how) => {
        const path = join(folder, `${segment}.segment`)
        const bytes = await readFile(path)
        const middle = bytes.length >> 1
        bytes[middle] = (bytes[middle] ?? 0) ^ 1
        await writeFile(path, how === 'cut' ? bytes.subarray(0, middle) : bytes)
      },
      close: async () => {
        await Promise.all(opened.map((index) => index.close()))
        await rm(folder, { recursive: true })
      },
    }
  })

  describe('a killed search process', () => {
    test('is started again, mounts what was mounted, and the interrupted search answers', async () => {
      const folder = await folderOf()
      const index = open(folder)
      await index.build('a', [{ text: 'apple' }])
      await index.mount('c', [{ segment: 'a', removed: [] }])
      for (let kill = 0; kill < 2; kill++) {
        const pid = index.pid ?? 0
        const pending = index.search('c', { terms: [{ word: 'apple', weight: 1 }], k: 1 })
        process.kill(pid, 'SIGKILL')
        assert.equal((await pending)[0]?.segment, 'a')
        assert.equal((await index.statistics('c', ['apple'])).chunksWith[0], 1)
        if (index.pid === pid) continue // The answer was quicker than the signal.
      }
      await index.close()
      await rm(folder, { recursive: true })
    })

    test('does not answer as if empty when a segment is gone meanwhile', async () => {
      const folder = await folderOf()
      const index = open(folder)
      const query = { terms: [{ word: 'apple', weight: 1 }], k: 1 }
      await index.build('a', [{ text: 'apple' }])
      await index.build('b', [{ text: 'apple' }])
      await index.mount('c', [{ segment: 'a', removed: [] }])
      await index.mount('d', [{ segment: 'b', removed: [] }])
      await index.drop('a')
      process.kill(index.pid ?? 0, 'SIGKILL')
      await assert.rejects(
        untilRestarted(index, () => index.search('c', query)),
        { code: 'index_unavailable' },
      )
      await assert.rejects(index.statistics('c', ['apple']), { code: 'index_unavailable' })
      assert.equal((await index.search('d', query))[0]?.segment, 'b')
      await index.mount('c', [{ segment: 'b', removed: [] }])
      assert.equal((await index.search('c', query))[0]?.segment, 'b')
      await index.close()
      await rm(folder, { recursive: true })
    })
  })

  test('a program that ends at once is index_unavailable', async () => {
    const index = openProcessIndex({
      entry: '/nonexistent.js',
      role: 'search',
      heapMb: 64,
      clock: systemClock,
      log: silentLog,
    })
    await assert.rejects(index.search('c', { terms: [], k: 1 }), { code: 'index_unavailable' })
    await index.close()
  })
}

/** Asks until the killed child's successor has answered. */
async function untilRestarted<Value>(
  index: { readonly pid: number | undefined },
  ask: () => Promise<Value>,
): Promise<Value> {
  const former = index.pid
  for (;;) {
    const value = await ask()
    if (index.pid !== former) return value
  }
}
