import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { fault } from '../../base/errors.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { durableEventsContract, eventsContract } from '../../store/contract/events.ts'
import type { OpenDurable } from '../../store/contract/opened.ts'
import type { Entry, Events } from '../../store/events.ts'
import { SCAN_MAX } from '../../store/rows.ts'
import { SqliteEvents } from './events.ts'
import { JournaledEvents, takeInJournal } from './journal.ts'
import { JournalFile, readJournal } from './journal-file.ts'
import { openSqlite } from './store.ts'

/** The log in front of the journal's rows. `journal.test.ts write FOLDER` is the process that is killed. */

const KILLS = 5

async function open(folder: string) {
  const store = await openSqlite({ path: join(folder, 'store.db'), clock: systemClock, log: silentLog })
  const events = await JournaledEvents.open({ path: join(folder, 'journal'), events: store.events, log: silentLog })
  return { store, events }
}

async function write(folder: string): Promise<void> {
  const { events } = await open(folder)
  const began = process.pid
  const task = async (writer: number): Promise<void> => {
    for (let at = 0; ; at++) {
      const id = `${began}-${writer}-${at}`
      const entry = { id, kind: 'crash', atMs: at, body: { text: 'x'.repeat(at % 500) } }
      await events.append([{ ...entry, phase: 'open' }])
      await events.append([{ ...entry, phase: 'close' }])
      process.stdout.write(`${id}\n`)
    }
  }
  await Promise.all(Array.from({ length: 8 }, (_, writer) => task(writer)))
}

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-journal-'))
  t.after(() => rm(folder, { recursive: true }))
  return folder
}

const temporary: OpenDurable<Events> = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-journal-'))
  let opened = await open(folder)
  const close = async (): Promise<void> => {
    await opened.events.close()
    await opened.store.close()
  }
  return {
    port: opened.events,
    async reopen() {
      await close()
      opened = await open(folder)
      return opened.events
    },
    async close() {
      await close()
      await rm(folder, { recursive: true })
    },
  }
}

const entry = (id: string, phase: Entry['phase'], body = {}): Entry => ({ id, phase, kind: 'k', atMs: 1.5, body })

