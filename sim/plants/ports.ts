import type { ClientHandler, ClientRequest, Exchange, HttpClient, Reply } from '../../src/base/http.ts'
import type { JsonObject } from '../../src/base/json.ts'
import type { Entry, Events } from '../../src/store/events.ts'
import type { Plant } from '../house.ts'
import type { Invariant } from '../invariants.ts'

/** What plants are made of: ports like the real ones, but for what is given. */

export interface Planted {
  /** Any of these may notice it first. */
  readonly breaks: readonly Invariant[]
  /** Fresh for every run: a plant may count. */
  readonly plant: () => Plant
}

export interface Plants {
  readonly [name: string]: Planted
}

/** The `nth` of every `nth` calls, so that a fault is rare. */
export function every(nth: number): () => boolean {
  let count = 0
  return () => ++count % nth === 0
}

export const onEvents = (change: (events: Events) => Partial<Events>) => (): Plant => ({
  events: (events) => ({ ...events, ...change(events) }),
})
export const retold = (entry: Entry, change: JsonObject): Entry => ({ ...entry, body: { ...entry.body, ...change } })
export const isClosing = (entry: Entry): boolean => entry.phase === 'close' && entry.body['outcome'] !== 'interrupted'

export const onReply = (change: (reply: Reply) => Partial<Reply>) => (): Plant => ({
  reply: (reply) => wrapReply(reply, change(reply)),
})

function wrapReply(reply: Reply, change: Partial<Reply>): Reply {
  return {
    head: (status, headers) => reply.head(status, headers),
    write: (bytes) => reply.write(bytes),
    end: (bytes) => reply.end(bytes),
    abort: () => reply.abort(),
    onDrain: (listener) => reply.onDrain(listener),
    onGone: (listener) => reply.onGone(listener),
    get headSent() {
      return reply.headSent
    },
    ...change,
  }
}

export type Start = (client: HttpClient, request: ClientRequest, handler: ClientHandler) => Exchange

export const onClient = (start: Start) => (): Plant => ({
  client: (client) => ({ start: (request, handler) => start(client, request, handler), close: () => client.close() }),
})

/** A handler like `handler`, but for what is given. */
export const wrapHandler = (handler: ClientHandler, change: Partial<ClientHandler>): ClientHandler => ({
  head: (status, headers) => handler.head(status, headers),
  data: (bytes) => handler.data(bytes),
  end: () => handler.end(),
  fail: (cause) => handler.fail(cause),
  ...change,
})

export const isDone = (bytes: string | Uint8Array | undefined): boolean =>
  typeof bytes === 'string' && bytes.includes('[DONE]')
export const isChunk = (bytes: string | Uint8Array): boolean => typeof bytes === 'string' && bytes.includes('"delta"')
