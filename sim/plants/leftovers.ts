import type { Clock } from '../../src/base/clock.ts'
import type { ClientHandler, ClientRequest, Exchange, HttpClient } from '../../src/base/http.ts'
import { onReply, onClient, wrapHandler, isChunk, type Plants } from './ports.ts'

/** Faults that leave something behind, and misuse of the ports. */

export const LEFTOVERS_PLANTS: Plants = {
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
    breaks: ['no engine is asked too often', 'no engine may use more than is left'],
    plant: onClient((client, request, handler) => {
      client.start(request, { head: () => {}, data: () => {}, end: () => {}, fail: () => {} })
      return client.start(request, handler)
    }),
  },
  'timer that is not cancelled': {
    breaks: ['no timer is left'],
    plant: () => ({
      clock: (clock: Clock): Clock => ({
        ...clock,
        after: (delayMs, task) => (clock.after(delayMs, task), { cancel: () => {} }),
      }),
    }),
  },
  'retry without end': { breaks: ['comes to rest'], plant: onClient(retryForever) },
  'head sent twice': {
    breaks: ['the reply is used as its port says'],
    plant: onReply((reply) => ({
      head: (status, headers) => (reply.head(status, headers), reply.head(status, headers)),
    })),
  },
  'listener that throws': {
    breaks: ['nothing throws into a port'],
    plant: onClient((client, request, handler) =>
      client.start(
        request,
        wrapHandler(handler, {
          data: () => {
            throw new Error('not ours to catch')
          },
        }),
      ),
    ),
  },
  // The gateway keeps it from the engine that said the words: what is left to see is the answer.
  'write that throws': {
    breaks: ['what nothing hinders is answered'],
    plant: onReply((reply) => ({
      write: (bytes) => {
        if (isChunk(bytes)) throw new Error('EPIPE')
        return reply.write(bytes)
      },
    })),
  },
}

function retryForever(client: HttpClient, request: ClientRequest, handler: ClientHandler): Exchange {
  const again = (): void => {
    client.start(request, wrapHandler(handler, { head: () => {}, data: () => {}, end: again, fail: again }))
  }
  again()
  return { abort: () => {}, pause: () => {}, resume: () => {} }
}
