import {
  AckPolicy,
  type Consumer,
  DeliverPolicy,
  jetstream,
  type JetStreamManager,
  jetstreamManager,
  type JsMsg,
} from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { fault, reasonOf, type Refusal, refuse } from '../../base/errors.ts'
import type { Message, Stream, StreamConfig } from '../../retrieval/streams.ts'

type NatsConfig = Extract<StreamConfig, { readonly kind: 'nats' }>

export interface NatsOptions {
  /** What the configuration's reference stands for. */
  readonly reveal: (reference: string) => string
}

const CONNECT_MS = 10_000
/** A message that was neither done nor asked for again by then comes again. */
const ACK_WAIT_MS = 60_000
/** Handed out and not done. */
const PENDING_MAX = 5_000

/** A stream of NATS JetStream, through a durable pull consumer: acknowledged one by one. */
export async function openNats(spec: NatsConfig, { reveal }: NatsOptions): Promise<Stream | Refusal> {
  const source = `nats:${spec.stream}`
  let connection: NatsConnection | undefined
  try {
    connection = await connect({
      servers: [...spec.servers],
      name: 'headworks',
      timeout: CONNECT_MS,
      ...(spec.token === undefined ? {} : { token: reveal(spec.token) }),
    })
    const manager = await jetstreamManager(connection)
    await prepare(manager, spec)
    const consumer = await jetstream(connection).consumers.get(spec.stream, spec.consumer)
    return new NatsStream(source, connection, consumer)
  } catch (thrown) {
    await connection?.close()
    if (thrown instanceof Error && /stream not found/i.test(thrown.message))
      return refuse('source_unreadable', { source, reason: 'there is no such stream' })
    throw fault('source_unavailable', { source, reason: reasonOf(thrown) }, thrown)
  }
}

/** Makes the consumer where there is none; one that is there stays as it is. */
async function prepare(manager: JetStreamManager, spec: NatsConfig): Promise<void> {
  const { stream, consumer, subject } = spec
  try {
    await manager.consumers.info(stream, consumer)
  } catch (thrown) {
    if (!(thrown instanceof Error) || !/consumer not found/i.test(thrown.message)) throw thrown
    await manager.consumers.add(stream, {
      durable_name: consumer,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: ACK_WAIT_MS * 1_000_000,
      max_ack_pending: PENDING_MAX,
      ...(subject === undefined ? {} : { filter_subject: subject }),
    })
  }
}

class NatsStream implements Stream {
  readonly locator: string
  readonly #connection: NatsConnection
  readonly #consumer: Consumer

  constructor(locator: string, connection: NatsConnection, consumer: Consumer) {
    this.locator = locator
    this.#connection = connection
    this.#consumer = consumer
  }

  async next(most: number, waitMs: number): Promise<readonly Message[]> {
    try {
      if (this.#connection.isClosed()) throw new Error('the connection is closed')
      // The first at once, then those that are there already.
      const first = await this.#consumer.next({ expires: Math.max(waitMs, 1_000) })
      if (first === null) return []
      const found = [this.#message(first)]
      const { num_pending: pending } = await this.#consumer.info()
      const more = Math.min(most - 1, pending)
      if (more > 0)
        for await (const one of await this.#consumer.fetch({ max_messages: more, expires: 1_000 }))
          found.push(this.#message(one))
      return found
    } catch (thrown) {
      throw fault('source_unavailable', { source: this.locator, reason: reasonOf(thrown) }, thrown)
    }
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  #message(one: JsMsg): Message {
    return {
      position: String(one.seq),
      bytes: one.data,
      // Waits for the server to have it, so that what was counted as done is.
      done: async () => void (await one.ackAck()),
      again: async (delayMs) => one.nak(delayMs),
    }
  }
}
