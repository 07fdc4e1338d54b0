import type { Clock } from '../src/base/clock.ts'
import type { ClientHandler, ClientRequest, Exchange, HttpClient, Reply } from '../src/base/http.ts'
import type { JsonObject } from '../src/base/json.ts'
import { NO_USAGE } from '../src/meter/usage.ts'
import type { Entry, Events } from '../src/store/events.ts'
import { KEY_TEXTS } from './caller.ts'
import type { Plant } from './house.ts'
import type { Invariant } from './invariants.ts'

/** Faults put at the ports on purpose: for every invariant at least one that breaks it, so that a
 *  simulation that sees nothing is known to have eyes. */

export interface Planted {
  /** Any of these may notice it first. */
  readonly breaks: readonly Invariant[]
  /** Fresh for every run: a plant may count. */
  readonly plant: () => Plant
}

/** The `nth` of every `nth` calls, so that a fault is rare. */
function every(nth: number): () => boolean {
  let count = 0
  return () => ++count % nth === 0
}

const onEvents = (change: (events: Events) => Partial<Events>) => (): Plant => ({ events: (events) => ({ ...events, ...change(events) }) })
const retold = (entry: Entry, change: JsonObject): Entry => ({ ...entry, body: { ...entry.body, ...change } })
const isClosing = (entry: Entry): boolean => entry.phase === 'close' && entry.body['outcome'] !== 'interrupted'

const onReply = (change: (reply: Reply) => Partial<Reply>) => (): Plant => ({ reply: (reply) => wrapReply(reply, change(reply)) })

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

type Start = (client: HttpClient, request: ClientRequest, handler: ClientHandler) => Exchange

const onClient = (start: Start) => (): Plant => ({
  client: (client) => ({ start: (request, handler) => start(client, request, handler), close: () => client.close() }),
})

/** A handler like `handler`, but for what is given. */
const wrapHandler = (handler: ClientHandler, change: Partial<ClientHandler>): ClientHandler => ({
  head: (status, headers) => handler.head(status, headers),
  data: (bytes) => handler.data(bytes),
  end: () => handler.end(),
  fail: (cause) => handler.fail(cause),
  ...change,
})

const isDone = (bytes: string | Uint8Array | undefined): boolean => typeof bytes === 'string' && bytes.includes('[DONE]')
const isChunk = (bytes: string | Uint8Array): boolean => typeof bytes === 'string' && bytes.includes('"delta"')

const JOURNAL: { readonly [name: string]: Planted } = {
  'lost closing': {
    breaks: ['nothing acknowledged is lost', 'every opened request is closed'],
    plant: onEvents((events) => {
      const lose = every(4)
      return { append: (entries) => (entries.some(isClosing) && lose() ? Promise.resolve() : events.append(entries)) }
    }),
  },
  'lost opening': {
    breaks: ['a closing has its opening', 'nothing acknowledged is lost'],
    plant: onEvents((events) => ({ append: (entries) => (entries.every(({ phase }) => phase === 'open') ? Promise.resolve() : events.append(entries)) })),
  },
  'double closing': {
    breaks: ['a request is closed once'],
    plant: onEvents((events) => ({
      append: async (entries) => {
        await events.append(entries)
        if (entries.some(isClosing)) await events.append(entries.map((entry) => ({ ...entry, body: { ...entry.body, outcome: 'failed' } })))
      },
    })),
  },
  'double opening': {
    breaks: ['a request is opened once'],
    plant: onEvents((events) => ({
      append: (entries) => events.append(entries.flatMap((entry) => (entry.phase === 'open' ? [entry, { ...entry, id: `${entry.id}2` }] : [entry]))),
    })),
  },
  'failure told as success': {
    breaks: ['a closing tells the truth'],
    plant: onEvents((events) => ({ append: (entries) => events.append(entries.map((entry) => (entry.body['outcome'] === 'failed' ? retold(entry, { outcome: 'answered' }) : entry))) })),
  },
  'acknowledged before durable': {
    breaks: ['nothing acknowledged is lost', 'every opened request is closed', 'a request is closed once'],
    plant: onEvents((events) => ({
      append: (entries) => {
        void events.append(entries).catch(() => {})
        return Promise.resolve()
      },
    })),
  },
  'blind recovery': { breaks: ['every opened request is closed'], plant: onEvents(() => ({ unclosed: () => Promise.resolve([]) })) },
  'store that never answers': {
    breaks: ['counts return to zero', 'every opened request is closed'],
    plant: onEvents((events) => {
      const hang = every(5)
      return { append: (entries) => (hang() ? new Promise<void>(() => {}) : events.append(entries)) }
    }),
  },
  'promise nobody waits for': {
    breaks: ['no promise is left to fail alone'],
    plant: onEvents((events) => ({
      append: (entries) => {
        void Promise.reject(new Error('left alone'))
        return events.append(entries)
      },
    })),
  },
}

