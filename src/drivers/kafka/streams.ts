import type { Consumer, Message as KafkaMessage, MessagesStream } from '@platformatic/kafka'
import type { Clock } from '../../base/clock.ts'
import { fault, reasonOf, type Refusal, refuse } from '../../base/errors.ts'
import type { Message, Stream, StreamConfig } from '../../retrieval/streams.ts'
import { type Entry, Partition } from './partition.ts'

type KafkaConfig = Extract<StreamConfig, { readonly kind: 'kafka' }>

export interface KafkaOptions {
  readonly clock: Clock
  /** What the configuration's reference stands for. */
  readonly reveal: (reference: string) => string
}

const CONNECT_MS = 10_000
const RETRIES_MAX = 2
const RETRY_MS = 500
/** The broker answers a fetch by then, whether or not there is something new. */
const FETCH_WAIT_MS = 1_000
const FETCH_BYTES_MAX = 16 * 2 ** 20
/** Without a sign of life for so long, another member reads in our place. */
const SESSION_MS = 10_000
const HEARTBEAT_MS = 2_000
/** Fetched and not committed, over all partitions; beyond either nothing more is fetched. */
const PENDING_MAX = 5_000
const PENDING_BYTES_MAX = 64 * 2 ** 20

const PACKAGE = '@platformatic/kafka'

/** A topic of Kafka, as a member of a consumer group. Offsets are committed once everything before them
 *  is done, so that what was not done comes again, with all that follows it in its partition. A message
 *  without a value removes the document that its key names. */
export async function openKafka(spec: KafkaConfig, { clock, reveal }: KafkaOptions): Promise<Stream | Refusal> {
  const source = `kafka:${spec.topic}`
  const library = await import('@platformatic/kafka').catch(() => undefined)
  if (library === undefined)
    return refuse('source_unreadable', { source, reason: `the package \`${PACKAGE}\` is not installed` })
  const consumer = new library.Consumer({
    clientId: 'headworks',
    groupId: spec.group,
    bootstrapBrokers: [...spec.brokers],
    autocreateTopics: false,
    autocommit: false,
    connectTimeout: CONNECT_MS,
    timeout: CONNECT_MS,
    retries: RETRIES_MAX,
    retryDelay: RETRY_MS,
    sessionTimeout: SESSION_MS,
    heartbeatInterval: HEARTBEAT_MS,
    ...(spec.tls ? { tls: {} } : {}),
    ...(spec.user === undefined || spec.password === undefined
      ? {}
      : { sasl: { mechanism: spec.mechanism, username: spec.user, password: reveal(spec.password) } }),
  })
  // Without a listener it would end the process; whoever is asked next says it.
  consumer.on('error', () => {})
  try {
    await consumer.metadata({ topics: [spec.topic], autocreateTopics: false })
    const messages = await consumer.consume({
      topics: [spec.topic],
      mode: library.MessagesStreamModes.COMMITTED,
      fallbackMode: library.MessagesStreamFallbackModes.EARLIEST,
      maxWaitTime: FETCH_WAIT_MS,
      maxBytes: FETCH_BYTES_MAX,
      autocommit: false,
    })
    return new KafkaStream({ locator: source, topic: spec.topic, consumer, messages, clock })
  } catch (thrown) {
    await consumer.close(true).catch(() => {})
    if (/unknown topic/i.test(reasonOf(thrown)))
      return refuse('source_unreadable', { source, reason: 'there is no such topic' })
    if (thrown instanceof library.AuthenticationError)
      return refuse('source_unreadable', { source, reason: 'the user name or password is not accepted' })
    throw fault('source_unavailable', { source, reason: reasonOf(thrown) }, thrown)
  }
}

interface KafkaStreamParts {
  readonly locator: string
  readonly topic: string
  readonly consumer: Consumer
  readonly messages: MessagesStream<Buffer, Buffer, Buffer, Buffer>
  readonly clock: Clock
}

class KafkaStream implements Stream {
  readonly locator: string
  readonly #topic: string
  readonly #consumer: Consumer
  readonly #messages: KafkaStreamParts['messages']
  readonly #clock: Clock
  readonly #partitions = new Map<number, Partition>()
  /** Who waits for a message. */
  #arrived: (() => void) | undefined
  #lost: Error | undefined
  #isFull = false
  #isClosed = false
  /** By partition: what is to be committed next. */
  #offsets = new Map<number, bigint>()
  #committing: Promise<void> | undefined

