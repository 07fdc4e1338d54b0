import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Log } from '../../base/log.ts'
import { rejects } from '../../store/contract/opened.ts'
import { SqliteEvents } from './events.ts'
import { StoreThread } from './thread.ts'

/** A thread that runs `script` in place of the store's own. */
function threadOf(t: TestContext, script: string, log: Log): StoreThread {
  const folder = mkdtempSync(join(tmpdir(), 'headworks-thread-'))
  const entry = join(folder, 'entry.mjs')
  writeFileSync(entry, script)
  const thread = new StoreThread({ path: join(folder, 'store.db'), bytesMax: undefined }, log, pathToFileURL(entry))
  t.after(async () => {
    await thread.close()
    rmSync(folder, { recursive: true })
  })
  return thread
}

const MORTAL = `
  import ${JSON.stringify(new URL('./worker.ts', import.meta.url).href)}
  import { parentPort } from 'node:worker_threads'
  parentPort.on('message', (message) => {
    if (JSON.stringify(message).includes('planted throw')) throw new Error('planted')
    if (JSON.stringify(message).includes('planted exit')) process.exit(3)
  })`

for (const [how, reason] of [
  ['throw', /thread ended \(planted\)/],
  ['exit', /thread ended \(code 3\)/],
] as const) {
  test(`a thread that dies (${how}) fails what it had not answered, and is started again by the next call`, async (t) => {
    const logged: string[] = []
    const events = new SqliteEvents(
      threadOf(t, MORTAL, { write: (level, message) => logged.push(`${level} ${message}`) }),
    )
    const entry = { id: 'a', phase: 'open', kind: 'test', atMs: 1, body: {} } as const
    await events.append([entry])
    await Promise.all([
      rejects(() => events.append([{ ...entry, id: 'lost' }]), 'store_unavailable', reason),
      rejects(() => events.read(`planted ${how}`), 'store_unavailable', reason),
    ])
    assert.deepEqual(logged, ["error the store's thread ended"])
    assert.deepEqual(await events.read('a'), [entry])
    await events.append([{ ...entry, id: 'b' }])
    assert.equal((await events.unclosed(10)).length, 2)
  })
}

test('the calls of one turn travel in one message', async (t) => {
  const counting = `
    import { parentPort } from 'node:worker_threads'
    let messages = 0
    parentPort.on('message', (message) => {
      if (message === 'close') return parentPort.close()
      messages++
      parentPort.postMessage({ done: message.flatMap((id, at) => (at % 3 === 0 ? [id, [messages]] : [])), failed: [] })
    })`
  const thread = threadOf(t, counting, { write: () => {} })
  for (const turn of [1, 2]) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => thread.call('events.read', 'any')))
    assert.deepEqual(new Set(answers.flat()), new Set([turn]))
  }
})
