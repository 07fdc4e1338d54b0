import type { ClientHandler, ClientRequest, Exchange, HttpClient } from '../../src/base/http.ts'
import { KEY_TEXTS } from '../caller.ts'
import { CLIENT_STALL_MS, type Plant } from '../house.ts'
import { every, onReply, type Start, onClient, wrapHandler, isDone, isChunk, type Plants } from './ports.ts'

/** Faults of what a caller hears. */

export const ANSWER_PLANTS: Plants = {
  'silent truncation': {
    breaks: ['no stream is silently truncated'],
    plant: onReply((reply) => ({ end: (bytes) => reply.end(isDone(bytes) ? undefined : bytes) })),
  },
  'answer cut short': { breaks: ['no answer is cut short'], plant: cutWhere((status) => status === 200) },
  'error without words': { breaks: ['an error says what and why'], plant: cutWhere((status) => status !== 200) },
  'spliced fallback': {
    breaks: ["an answer is one engine's, in order", 'no engine is asked too often'],
    plant: onClient(splice),
  },
  'crossed wires': {
    breaks: ["an answer is one engine's, in order", 'the status waits for content'],
    plant: crossWires,
  },
  'lost chunk': {
    breaks: ["an answer is one engine's, in order"],
    plant: onReply((reply) => {
      const lose = every(3)
      return { write: (bytes) => (isChunk(bytes) && lose() ? true : reply.write(bytes)) }
    }),
  },
  'doubled chunk': {
    breaks: ["an answer is one engine's, in order"],
    plant: onReply((reply) => {
      const repeat = every(3)
      return { write: (bytes) => (isChunk(bytes) && repeat() && reply.write(bytes), reply.write(bytes)) }
    }),
  },
  'lost packet': {
    breaks: ["an answer is one engine's, in order", 'what nothing hinders is answered'],
    plant: onClient((client, request, handler) => {
      const lose = every(3)
      return client.start(request, wrapHandler(handler, { data: (bytes) => void (lose() || handler.data(bytes)) }))
    }),
  },
  'words of its own': {
    breaks: ['the status waits for content', "an answer is one engine's, in order"],
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
      return {
        write: (bytes) =>
          reply.write(typeof bytes === 'string' && stray() ? bytes.replace('"id":"', '"id":"other-') : bytes),
      }
    }),
  },
  'answer without an end': {
    breaks: ['every caller hears an end'],
    plant: onReply((reply) => ({ end: (bytes) => void (bytes !== undefined && reply.write(bytes)) })),
  },
  'clock that dawdles': {
    breaks: ['nobody waits too long', 'no timer is left'],
    plant: () => ({
      clock: (clock) => ({
        ...clock,
        after: (delayMs, task) => clock.after(delayMs < CLIENT_STALL_MS ? delayMs * 20 : delayMs, task),
      }),
    }),
  },
  'answer without an id': {
    breaks: ['every answer has its id'],
    plant: onReply((reply) => ({
      head: (status, headers) => reply.head(status, { ...headers, 'x-request-id': undefined }),
    })),
  },
  'house that always fails': {
    breaks: ['what nothing hinders is answered'],
    plant: onClient((client, request, handler) =>
      client.start(request, wrapHandler(handler, { head: () => handler.head(500, {}), data: () => {} })),
    ),
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
      end: (bytes) =>
        reply.end(hit && typeof bytes === 'string' && !isDone(bytes) ? bytes.slice(0, bytes.length >> 1) : bytes),
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

/** Now and then what one engine says is taken for what another, at work at the same time, says. */
function crossWires(): Plant {
  const open = new Set<ClientHandler>()
  const cross = every(5)
  const start: Start = (client, request, handler) => {
    const close = (): void => void open.delete(handler)
    open.add(handler)
    const exchange = client.start(request, {
      head: (status, headers) => handler.head(status, headers),
      data: (bytes) => (cross() ? ([...open].find((other) => other !== handler) ?? handler) : handler).data(bytes),
      end: () => (close(), handler.end()),
      fail: (cause) => (close(), handler.fail(cause)),
    })
    return { abort: () => (close(), exchange.abort()), pause: () => exchange.pause(), resume: () => exchange.resume() }
  }
  return onClient(start)()
}