  constructor({ locator, topic, consumer, messages, clock }: KafkaStreamParts) {
    this.locator = locator
    this.#topic = topic
    this.#consumer = consumer
    this.#messages = messages
    this.#clock = clock
    messages.on('data', (message) => this.#take(message))
    messages.on('error', (cause) => this.#lose(cause))
    messages.on('close', () => this.#lose(new Error('the connection is closed')))
    consumer.on('client:broker:disconnect', () => this.#lose(new Error('the connection was lost')))
    // What another member reads from now on is not ours to hand out; what stays ours is fetched again.
    consumer.on('consumer:group:rebalance', () => {
      for (const partition of this.#partitions.values()) partition.clear()
      this.#regulate()
    })
  }

  async next(most: number, waitMs: number): Promise<readonly Message[]> {
    const untilMs = this.#clock.monotonicMs() + waitMs
    for (;;) {
      if (this.#lost !== undefined) throw this.#fault(this.#lost)
      const nowMs = this.#clock.monotonicMs()
      const found: Message[] = []
      for (const [number, partition] of this.#partitions)
        found.push(...partition.take(most - found.length, nowMs).map((entry) => this.#message(number, entry)))
      if (found.length > 0 || nowMs >= untilMs) return found
      const due = [...this.#partitions.values()].flatMap(({ dueAtMs }) => dueAtMs ?? [])
      await this.#arrival(Math.max(1, Math.min(untilMs, ...due) - nowMs))
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#arrived?.()
    await this.#messages.close().catch(() => {})
    await this.#consumer.close(true).catch(() => {})
  }

  #take({ partition: number, offset, key, value }: KafkaMessage): void {
    const partition = this.#partitions.get(number) ?? new Partition()
    this.#partitions.set(number, partition)
    // Libraries and brokers tell "none" by an empty value as well as by its absence.
    const isRemoval = (value as Buffer | undefined | null)?.length === undefined
    const bytes = isRemoval ? Buffer.from(JSON.stringify({ id: String(key), removed: true })) : value
    partition.add({ offset, bytes })
    this.#regulate()
    this.#arrived?.()
  }

  #regulate(): void {
    let count = 0
    let bytes = 0
    for (const partition of this.#partitions.values()) {
      count += partition.count
      bytes += partition.bytes
    }
    const isFull = count >= PENDING_MAX || bytes >= PENDING_BYTES_MAX
    if (isFull === this.#isFull || this.#isClosed) return
    this.#isFull = isFull
    if (isFull) this.#messages.pause()
    else this.#messages.resume()
  }

  #message(number: number, { offset, bytes }: Entry): Message {
    const partition = this.#partitions.get(number)
    return {
      position: `${number}:${offset}`,
      bytes,
      done: async () => {
        const next = partition?.done(offset)
        this.#regulate()
        if (next !== undefined) this.#offsets.set(number, next)
        // Of one that waits for another before it, the other's turn commits both.
        if (next !== undefined) await (this.#committing ??= this.#commit())
      },
      again: async (delayMs) => partition?.again(offset, this.#clock.monotonicMs() + delayMs),
    }
  }

  /** What becomes done in the same turn is committed together. */
  async #commit(): Promise<void> {
    await Promise.resolve()
    this.#committing = undefined
    const offsets = [...this.#offsets].map(([partition, offset]) => ({
      topic: this.#topic,
      partition,
      offset,
      leaderEpoch: UNKNOWN_EPOCH,
    }))
    this.#offsets = new Map()
    try {
      await this.#consumer.commit({ offsets })
    } catch (thrown) {
      throw this.#fault(thrown)
    }
  }

  /** Until something comes, for `waitMs` at most. */
  #arrival(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel()
        this.#arrived = undefined
        resolve()
      }
      const timer = this.#clock.after(waitMs, end)
      this.#arrived = end
    })
  }

  #lose(cause: Error): void {
    this.#lost ??= cause
    this.#arrived?.()
  }

  #fault(thrown: unknown): Error {
    return fault('source_unavailable', { source: this.locator, reason: reasonOf(thrown) }, thrown)
  }
}

/** The protocol's word for a commit that names no epoch of the partition's leader. */
const UNKNOWN_EPOCH = -1
