import type { DatabaseSync } from 'node:sqlite'
import type { Counter } from './counter.ts'
import { sqliteFault } from './failure.ts'
import { READS, type CallName, type Calls, type Failure, type FromThread } from './protocol.ts'

export interface Call {
  readonly id: number
  readonly name: CallName
  readonly values: readonly unknown[]
}

type Answer = (...values: readonly unknown[]) => unknown

/** Group commit: the writes of a turn share one transaction, and with it one wait for the disk. */
export class Group {
  readonly #db: DatabaseSync
  readonly #counter: Counter
  readonly #path: string
  readonly #answers: ReadonlyMap<string, Answer>

  constructor(db: DatabaseSync, counter: Counter, path: string, calls: Calls) {
    this.#db = db
    this.#counter = counter
    this.#path = path
    this.#answers = new Map(Object.entries(calls))
  }

  /** Answers a turn's calls: the reads from what is committed, then the writes once durable. A
   *  write asked for in the same turn as a read was not acknowledged yet, so the read may miss it. */
  turn(calls: readonly Call[], reply: (answers: FromThread) => void): void {
    const reads = calls.filter((call) => READS.has(call.name))
    if (reads.length > 0) reply(merge(reads.map((call) => this.#attempt([call], false))))
    const writes = calls.filter((call) => !READS.has(call.name))
    if (writes.length > 0) reply(this.#write(writes))
  }

  /** Where one call breaks the transaction (a full disk, most likely), each gets one of its own, so
   *  that every caller hears of its own failure only. A refusal is an answer and breaks nothing. */
  #write(writes: readonly Call[]): FromThread {
    const together = this.#attempt(writes, true)
    if (together.failed.length === 0 || writes.length === 1) return together
    return merge(writes.map((call) => this.#attempt([call], true)))
  }

  #attempt(calls: readonly Call[], writing: boolean): FromThread {
    try {
      if (writing) this.#db.exec('BEGIN IMMEDIATE')
      const done = calls.flatMap((call) => [call.id, this.#answer(call)])
      if (!writing) return { done, failed: [] }
      this.#counter.save()
      this.#db.exec('COMMIT')
      return { done, failed: [] }
    } catch (thrown) {
      if (writing) this.#rollBack()
      const { code, details } = sqliteFault(thrown, this.#path)
      return { done: [], failed: calls.map(({ id }): Failure => ({ id, code, details })) }
    }
  }

  #answer({ name, values }: Call): unknown {
    const answer = this.#answers.get(name)
    if (answer === undefined) throw new Error(`the store's thread has no ${name}`)
    return answer(...values)
  }

  #rollBack(): void {
    // Some errors, a full disk among them, roll back by themselves.
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
  }
}

function merge(answers: readonly FromThread[]): FromThread {
  return { done: answers.flatMap(({ done }) => done), failed: answers.flatMap(({ failed }) => failed) }
}
