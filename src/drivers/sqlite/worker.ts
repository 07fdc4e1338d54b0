import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { Counter } from './counter.ts'
import { openingFault } from './failure.ts'
import { eventsCalls } from './events.ts'
import { Group, type Call } from './group.ts'
import { leasesCalls } from './leases.ts'
import type { CallName, FromThread, ThreadOptions, ToThread } from './protocol.ts'
import { queueCalls } from './queue.ts'
import { rowsCalls } from './rows.ts'
import { openDatabase, openReading, scrub } from './schema.ts'

/** A thread of the store: one alone writes to the database, another reads. What arrives while it waits for the disk
 *  makes the next turn, so groups grow with the load and nothing waits on an idle disk. */
function serve(port: MessagePort, options: ThreadOptions): void {
  const db = options.readOnly === true ? openReading(options) : openDatabase(options)
  const counter = new Counter(db)
  const calls = {
    'store.open': () => true as const,
    'store.scrub': () => scrub(db),
    ...rowsCalls(db, counter),
    ...queueCalls(db, counter),
    ...leasesCalls(db),
    ...eventsCalls(db),
  }
  const group = new Group(db, counter, options.path, calls)
  let arrived: Call[] = []
  let closing = false

  function turn(): void {
    const taken = arrived
    arrived = []
    group.turn(taken, (answers) => port.postMessage(answers))
    if (!closing) return
    db.close()
    port.close()
  }

  port.on('message', (message: ToThread) => {
    if (arrived.length === 0 && !closing) setImmediate(turn)
    if (message === 'close') {
      closing = true
      return
    }
    for (let at = 0; at < message.length; at += 3) {
      arrived.push({
        id: message[at] as number,
        name: message[at + 1] as CallName,
        values: message[at + 2] as unknown[],
      })
    }
  })
}

if (parentPort !== null) {
  const options = workerData as ThreadOptions
  try {
    serve(parentPort, options)
  } catch (thrown) {
    const { code, details } = openingFault(thrown, options.path)
    parentPort.postMessage({ done: [], failed: [], unusable: { code, details } } satisfies FromThread)
    parentPort.close()
  }
}
