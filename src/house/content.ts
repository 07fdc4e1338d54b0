import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock as clock } from '../base/clock.ts'
import { fault } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { systemRandom as random } from '../base/random.ts'
import { Thread, threadFile } from '../base/threads.ts'
import type { Secret } from '../config/secret.ts'
import { keepContentKey } from '../drivers/filesystem/pepper.ts'
import { FileSubjectKeys } from '../drivers/filesystem/subject-keys.ts'
import { openSqlite, type SqliteStore } from '../drivers/sqlite/store.ts'
import type { CapturedContent, OfferContent } from '../guard/content/capture.ts'
import { type ContentCounts, ContentQueue } from '../guard/content/queue.ts'
import { CONTENT_KEY_BYTES } from '../guard/content/seal.ts'
import { ContentStore } from '../guard/content/store.ts'

/** Inputs and outputs of a house: a database and a folder of keys beside the store, opened by the first text
 *  that is kept. Most houses keep none. */

export interface HouseContentParts {
  readonly data: string
  /** Of the environment. */
  readonly key: Secret | undefined
  readonly log: Log
}

interface Opened {
  readonly store: ContentStore
  readonly sqlite: SqliteStore
  readonly redacting: Thread
}

export class HouseContent {
  readonly #parts: HouseContentParts
  readonly #folder: string
  readonly #queue: ContentQueue
  #opening: Promise<Opened> | undefined
  #isClosed = false

  constructor(parts: HouseContentParts) {
    this.#parts = parts
    this.#folder = join(parts.data, 'content')
    this.#queue = new ContentQueue({ write: (batch) => this.keep(batch), log: parts.log })
  }

  /** Of this process. */
  get counts(): ContentCounts {
    return this.#queue.counts
  }

  readonly offer: OfferContent = (content) => this.#queue.offer(content)

  /** Of another process of the house, whose queue it waited in. */
  async keep(batch: readonly CapturedContent[]): Promise<void> {
    await (await this.#open()).store.write(batch)
  }

  /** Everything that was offered here by now is found. */
  async read(...asked: Parameters<ContentStore['read']>): ReturnType<ContentStore['read']> {
    await this.#queue.drain()
    return this.#isThere ? await (await this.#open()).store.read(...asked) : []
  }

  async erase(...asked: Parameters<ContentStore['erase']>): ReturnType<ContentStore['erase']> {
    await this.#queue.drain()
    return await (await this.#open()).store.erase(...asked)
  }

  async expire(): Promise<void> {
    if (this.#isThere) await (await this.#open()).store.expire()
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    await this.#queue.drain()
    this.#isClosed = true
    const opened = await this.#opening?.catch(() => undefined)
    await opened?.redacting.close()
    await opened?.sqlite.close()
  }

  get #isThere(): boolean {
    return this.#opening !== undefined || existsSync(this.#folder)
  }

  #open(): Promise<Opened> {
    if (this.#isClosed) return Promise.reject(fault('stopping', {}))
    this.#opening ??= this.#begin().catch((thrown: unknown) => {
      this.#opening = undefined // The next one tries again.
      throw thrown
    })
    return this.#opening
  }

  async #begin(): Promise<Opened> {
    const { data, key, log } = this.#parts
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    const master =
      key === undefined ? keepContentKey(data, CONTENT_KEY_BYTES, random) : Buffer.from(key.reveal(), 'hex')
    const sqlite = await openSqlite({ path: join(this.#folder, 'content.db'), clock, log })
    const redacting = new Thread({ entry: threadFile(import.meta.url, 'redact-thread'), name: 'redaction', data: {} })
    try {
      const store = await ContentStore.open({
        rows: sqlite.rows,
        keys: new FileSubjectKeys(join(this.#folder, 'keys')),
        master,
        clock,
        random,
        redact: (text) => redacting.call('redact', [text]),
        scrub: () => sqlite.scrub(),
      })
      return { store, sqlite, redacting }
    } catch (thrown) {
      await redacting.close()
      await sqlite.close()
      throw thrown
    }
  }
}
