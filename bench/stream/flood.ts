import { seededRandom } from '../../src/base/random.ts'
import { openLoop } from '../scale/load.ts'
import type { Documents } from './documents.ts'
import type { Streamed } from './house.ts'

/** Questions while documents stream in, all of it as it comes, whether the house keeps up or not. */

export interface FloodOptions {
  readonly seconds: number
  readonly questionsPerSecond: number
  readonly documentsPerSecond: number
  readonly documents: Documents
  readonly questions: readonly string[]
}

export interface Flood {
  readonly questionMs: readonly number[]
  readonly failedQuestions: number
  readonly pushMs: readonly number[]
  readonly documents: {
    readonly sent: number
    readonly acknowledged: number
    readonly pushedBack: number
    readonly failed: number
  }
  /** From the acknowledgement of a push to the end of the search that found its first document. */
  readonly searchableMs: readonly number[]
  readonly deletionMs: readonly number[]
  readonly invisibleMs: readonly number[]
}

const BATCHES_PER_SECOND = 10
const DELETIONS_PER_SECOND = 5
/** Of the documents sent, those that replace others. */
const REPLACED_SHARE = 0.1
/** Of the pushes, those that are looked for. */
const WATCHED_SHARE = 0.3
const PATIENCE_MS = 30_000

export async function flood(house: Streamed, options: FloodOptions): Promise<Flood> {
  const { seconds, questionsPerSecond, documentsPerSecond, documents, questions } = options
  const pushMs: number[] = []
  const searchableMs: number[] = []
  const deletionMs: number[] = []
  const invisibleMs: number[] = []
  const count = { sent: 0, acknowledged: 0, pushedBack: 0, failed: 0 }
  const before = documents.made
  const size = Math.round(documentsPerSecond / BATCHES_PER_SECOND)
  let [asked, failedQuestions, deleted] = [0, 0, 0]

  const question = async (): Promise<void> => {
    await house.search(questions[asked++ % questions.length] ?? '').catch(() => failedQuestions++)
  }
  const push = async (): Promise<void> => {
    const batch = Array.from({ length: size }, () =>
      documents.chance() < REPLACED_SHARE ? documents.next(Math.floor(documents.chance() * before)) : documents.next(),
    )
    count.sent += size
    const { status, ms } = await house.push(batch.map(({ line }) => line)).catch(() => ({ status: 0, ms: 0 }))
    if (status !== 200) return void (count[status === 429 ? 'pushedBack' : 'failed'] += size)
    count.acknowledged += size
    pushMs.push(ms)
    if (documents.chance() > WATCHED_SHARE) return
    searchableMs.push(await until(house, batch[0]?.word ?? '', true))
  }
  const remove = async (): Promise<void> => {
    // Documents that stay as they are but for this.
    const { id, word } = kept[deleted++] ?? { id: '', word: '' }
    const begun = performance.now()
    if ((await house.remove(id).catch(() => 0)) !== 200) return
    deletionMs.push(performance.now() - begun)
    invisibleMs.push(await until(house, word, false))
  }
  const kept = await toDelete(house, documents, Math.ceil(seconds * DELETIONS_PER_SECOND * 2))
  const [load] = await Promise.all([
    openLoop(question, questionsPerSecond, seconds, seededRandom(1)),
    openLoop(push, BATCHES_PER_SECOND, seconds, seededRandom(2)),
    openLoop(remove, DELETIONS_PER_SECOND, seconds, seededRandom(3)),
  ])
  return {
    questionMs: load.latenciesMs,
    failedQuestions,
    pushMs,
    documents: count,
    searchableMs,
    deletionMs,
    invisibleMs,
  }
}

async function toDelete(house: Streamed, documents: Documents, count: number) {
  const made = Array.from({ length: count }, () => documents.next())
  const { status } = await house.push(made.map(({ line }) => line))
  if (status !== 200) throw new Error(`a push was answered with ${status}`)
  return made
}

/** Milliseconds until a search by a document's word finds it, or finds it no more. */
async function until(house: Streamed, word: string, isThere: boolean): Promise<number> {
  const begun = performance.now()
  for (;;) {
    const found = await house.search(word, 'words').catch(() => undefined)
    const waitedMs = performance.now() - begun
    if (found?.some((text) => text.includes(` ${word} `)) === isThere || waitedMs > PATIENCE_MS) return waitedMs
  }
}
