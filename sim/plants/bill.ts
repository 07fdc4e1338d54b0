import type { JsonObject } from '../../src/base/json.ts'
import { NO_USAGE } from '../../src/meter/usage.ts'
import { onEvents, retold, onReply, onClient, wrapHandler, type Plants } from './ports.ts'

/** Faults of the count and of the price. */

export const BILL_PLANTS: Plants = {
  'miscounted usage': {
    breaks: ["usage is the engine's"],
    plant: onClient((client, request, handler) =>
      client.start(request, wrapHandler(handler, { data: (bytes) => handler.data(overcounted(bytes)) })),
    ),
  },
  'mispriced usage': {
    breaks: ['usage sums'],
    plant: onEvents((events) => ({
      append: (entries) =>
        events.append(
          entries.map((entry) =>
            typeof entry.body['costNanoUsd'] === 'string'
              ? { ...entry, body: { ...entry.body, costNanoUsd: '1' } }
              : entry,
          ),
        ),
    })),
  },
  'broken answers for nothing': {
    breaks: ['what was delivered is charged', 'nothing stays held', 'a crash costs what was open'],
    plant: onEvents((events) => ({
      append: (entries) =>
        events.append(entries.map((entry) => (entry.body['outcome'] === 'failed' ? retold(entry, givenAway) : entry))),
    })),
  },
  'usage kept from the caller': {
    breaks: ['usage is told'],
    plant: onReply((reply) => ({
      write: (bytes) => (typeof bytes === 'string' && bytes.includes('"choices":[]') ? true : reply.write(bytes)),
    })),
  },
}

const givenAway: JsonObject = {
  usage: { ...NO_USAGE },
  costNanoUsd: '0',
  charges: [],
}

const overcounted = (bytes: Uint8Array): Uint8Array =>
  Buffer.from(
    Buffer.from(bytes)
      .toString('latin1')
      .replace(/"completion_tokens":(\d+),/, (_, count: string) => `"completion_tokens":${Number(count) + 1},`),
    'latin1',
  )
