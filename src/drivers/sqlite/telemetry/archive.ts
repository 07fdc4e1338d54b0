import type { DatabaseSync } from 'node:sqlite'
import type { MessagePort } from 'node:worker_threads'
import { fault } from '../../../base/errors.ts'
import type { FromArchive, ToArchive } from '../../../trace/archive.ts'

/** The files, as the index speaks of them. One message is under way at a time. */
export class Archive {
  readonly #port: MessagePort
  #answered: ((answer: FromArchive) => void) | undefined

  constructor(port: MessagePort) {
    this.#port = port
    port.on('message', (answer: FromArchive) => this.#answered?.(answer))
  }

  /** Resolves with the bytes of the file, where one is whole now. Rejects with a `Fault` where the files
   *  cannot be written: `disk_full`, `store_unavailable`. */
  async say(message: ToArchive): Promise<number> {
    const answer = await new Promise<FromArchive>((resolve) => {
      this.#answered = resolve
      this.#port.postMessage(message)
    })
    if ('bytes' in answer) return answer.bytes
    throw answer.isDiskFull
      ? fault('disk_full', { path: 'the folder of the telemetry' })
      : fault('store_unavailable', { reason: answer.failed })
  }
}

/** A number that no file has had: not one that is there, nor one whose spans are still remembered. */
export const nextPart = (db: DatabaseSync): number =>
  Number(
    db
      .prepare(
        'SELECT coalesce(max(part), 0) + 1 AS id FROM (SELECT max(id) AS part FROM part UNION ALL SELECT max(part) FROM gone)',
      )
      .get()?.['id'],
  )

export const fileOf = (day: string, part: number): string => `day=${day}/${String(part).padStart(9, '0')}.parquet`