const BILL: { readonly [name: string]: Planted } = {
  'miscounted usage': {
    breaks: ['usage is the engine\'s'],
    plant: onClient((client, request, handler) => client.start(request, wrapHandler(handler, { data: (bytes) => handler.data(overcounted(bytes)) }))),
  },
  'mispriced usage': {
    breaks: ['usage sums'],
    plant: onEvents((events) => ({
      append: (entries) =>
        events.append(entries.map((entry) => (typeof entry.body['costNanoUsd'] === 'string' ? { ...entry, body: { ...entry.body, costNanoUsd: '1' } } : entry))),
    })),
  },
  'broken answers for nothing': {
    breaks: ['what was delivered is charged'],
    plant: onEvents((events) => ({
      append: (entries) => events.append(entries.map((entry) => (entry.body['outcome'] === 'failed' ? retold(entry, givenAway(entry.body)) : entry))),
    })),
  },
  'usage kept from the caller': {
    breaks: ['usage is told'],
    plant: onReply((reply) => ({ write: (bytes) => (typeof bytes === 'string' && bytes.includes('"choices":[]') ? true : reply.write(bytes)) })),
  },
}

const givenAway = (body: JsonObject): JsonObject => ({ usage: { ...NO_USAGE }, costNanoUsd: typeof body['costNanoUsd'] === 'string' ? '0' : null })

const overcounted = (bytes: Uint8Array): Uint8Array =>
  Buffer.from(Buffer.from(bytes).toString('latin1').replace(/"completion_tokens":(\d+),/, (_, count: string) => `"completion_tokens":${Number(count) + 1},`), 'latin1')

const ANSWER: { readonly [name: string]: Planted } = {
  'silent truncation': { breaks: ['no stream is silently truncated'], plant: onReply((reply) => ({ end: (bytes) => reply.end(isDone(bytes) ? undefined : bytes) })) },
  'answer cut short': { breaks: ['no answer is cut short'], plant: cutWhere((status) => status === 200) },
  'error without words': { breaks: ['an error says what and why'], plant: cutWhere((status) => status !== 200) },
  'spliced fallback': { breaks: ['an answer is one engine\'s, in order'], plant: onClient(splice) },
  'lost chunk': {
    breaks: ['an answer is one engine\'s, in order'],
    plant: onReply((reply) => {
      const lose = every(3)
      return { write: (bytes) => (isChunk(bytes) && lose() ? true : reply.write(bytes)) }
    }),
  },
  'doubled chunk': {
    breaks: ['an answer is one engine\'s, in order'],
    plant: onReply((reply) => {
      const repeat = every(3)
      return { write: (bytes) => (isChunk(bytes) && repeat() && reply.write(bytes), reply.write(bytes)) }
    }),
  },
  'lost packet': {
    breaks: ['an answer is one engine\'s, in order', 'what nothing hinders is answered'],
    plant: onClient((client, request, handler) => {
      const lose = every(3)
      return client.start(request, wrapHandler(handler, { data: (bytes) => void (lose() || handler.data(bytes)) }))
    }),
  },
  'words of its own': {
    breaks: ['the status waits for content', 'an answer is one engine\'s, in order'],
    plant: onClient((client, request, handler) =>
      client.start(
        request,
        wrapHandler(handler, {
          head: (status, headers) => {
            handler.head(status, headers)
            const invented = { choices: [{ index: 0, delta: { content: 'r: one moment ...' }, finish_reason: null }] }
            if (status === 200) handler.data(Buffer.from(`data: ${JSON.stringify(invented)}\n\n`))
          },
        }),
      ),
    ),
  },
  'two ids in one stream': {
    breaks: ['a stream is well formed'],
    plant: onReply((reply) => {
      const stray = every(2)
      return { write: (bytes) => reply.write(typeof bytes === 'string' && stray() ? bytes.replace('"id":"', '"id":"other-') : bytes) }
    }),
  },
  'answer without an end': {
    breaks: ['every caller hears an end'],
    plant: onReply((reply) => ({ end: (bytes) => void (bytes !== undefined && reply.write(bytes)) })),
  },
  'clock that dawdles': {
    breaks: ['nobody waits too long'],
    plant: () => ({ clock: (clock) => ({ ...clock, after: (delayMs, task) => clock.after(delayMs * 20, task) }) }),
  },
  'answer without an id': {
    breaks: ['every answer has its id'],
    plant: onReply((reply) => ({ head: (status, { 'x-request-id': _, ...headers }) => reply.head(status, headers) })),
  },
  'house that always fails': {
    breaks: ['what nothing hinders is answered'],
    plant: onClient((client, request, handler) => client.start(request, wrapHandler(handler, { head: () => handler.head(500, {}), data: () => {} }))),
  },
  'open door': {
    breaks: ['the refused reach no engine'],
    plant: () => ({
      request: (request) => ({
        ...request,
        headers: { authorization: `Bearer ${KEY_TEXTS.user}` },
        body: (bytesMax) => request.body(bytesMax),
      }),
    }),
  },
}

