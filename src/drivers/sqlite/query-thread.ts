import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { reasonOf } from '../../base/errors.ts'
import type { Answered, Asked } from './query.ts'

/** The thread of `openQueryFile`. */

/** Rows of one message. */
const PAGE_ROWS = 200
/** Text of one message, about: long documents come one at a time. */
const PAGE_UNITS = 2 ** 20
/** For somebody else's writer to let go of the file. */
const BUSY_MS = 5_000

function serve(port: MessagePort, path: string): void {
  let database: DatabaseSync | undefined
  let rows: Iterator<Record<string, unknown>> | undefined

  function page(): unknown[] {
    const found: unknown[] = []
    for (let units = 0; rows !== undefined && found.length < PAGE_ROWS && units < PAGE_UNITS;) {
      const next = rows.next()
      if (next.done === true) break
      found.push(next.value)
      const { text } = next.value
      units += typeof text === 'string' || text instanceof Uint8Array ? text.length : 0
    }
    return found
  }

  function answer(asked: Asked): unknown {
    database ??= new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS, allowExtension: false })
    if (asked.what === 'next') return page()
    const statement = database.prepare(asked.query)
    statement.setReadBigInts(false)
    if (asked.what === 'columns') return statement.columns().map(({ name }) => name)
    if (asked.what === 'row') return statement.get(asked.value as SQLInputValue)
    rows = statement.iterate() as Iterator<Record<string, unknown>>
    return undefined
  }

  port.on('message', (asked: Asked) => {
    let answered: Answered
    try {
      answered = { value: answer(asked) }
    } catch (thrown) {
      answered = { failed: reasonOf(thrown) }
    }
    port.postMessage(answered)
  })
}

if (parentPort !== null) serve(parentPort, workerData as string)