function tests(): void {
  eventsContract('sqlite behind a log', temporary)
  durableEventsContract('sqlite behind a log', temporary)
  files()

  test(`kill -9, ${KILLS} times: all that was acknowledged is there after the next start`, async (t) => {
    const folder = await folderOf(t)
    const acknowledged: string[] = []
    for (let round = 0; round < KILLS; round++) {
      const child = spawn(process.execPath, [import.meta.filename, 'write', folder], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const lines = createInterface({ input: child.stdout })
      const enough = acknowledged.length + 50 + Math.floor(Math.random() * 500)
      lines.on('line', (line) => {
        acknowledged.push(line)
        if (acknowledged.length === enough) child.kill('SIGKILL')
      })
      await new Promise((resolve) => lines.once('close', resolve))
      const { events, store } = await open(folder)
      for (const id of acknowledged.slice(-1_000)) assert.equal((await events.read(id)).length, 2, id)
      for (const { phase } of await events.unclosed(SCAN_MAX)) assert.equal(phase, 'open')
      await events.close()
      await store.close()
    }
    t.diagnostic(`${acknowledged.length} acknowledged requests survived ${KILLS} kills`)
  })

  test('rows that are refused stay in the log, and become rows when they are taken again', async (t) => {
    const folder = await folderOf(t)
    const store = await openSqlite({ path: join(folder, 'store.db'), clock: systemClock, log: silentLog })
    let refuses = true
    const events = new SqliteEvents({
      call: (name, ...values) =>
        refuses && name === 'events.append'
          ? Promise.reject(fault('disk_full', { path: folder }))
          : store.answer({ name, values }).then((answer) => answer as never),
      close: async () => {},
    })
    const path = join(folder, 'journal')
    const first = await JournaledEvents.open({ path, events, log: silentLog })
    await first.append([entry('a', 'open'), entry('a', 'close')])
    await assert.rejects(first.read('a'), { code: 'disk_full' })
    await first.close()
    await assert.rejects(takeInJournal({ path, events }), { code: 'disk_full' })
    refuses = false
    const second = await JournaledEvents.open({ path, events, log: silentLog })
    assert.equal((await second.read('a')).length, 2)
    await second.close()
    assert.deepEqual(readJournal(path), [], 'what is in rows is not kept twice')
    await store.close()
  })

  test('what is asked after the close is refused', async (t) => {
    const { events, store } = await open(await folderOf(t))
    await events.close()
    await assert.rejects(events.append([entry('a', 'open')]), { code: 'store_unavailable' })
    await store.close()
  })
}

function files(): void {
  const openFile = (path: string, durable: string[], onFree: (sequence: number) => void = () => {}) =>
    JournalFile.open<string>({
      path,
      separator: '\0',
      onDurable: (items, sequence) => {
        durable.push(...items)
        onFree(sequence)
      },
    })

  test('groups come back in order, and what was half written is as if it never was', async (t) => {
    const path = join(await folderOf(t), 'journal')
    const file = openFile(path, [])
    const texts = ['one', 'zwei: Grüße 🌊', '', 'x'.repeat(10_000)]
    for (const text of texts) await file.append(text, text)
    await file.close(false)
    assert.deepEqual(readJournal(path), texts)
    const whole = readFileSync(`${path}.0`)
    const lastAt = whole.length - 20 - 10_000
    for (const cut of [lastAt, lastAt + 1, lastAt + 19, lastAt + 20, whole.length - 1]) {
      truncateSync(`${path}.0`, cut)
      assert.deepEqual(readJournal(path), texts.slice(0, 3), `cut at ${cut}`)
      writeFileSync(`${path}.0`, whole)
    }
    for (const at of [0, 4, 8, 12, 19, 20, 22]) {
      const damaged = Buffer.from(whole)
      damaged[at] = (damaged[at] ?? 0) ^ 0x40
      writeFileSync(`${path}.0`, damaged)
      assert.deepEqual(readJournal(path), [], `damaged at ${at}`)
    }
  })

  test('the files take turns once they are read, and show nothing of a former turn', async (t) => {
    const path = join(await folderOf(t), 'journal')
    let last = 0
    const file: JournalFile<string> = openFile(path, [], (sequence) => (last = sequence))
    const big = 'y'.repeat(3 * 1024 * 1024)
    for (let at = 0; at < 12; at++) {
      await file.append(`${at} ${big}`, '')
      if (at < 11) file.free(last)
    }
    for (const suffix of ['.0', '.1']) assert.ok(statSync(path + suffix).size < 13 * 1024 * 1024)
    await file.close(false)
    const left = readJournal(path).map((text) => Number(text.split(' ', 1)[0]))
    assert.deepEqual(
      left,
      left.toSorted((a, b) => a - b),
    )
    assert.equal(left.at(-1), 11)
  })

  test('a log that nobody reads is full some day, and says so', async (t) => {
    const path = join(await folderOf(t), 'journal')
    const file = openFile(path, [])
    const big = 'z'.repeat(8 * 1024 * 1024 - 100)
    for (let at = 0; at < 10; at++) await file.append(big, '')
    await assert.rejects(file.append(big, ''), { code: 'store_unavailable' })
    await file.append('small', '')
    await file.close(true)
    assert.deepEqual(readJournal(path), [])
  })

  test('any texts, from any number of turns, come back as they were', async (t) => {
    const folder = await folderOf(t)
    let run = 0
    const law = fc.asyncProperty(fc.array(fc.array(fc.string({ unit: 'grapheme' }))), async (turns) => {
      const path = join(folder, `journal-${run++}`)
      const durable: string[] = []
      const file = openFile(path, durable)
      for (const turn of turns) await Promise.all(turn.map((text) => file.append(text.replaceAll('\0', ''), text)))
      await file.close(false)
      assert.deepEqual(durable, turns.flat())
      const read = readJournal(path)
      assert.equal(
        read.join('\0'),
        turns
          .flat()
          .map((text) => text.replaceAll('\0', ''))
          .join('\0'),
      )
    })
    await fc.assert(law, { numRuns: 30 })
  })

  test('a folder that is not there is said', async (t) => {
    const folder = await folderOf(t)
    assert.throws(() => openFile(join(folder, 'none', 'journal'), []), { code: 'data_unusable' })
  })
}

const [, script, role, childFolder = ''] = process.argv
if (script === import.meta.filename && role === 'write') await write(childFolder)
else tests()