/** Drops the second half of whole answers with such a status. */
function cutWhere(isHit: (status: number) => boolean): () => Plant {
  return onReply((reply) => {
    let hit = false
    return {
      head: (status, headers) => {
        hit = isHit(status)
        reply.head(status, headers)
      },
      end: (bytes) => reply.end(hit && typeof bytes === 'string' && !isDone(bytes) ? bytes.slice(0, bytes.length >> 1) : bytes),
    }
  })
}

/** Starts again where an engine broke off, as if nothing had happened. */
function splice(client: HttpClient, request: ClientRequest, handler: ClientHandler): Exchange {
  let retried = false
  let current: Exchange | undefined
  const resumed = wrapHandler(handler, {
    fail: (cause) => {
      if (retried) return handler.fail(cause)
      retried = true
      current = client.start(request, wrapHandler(handler, { head: () => {} }))
    },
  })
  current = client.start(request, resumed)
  return { abort: () => current?.abort(), pause: () => current?.pause(), resume: () => current?.resume() }
}

const LEFTOVERS: { readonly [name: string]: Planted } = {
  'engine that cannot be stopped': {
    breaks: ['no engine is left working', 'an engine is let go with its caller'],
    plant: onClient((client, request, handler) => {
      let over = false
      const unless = (run: () => void): void => void (over || run())
      const exchange = client.start(request, {
        head: (status, headers) => unless(() => handler.head(status, headers)),
        data: (bytes) => unless(() => handler.data(bytes)),
        end: () => unless(() => handler.end()),
        fail: (cause) => unless(() => handler.fail(cause)),
      })
      return { pause: () => exchange.pause(), resume: () => exchange.resume(), abort: () => void (over = true) }
    }),
  },
  'deaf to leaving': { breaks: ['an engine is let go with its caller'], plant: onReply(() => ({ onGone: () => {} })) },
  'deaf to backpressure': {
    breaks: ['a slow reader is waited for'],
    plant: onReply((reply) => ({ write: (bytes) => (reply.write(bytes), true) })),
  },
  'request sent twice': {
    breaks: ['no engine is asked too often'],
    plant: onClient((client, request, handler) => {
      client.start(request, { head: () => {}, data: () => {}, end: () => {}, fail: () => {} })
      return client.start(request, handler)
    }),
  },
  'timer that is not cancelled': {
    breaks: ['no timer is left'],
    plant: () => ({ clock: (clock: Clock): Clock => ({ ...clock, after: (delayMs, task) => (clock.after(delayMs, task), { cancel: () => {} }) }) }),
  },
  'retry without end': { breaks: ['comes to rest'], plant: onClient(retryForever) },
  'head sent twice': {
    breaks: ['the reply is used as its port says'],
    plant: onReply((reply) => ({ head: (status, headers) => (reply.head(status, headers), reply.head(status, headers)) })),
  },
  'write that throws': {
    breaks: ['nothing throws into a port'],
    plant: onReply((reply) => ({
      write: (bytes) => {
        if (isChunk(bytes)) throw new Error('EPIPE')
        return reply.write(bytes)
      },
    })),
  },
}

function retryForever(client: HttpClient, request: ClientRequest, handler: ClientHandler): Exchange {
  let stopped = false
  const again = (): void => {
    if (!stopped) client.start(request, wrapHandler(handler, { head: () => {}, data: () => {}, end: again, fail: again }))
  }
  again()
  return { abort: () => {}, pause: () => {}, resume: () => {} }
}

export const PLANTS: { readonly [name: string]: Planted } = { ...JOURNAL, ...BILL, ...ANSWER, ...LEFTOVERS }
