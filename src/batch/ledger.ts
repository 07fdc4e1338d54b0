import { type Fault, toFault } from '../base/errors.ts'
import { type Change, put, type Rows } from '../store/rows.ts'
import { batchKey, type BatchRow, NO_PROGRESS, PROGRESS, type ProgressRow, resultKey, RESULTS } from './batch.ts'
import { type Result, withResult } from './result.ts'

/** Results on their way to the store: those that come while others are made durable are made durable
 *  together, each with the counts that hold from then on. */

/** Of one commit. */
const RESULTS_MAX = 200
const UNITS_MAX = 16 * 2 ** 20

interface Entry {
  readonly line: number
  readonly result: Result
  readonly kept: () => void
  readonly failed: (cause: unknown) => void
}

export class ResultLedger {
  readonly #rows: Rows
  readonly #batch: BatchRow
  readonly #done: Set<number>
  #progress: ProgressRow
  #queue: Entry[] = []
  #isWriting = false
  #failure: Fault | undefined

  private constructor(rows: Rows, batch: BatchRow, progress: ProgressRow, done: Set<number>) {
    this.#rows = rows
    this.#batch = batch
    this.#progress = progress
    this.#done = done
  }

  /** With what is durable. */
  static async open(rows: Rows, batch: BatchRow): Promise<ResultLedger> {
    const stored = await rows.get(PROGRESS, batchKey(batch.owner, batch.id))
    const done = new Set<number>()
    for await (const { line } of results(rows, batch.id)) done.add(line)
    return new ResultLedger(rows, batch, stored?.row ?? NO_PROGRESS, done)
  }

  get progress(): ProgressRow {
    return this.#progress
  }

  /** Lines with results. */
  get count(): number {
    return this.#done.size
  }

  has(line: number): boolean {
    return this.#done.has(line)
  }

  /** Durable when it resolves. Rejects with a `Fault`; then, and after, nothing more is kept here. */
  keep(line: number, result: Result): Promise<void> {
    return new Promise((kept, failed) => {
      if (this.#failure !== undefined) return failed(this.#failure)
      this.#queue.push({ line, result, kept, failed })
      if (!this.#isWriting) void this.#write()
    })
  }

  /** Never rejects: who waits is told. */
  async #write(): Promise<void> {
    this.#isWriting = true
    while (this.#queue.length > 0) {
      const group = this.#next()
      let progress = this.#progress
      const changes: Change[] = []
      for (const { line, result } of group) {
        progress = withResult(progress, result)
        const { text, isError } = result
        changes.push(put(RESULTS, resultKey(this.#batch.id, line), { text, isError }))
      }
      changes.push(put(PROGRESS, batchKey(this.#batch.owner, this.#batch.id), progress))
      try {
        await this.#rows.commit(changes)
      } catch (thrown) {
        // Whether it arrived nobody knows: counts that went on from here could leave it out.
        this.#failure = toFault(thrown)
        for (const { failed } of [...group, ...this.#queue.splice(0)]) failed(thrown)
        break
      }
      this.#progress = progress
      for (const { line, kept } of group) {
        this.#done.add(line)
        kept()
      }
    }
    this.#isWriting = false
  }

  #next(): Entry[] {
    let units = 0
    const count = this.#queue.findIndex(
      ({ result }, at) => at === RESULTS_MAX || (at > 0 && (units += result.text.length) > UNITS_MAX),
    )
    return this.#queue.splice(0, count < 0 ? this.#queue.length : count)
  }
}

/** Of one read: a result may be large. */
const PAGE = 16

/** Of one batch, in the order of its lines. */
export async function* results(
  rows: Rows,
  batch: string,
): AsyncGenerator<{ readonly line: number; readonly text: string; readonly isError: boolean }> {
  let after = resultKey(batch, 0)
  for (;;) {
    const page = await rows.scan(RESULTS, { prefix: [batch], after, limit: PAGE })
    for (const { key, row } of page) {
      after = key
      yield { line: Number(key[1]), ...row }
    }
    if (page.length < PAGE) return
  }
}
