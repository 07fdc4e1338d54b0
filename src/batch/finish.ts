import { Refusal } from '../base/errors.ts'
import type { Clock } from '../base/clock.ts'
import { newId } from '../base/ids.ts'
import type { JsonLimits } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import type { Files } from '../files/files.ts'
import { type Change, remove, type Rows } from '../store/rows.ts'
import type { BatchEnd, BatchRow } from './batch.ts'
import { RESULTS } from './batch.ts'
import { readLine } from './input.ts'
import { type ResultLedger, results } from './ledger.ts'
import type { Line } from './lines.ts'
import { unansweredResult } from './result.ts'

/** Makes the files of a batch of what is known of its lines. As often as it takes: what a crash left
 *  half written is written anew. */

export interface FinishDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly rows: Rows
  readonly files: Pick<Files, 'write' | 'find'>
  readonly limits: () => JsonLimits
}

/** Of lines that were not asked before the end. */
const UNASKED: { readonly [end in BatchEnd]?: readonly [code: string, message: string] } = {
  expired: ['batch_expired', 'The completion window ended before this request was made.'],
  cancelled: ['batch_cancelled', 'The batch was cancelled before this request was made.'],
}

export interface Finished {
  readonly outputFile?: string
  readonly errorFile?: string
}

export async function writeFiles(
  { clock, random, rows, files, limits }: FinishDependencies,
  batch: BatchRow,
  end: BatchEnd,
  ledger: ResultLedger,
  lines: AsyncIterable<Line>,
): Promise<Finished> {
  async function* texts(isError: boolean): AsyncGenerator<Uint8Array> {
    for await (const one of results(rows, batch.id)) if (one.isError === isError) yield Buffer.from(`${one.text}\n`)
  }
  async function* errors(): AsyncGenerator<Uint8Array> {
    yield* texts(true)
    const unasked = UNASKED[end]
    if (unasked === undefined) return
    const [code, message] = unasked
    for await (const line of lines) {
      if (ledger.has(line.number)) continue
      const asked = readLine(line, batch.endpoint, limits())
      const customId = 'code' in asked ? '' : asked.customId
      yield Buffer.from(`${unansweredResult(newId('batch_req', clock, random), customId, code, message).text}\n`)
    }
  }
  const write = async (kind: 'output' | 'error', pieces: AsyncIterable<Uint8Array>): Promise<string | undefined> => {
    // By a name that follows from the batch's, so that what a crash left is found again.
    const id = `file_${batch.id.replace(/^\w+_/, '')}${kind === 'output' ? 'o' : 'e'}`
    if ((await files.find(batch.owner, id)) !== undefined) return id
    const file = { id, owner: batch.owner, name: `${batch.id}_${kind}.jsonl`, mediaType: 'application/jsonl' }
    const { outputExpiresAfterS: expiresAfterS } = batch
    const written = await files.write(file, pieces, async () => ({
      purpose: 'batch_output',
      ...(expiresAfterS === undefined ? {} : { expiresAfterS }),
    }))
    // Nothing stands in it.
    return written instanceof Refusal ? undefined : written.id
  }
  const outputFile = await write('output', texts(false))
  const errorFile = await write('error', errors())
  return { ...(outputFile === undefined ? {} : { outputFile }), ...(errorFile === undefined ? {} : { errorFile }) }
}

const REMOVED_AT_ONCE = 16

/** Once the files stand. */
export async function clearResults(rows: Rows, batch: string): Promise<void> {
  for (;;) {
    const page = await rows.scan(RESULTS, { prefix: [batch], limit: REMOVED_AT_ONCE })
    const changes: Change[] = page.map(({ key }) => remove(RESULTS, key))
    if (changes.length > 0) await rows.commit(changes)
    if (page.length < REMOVED_AT_ONCE) return
  }
}
