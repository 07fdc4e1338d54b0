import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import type { Blobs } from '../../store/blobs.ts'
import { put, SCAN_MAX, table, type Stored } from '../../store/rows.ts'
import { openBlobs } from '../filesystem/blobs.ts'
import { openSqlite, type SqliteStore } from './store.ts'

/** Real processes, really killed. The child is this file, run as `crash.test.ts write FOLDER ROUND`:
 *  it writes from several tasks at once and prints each write that was acknowledged. */

const ROUNDS = 10
const WRITERS = 8
/** Rows of one commit: all of them survive or none. */
const BATCH = 5
const NOTES = table<Note>('notes')

interface Note {
  readonly text: string
}

const [, script, role, childFolder = '', childRound = ''] = process.argv
if (script === import.meta.filename && role === 'write') await write(childFolder, childRound)
else tests()

async function open(folder: string): Promise<{ store: SqliteStore; blobs: Blobs }> {
  const store = await openSqlite({ path: join(folder, 'store.db'), clock: systemClock, log: silentLog })
  return { store, blobs: await openBlobs({ folder: join(folder, 'blobs'), sweep: true }) }
}

async function write(folder: string, round: string): Promise<void> {
  const { store, blobs } = await open(folder)
  const acknowledge = (what: string): void => void writeSync(1, `${what}\n`)
  const task = async (writer: number): Promise<void> => {
    for (let at = 0; ; at++) {
      const id = `${round}-${writer}-${at}`
      const text = textOf(id)
      await store.events.append([{ id, phase: 'open', kind: 'crash', atMs: at, body: { text } }])
      acknowledge(`open ${id}`)
      await store.rows.commit(Array.from({ length: BATCH }, (_, part) => put(NOTES, [id, `${part}`], { text })))
      acknowledge(`rows ${id}`)
      await store.queue.enqueue(`round ${round}`, id, text)
      acknowledge(`job ${id}`)
      if (at % 4 === 0) {
        await blobs.put(`${id}/blob`, Buffer.from(text))
        acknowledge(`blob ${id}`)
      }
      await store.events.append([{ id, phase: 'close', kind: 'crash', atMs: at, body: { text } }])
      acknowledge(`close ${id}`)
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => task(writer)))
}

function tests(): void {
  test(`kill -9 at ${ROUNDS} moments: all that was acknowledged is there, nothing is half`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'headworks-crash-'))
    t.after(() => rm(folder, { recursive: true }))
    const acknowledged: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const before = acknowledged.length
      // Moments from the first write to well into checkpoints, different in every run.
      await killedAfter(folder, round, acknowledged, Math.random() * 250)
      assert.ok(acknowledged.length > before, 'the child wrote')
      await verify(folder, acknowledged, round === ROUNDS - 1 ? 0 : before)
    }
    t.diagnostic(`${acknowledged.length} acknowledged writes survived ${ROUNDS} kills`)
  })
}

async function killedAfter(folder: string, round: number, acknowledged: string[], delayMs: number): Promise<void> {
  const child = spawn(process.execPath, [import.meta.filename, 'write', folder, `${round}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })
  const first = new Promise((resolve) => lines.once('line', resolve))
  lines.on('line', (line) => acknowledged.push(line))
  const ended = Promise.all([
    new Promise((resolve) => child.once('exit', resolve)),
    new Promise((resolve) => lines.once('close', resolve)),
  ])
  await Promise.race([first, ended])
  await pause(delayMs)
  child.kill('SIGKILL')
  await ended
}

/** Every acknowledged write from position `since` on, and the wholeness of all that is there. */
async function verify(folder: string, acknowledged: readonly string[], since: number): Promise<void> {
  const { store, blobs } = await open(folder)
  try {
    for (let at = since; at < acknowledged.length; at += 1_000) {
      await Promise.all(acknowledged.slice(at, at + 1_000).map((line) => isThere(store, blobs, line)))
    }
    await isWhole(store, blobs)
  } finally {
    await store.close()
  }
}

async function isThere(store: SqliteStore, blobs: Blobs, line: string): Promise<void> {
  const [what, id = ''] = line.split(' ')
  if (what === 'rows') assert.equal((await store.rows.scan(NOTES, { prefix: [id], limit: 10 })).length, BATCH, line)
  else if (what === 'blob') assert.ok((await blobs.get(`${id}/blob`))?.length, line)
  else if (what === 'job')
    assert.equal(await store.queue.enqueue(`round ${id.split('-')[0]}`, id, 'again'), false, line)
  else
    assert.ok(
      (await store.events.read(id)).some(({ phase }) => phase === what),
      line,
    )
}

async function isWhole(store: SqliteStore, blobs: Blobs): Promise<void> {
  const rows: Stored<Note>[] = []
  for (let page = await store.rows.scan(NOTES, { limit: SCAN_MAX }); page.length > 0;) {
    rows.push(...page)
    page = await store.rows.scan(NOTES, { limit: SCAN_MAX, after: page.at(-1)?.key ?? [] })
  }
  const counts = new Map<string, number>()
  for (const { key, row } of rows) {
    counts.set(key[0] ?? '', (counts.get(key[0] ?? '') ?? 0) + 1)
    assert.equal(row.text, textOf(key[0] ?? ''), 'no half row')
  }
  assert.ok(
    [...counts.values()].every((count) => count === BATCH),
    'no half commit',
  )
  for (const { name, bytes } of await blobs.list(''))
    assert.equal(bytes, textOf(name.slice(0, -'/blob'.length)).length, 'no half blob')
  for (const { id } of await store.events.unclosed(SCAN_MAX))
    assert.equal((await store.events.read(id)).length, 1, 'unclosed is what never closed')
}

/** What a task writes under an id: its number decides the length. */
function textOf(id: string): string {
  return id.repeat(1 + ((Number(id.split('-')[2]) * 37) % 400))
}
