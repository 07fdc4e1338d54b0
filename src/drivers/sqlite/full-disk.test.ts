import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { Fault } from '../../base/errors.ts'
import { silentLog } from '../../base/log.ts'
import { rejects } from '../../store/contract/opened.ts'
import { put, remove, table, type Rows } from '../../store/rows.ts'
import { openBlobs } from '../filesystem/blobs.ts'
import { openSqlite } from './store.ts'

/** A really full disk is a small one in memory, mounted in a namespace of its own, where this file
 *  is run again as `full-disk.test.ts on FOLDER`. */

const DISK_MEGABYTES = 4
const BALLAST_BYTES = 1_500_000
const NOTES = table<string>('notes')
const text = 'x'.repeat(50_000)

const [, script, role, disk = ''] = process.argv
if (script === import.meta.filename && role === 'on') await onDisk(disk)
else tests()

function tests(): void {
  test('on a full disk writes are refused and reads answered; writing resumes when space is back', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'headworks-full-'))
    t.after(() => rm(folder, { recursive: true }))
    const inNamespace = (command: string, ...values: string[]): ReturnType<typeof spawnSync> =>
      spawnSync('unshare', [
        '--user',
        '--map-root-user',
        '--mount',
        'sh',
        '-c',
        `mount -t tmpfs -o size=${DISK_MEGABYTES}m none "$0" && ${command}`,
        folder,
        ...values,
      ])
    if (inNamespace('true').status !== 0) return t.skip('this machine lets nobody mount a disk of their own')
    const { status, stderr } = inNamespace('exec "$1" "$2" on "$0"', process.execPath, import.meta.filename)
    assert.equal(status, 0, String(stderr))
  })

  test('a store at its own bound refuses what does not fit, and only that', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'headworks-bound-'))
    const store = await openSqlite({
      path: join(folder, 'store.db'),
      clock: systemClock,
      log: silentLog,
      bytesMax: 2_000_000,
    })
    t.after(async () => {
      await store.close()
      await rm(folder, { recursive: true })
    })
    const huge = put(NOTES, ['huge'], 'x'.repeat(3_000_000))
    const small = Array.from({ length: 20 }, (_, at) => store.rows.commit([put(NOTES, ['small', `${at}`], 'x')]))
    await rejects(() => store.rows.commit([put(NOTES, ['beside'], 'x'), huge]), 'disk_full')
    assert.deepEqual(
      await Promise.all(small),
      Array.from({ length: 20 }, () => true),
    )
    assert.deepEqual(await store.rows.getMany(NOTES, [['beside'], ['huge']]), [undefined, undefined])
    // One turn, one transaction, one of its commits too large: its neighbours still stand.
    const [first, failed, last] = await Promise.allSettled([
      store.rows.commit([put(NOTES, ['first'], 'x')]),
      store.rows.commit([huge]),
      store.rows.commit([put(NOTES, ['last'], 'x')]),
    ])
    assert.deepEqual([first.status, failed.status, last.status], ['fulfilled', 'rejected', 'fulfilled'])

    const written = await fill(store.rows)
    assert.ok(written > 10 && written < 50, `${written}`)
    await store.rows.commit(Array.from({ length: written }, (_, at) => remove(NOTES, ['filler', `${at}`])))
    assert.equal(await store.rows.commit([put(NOTES, ['after'], text)]), true)
    assert.equal((await store.rows.scan(NOTES, { prefix: ['small'], limit: 100 })).length, 20)
  })
}

/** Writes until the disk is full; answers how many rows were acknowledged. */
async function fill(rows: Rows): Promise<number> {
  for (let at = 0; at < 1_000; at++) {
    try {
      await rows.commit([put(NOTES, ['filler', `${at}`], text)])
    } catch (thrown) {
      assert.ok(thrown instanceof Fault && thrown.code === 'disk_full', String(thrown))
      return at
    }
  }
  throw new Error('the disk never filled')
}

async function onDisk(folder: string): Promise<void> {
  const ballast = join(folder, 'ballast')
  await writeFile(ballast, new Uint8Array(BALLAST_BYTES))
  const options = { path: join(folder, 'store.db'), clock: systemClock, log: silentLog }
  const store = await openSqlite(options)
  const blobs = await openBlobs({ folder: join(folder, 'blobs'), sweep: true })
  await blobs.put('kept', new Uint8Array(1_000))
  await store.events.append([{ id: 'kept', phase: 'open', kind: 'test', atMs: 0, body: {} }])
  const written = await fill(store.rows)
  assert.ok(written > 5)

  await rejects(() => blobs.put('kept', new Uint8Array(2_000_000)), 'disk_full')
  await rejects(() => store.rows.commit([put(NOTES, ['more'], text)]), 'disk_full', /full/)
  await rejects(
    () =>
      openSqlite({ ...options, path: join(folder, 'second.db') }).then((second) =>
        second.rows.commit([put(NOTES, ['a'], text)]),
      ),
    'disk_full',
  )
  assert.equal((await store.rows.scan(NOTES, { prefix: ['filler'], limit: 1_000 })).length, written)
  assert.equal((await blobs.get('kept'))?.length, 1_000)
  assert.deepEqual((await readdir(join(folder, 'blobs'))).sort(), ['kept'])

  await rm(ballast)
  assert.equal(await store.rows.commit([put(NOTES, ['more'], text)]), true)
  await blobs.put('kept', new Uint8Array(2_000))
  await store.close()
  const again = await openSqlite(options)
  assert.equal((await again.rows.scan(NOTES, { prefix: ['filler'], limit: 1_000 })).length, written)
  assert.equal((await again.rows.get(NOTES, ['more']))?.row, text)
  assert.deepEqual(
    (await again.events.unclosed(10)).map(({ id }) => id),
    ['kept'],
  )
  await again.close()
}
