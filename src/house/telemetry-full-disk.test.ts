import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { agentSpans, protobufOf } from '../../tests/kit/otlp.ts'
import { Fault } from '../base/errors.ts'
import { inPackage } from './package.ts'
import { Telemetry } from './telemetry-store.ts'

/** As `drivers/sqlite/full-disk.test.ts`: this file is run again on a small disk of its own. */

const DISK_MEGABYTES = 32
const BALLAST_BYTES = 16 * 1024 * 1024
const BATCH_TRACES = 200
const RESUME_MS_MAX = 10_000
const PAUSE_MS = 100

const [, script, role, disk = ''] = process.argv
if (script === import.meta.filename && role === 'on') await onDisk(disk)
else tests()

function tests(): void {
  test('on a full disk nothing more is acknowledged, and nothing that was is lost; it goes on when space is back', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'headworks-full-'))
    t.after(() => rmSync(folder, { recursive: true }))
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
}

async function onDisk(folder: string): Promise<void> {
  writeFileSync(join(folder, 'ballast'), Buffer.alloc(BALLAST_BYTES))
  const path = inPackage('catalogue/prices.json')
  const store = new Telemetry({
    folder: join(folder, 'telemetry'),
    prices: { shipped: { path, bytes: readFileSync(path) } },
    sampling: { share: 1 },
    keptDays: 30,
    files: false,
    log: { write: () => {} },
  })
  const startUs = (Date.now() - 3_600_000) * 1000
  let acknowledged = 0
  let next = 0
  const send = async (): Promise<string> => {
    const bytes = protobufOf(agentSpans(1 + next * BATCH_TRACES, BATCH_TRACES, startUs))
    try {
      await store.take({ signal: 'traces', encoding: 'protobuf', compression: '', bytes, tenant: '' })
    } catch (thrown) {
      return thrown instanceof Fault ? thrown.code : String(thrown)
    }
    next++
    acknowledged += BATCH_TRACES * 8
    return 'taken'
  }
  let answer = 'taken'
  while (answer === 'taken') answer = await send()
  assert.match(answer, /^(?:disk_full|store_unavailable)$/)
  assert.ok(acknowledged > 0)
  rmSync(join(folder, 'ballast'))
  const freedMs = performance.now()
  while ((await send()) !== 'taken') {
    assert.ok(performance.now() - freedMs < RESUME_MS_MAX, 'it did not go on')
    await sleep(PAUSE_MS)
  }
  while ((await store.status()).waitingBytes > 0) {
    assert.ok(performance.now() - freedMs < RESUME_MS_MAX, 'the index did not go on')
    await sleep(PAUSE_MS)
  }
  const { recentSpans, unreadRecords } = await store.status()
  assert.deepEqual([recentSpans, unreadRecords], [acknowledged, 0])
  await store.close()
}
