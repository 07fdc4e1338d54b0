import { sleep, type Clock } from '../../base/clock.ts'
import { reasonOf, Refusal, sentenceOf } from '../../base/errors.ts'
import { isObject, parseJson } from '../../base/json.ts'
import type { Log } from '../../base/log.ts'
import type { Rows } from '../../store/rows.ts'
import type { Provenance } from '../document.ts'
import { FILE_BYTES_MAX } from '../../parse/limits.ts'
import type { Message, Stream, StreamConfig, Streams } from '../streams.ts'
import { TENANT } from '../search/access.ts'
import { post, UNKNOWN_TENANT } from './dead-letters.ts'
import type { Ingest } from './ingest.ts'
import { readSent, type SentDocument } from './sent.ts'

export interface ListenOptions {
  readonly streams: Streams
  readonly ingest: Pick<Ingest, 'push' | 'removeDocument'>
  readonly rows: Rows
  readonly clock: Clock
  readonly log: Log
}

/** Messages of one commit, at most. */
const MESSAGES_MAX = 500
const WAIT_MS = 1_000
/** Before a stream that was lost is opened again, and a message that could not be kept comes again. */
const PAUSES_MS = [500, 2_000, 10_000, 30_000] as const
const DEPTH_MAX = 32

/** Reads a stream into a collection until the signal aborts. A message is done once its document is
 *  durable: one that comes twice is the same document, and what cannot be read is put on the list of
 *  dead letters. Each message is a document as for `POST .../documents`, or `{id, removed: true}`. */
export async function listen(
  collection: string,
  spec: StreamConfig,
  options: ListenOptions,
  signal: AbortSignal,
): Promise<void> {
  const { streams, clock, log } = options
  for (let failures = 0; !signal.aborted;) {
    try {
      const stream = await streams.open(spec)
      if (stream instanceof Refusal)
        log.write('warn', 'a stream cannot be read', { collection, reason: sentenceOf(stream) })
      else
        await follow(new Delivery(collection, spec, stream.locator, options), stream, signal, () => {
          failures = 0
        })
    } catch (thrown) {
      log.write('warn', 'a stream was lost', { collection, reason: reasonOf(thrown) })
    }
    await sleep(clock, PAUSES_MS[Math.min(failures++, PAUSES_MS.length - 1)] ?? 0, signal)
  }
}

async function follow(delivery: Delivery, stream: Stream, signal: AbortSignal, onProgress: () => void): Promise<void> {
  try {
    while (!signal.aborted) {
      const messages = await stream.next(MESSAGES_MAX, WAIT_MS)
      if (messages.length > 0) await delivery.take(messages)
      onProgress()
    }
  } finally {
    await stream.close()
  }
}

class Delivery {
  readonly #collection: string
  readonly #spec: StreamConfig
  readonly #origin: Provenance
  readonly #options: ListenOptions

  constructor(collection: string, spec: StreamConfig, locator: string, options: ListenOptions) {
    this.#collection = collection
    this.#spec = spec
    this.#origin = { kind: spec.kind, source: locator }
    this.#options = options
  }

  /** In the order they came: what is removed ends the documents sent together before it. */
  async take(messages: readonly Message[]): Promise<void> {
    let group: { message: Message; document: SentDocument }[] = []
    const keep = async (): Promise<void> => {
      const now = group
      group = []
      if (now.length > 0) await this.#keep(now)
    }
    for (const message of messages) {
      const said = this.#read(message)
      if (said instanceof Refusal) await this.#bury(message, said)
      else if ('removed' in said) {
        await keep()
        await this.#remove(message, said.removed)
      } else group.push({ message, document: said })
    }
    await keep()
  }

  #read({ bytes }: Message): SentDocument | { readonly removed: string } | Refusal {
    // Text grows by a third in base 64, and by more where JSON escapes it.
    const value = parseJson(bytes, { bytesMax: FILE_BYTES_MAX * 2, depthMax: DEPTH_MAX })
    if (value instanceof Refusal) return value
    if (isObject(value) && value['removed'] === true && typeof value['id'] === 'string') return { removed: value['id'] }
    const document = readSent(value)
    if (document instanceof Refusal) return document
    const { trust, metadata } = this.#spec
    return {
      ...document,
      // What the stream was declared with is not for its senders to widen.
      ...(trust === undefined ? {} : { trust }),
      ...(metadata === undefined ? {} : { metadata: { ...document.metadata, ...metadata } }),
    }
  }

  async #keep(group: readonly { readonly message: Message; readonly document: SentDocument }[]): Promise<void> {
    const again = (delayMs: number): Promise<unknown> => Promise.all(group.map(({ message }) => message.again(delayMs)))
    try {
      const kept = await this.#options.ingest.push(
        this.#collection,
        group.map(({ document }) => document),
        this.#origin,
      )
      if (kept instanceof Refusal) return void (await again(PAUSES_MS[0]))
      // Refused or kept: both are durable.
      await Promise.all(group.map(({ message }) => message.done()))
    } catch (thrown) {
      await again(PAUSES_MS[1])
      throw thrown
    }
  }

  async #remove(message: Message, id: string): Promise<void> {
    const refusal = await this.#options.ingest.removeDocument(this.#collection, id)
    if (refusal !== undefined && refusal.code !== 'not_found' && refusal.code !== 'collection_unknown')
      return await message.again(PAUSES_MS[1])
    await message.done()
  }

  async #bury(message: Message, problem: Refusal): Promise<void> {
    const { rows, clock } = this.#options
    const document = `${this.#origin.source}#${message.position}`
    const tenant = this.#spec.metadata?.[TENANT] ?? UNKNOWN_TENANT
    await post(rows, this.#collection, [{ document, uri: document, tenant, problem }], [], clock.wallMs())
    await message.done()
  }
}
