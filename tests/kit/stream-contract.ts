import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { fault, Fault, Refusal } from '../../src/base/errors.ts'
import { silentLog as log } from '../../src/base/log.ts'
import { listen } from '../../src/retrieval/ingest/listen.ts'
import type { StreamConfig, Streams } from '../../src/retrieval/streams.ts'
import { openCollection } from './source-contract.ts'
import { NO_SOURCES } from './sources.ts'

/** What every stream owes to the collection it feeds. */

/** A server with a stream of its own for each test. */
export interface StreamStock {
  readonly streams: Streams
  /** A new stream. */
  add(): Promise<StreamConfig>
  /** The same as `spec`, where nothing is: of a server that is there, of one that is not. */
  nowhere(spec: StreamConfig): { readonly stream: StreamConfig; readonly server: StreamConfig }
  publish(spec: StreamConfig, texts: readonly string[]): Promise<void>
  /** Messages that are not acknowledged. */
  pending(spec: StreamConfig): Promise<number>
  /** Kills the server, and starts it again with what it had. */
  restart(): Promise<void>
  close(): Promise<void>
}

const TRIES_MAX = 800
const POLL_MS = 25
/** Pauses before a lost stream is opened again are short. */
const clock: Clock = { ...systemClock, after: (delayMs, task) => systemClock.after(Math.min(delayMs, 100), task) }

export const streamClock = clock

export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries > TRIES_MAX) assert.fail('it never came true')
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** Reads a stream into the collection `shelf` until it is stopped. */
export function begin(
  streams: Streams,
  spec: StreamConfig,
  house: ReturnType<typeof openCollection>,
  ingest: Parameters<typeof listen>[2]['ingest'] = house.ingest,
): { stop(): Promise<void> } {
  const abort = new AbortController()
  const done = listen('shelf', spec, { streams, ingest, rows: house.rows, clock, log }, abort.signal)
  return {
    stop: () => {
      abort.abort()
      return done
    },
  }
}

export function streamContract(name: string, open: () => Promise<StreamStock>, skip: string | false): void {
  describe(`stream: ${name}`, { skip }, () => {
    let stock: StreamStock
    let house: ReturnType<typeof openCollection>
    let ears: ReturnType<typeof begin>
    let spec: StreamConfig
    before(async () => (stock = await open()))
    after(() => stock.close())
    beforeEach(async () => {
      spec = await stock.add()
      house = openCollection(NO_SOURCES)
      ears = begin(stock.streams, spec, house)
    })
    afterEach(async () => {
      const deaf = ears.stop()
      await house.ingest.stop()
      await deaf
    })
    const publish = (...values: unknown[]): Promise<void> =>
      stock.publish(
        spec,
        values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))),
      )
    const drained = (): Promise<void> => until(async () => (await stock.pending(spec)) === 0)

    test('documents stream in, are replaced and removed in order, and acknowledged once durable', async () => {
      await publish(...Array.from({ length: 30 }, (_, at) => ({ id: `d${at}`, text: `Common word${at}` })))
      await publish({ id: 'd0', text: 'Changed apple' })
      await publish({ id: 'd1', removed: true })
      await publish({ id: 'none', removed: true })
      await until(async () => (await house.find('apple')) === 1 && (await house.find('word1')) === 0)
      await drained()
      assert.deepEqual([await house.find('common'), await house.find('word0')], [28, 0])
      await house.look()
      assert.deepEqual(house.documents()[0]?.provenance, { kind: spec.kind, source: locatorOf(spec) })
    })

    test('what is no document or cannot be read is a dead letter and holds nothing up', async () => {
      await publish('{ not json', { text: 'nameless' }, { id: 'pdf', bytes: 'AAEC', mediaType: 'application/pdf' })
      await publish({ id: 'a', text: 'A red apple.' })
      await until(async () => (await house.find('apple')) === 1)
      await drained()
      await house.look()
      const codes = house.letters().map(({ code }) => code)
      assert.deepEqual(codes.toSorted(), ['body_malformed', 'document_unreadable', 'field_invalid'])
    })

    test('what could not be kept comes again, and once', async () => {
      await ears.stop()
      let failures = 2
      ears = begin(stock.streams, spec, house, {
        removeDocument: (...words) => house.ingest.removeDocument(...words),
        async push(...words) {
          const kept = await house.ingest.push(...words)
          if (failures-- > 0) throw fault('disk_full', { path: '/data' })
          return kept
        },
      })
      await publish({ id: 'a', text: 'A red apple.' })
      await until(async () => (await stock.pending(spec)) === 0 && failures < 0)
      assert.equal(await house.find('apple'), 1)
      await house.look()
      assert.equal(house.documents().length, 1)
    })

    test('what is told to wait comes again, after what came before it', async () => {
      await ears.stop()
      let refusals = 2
      ears = begin(stock.streams, spec, house, {
        removeDocument: (...words) => house.ingest.removeDocument(...words),
        push: async (...words) =>
          refusals-- > 0
            ? new Refusal('ingest_full', { limit: 1, field: 'pushDocumentsMax' })
            : await house.ingest.push(...words),
      })
      await publish({ id: 'a', text: 'A red apple.' })
      await until(async () => (await house.find('apple')) === 1)
      await publish({ id: 'a', text: 'A yellow banana.' })
      await until(async () => (await house.find('banana')) === 1)
      await drained()
      assert.equal(await house.find('apple'), 0)
    })

    test('the attributes and trust that a stream is declared with are not for its senders to change', async () => {
      await ears.stop()
      spec = { ...spec, trust: 'untrusted', metadata: { tenant: 'a' } }
      ears = begin(stock.streams, spec, house)
      await publish({ id: 'a', text: 'A red apple.', trust: 'trusted', metadata: { tenant: 'b', own: 1 } })
      await until(async () => (await house.find('apple')) === 1)
      await house.look()
      assert.deepEqual(
        [house.documents()[0]?.trust, house.documents()[0]?.metadata],
        ['untrusted', { tenant: 'a', own: 1 }],
      )
    })

    test('who comes after a stop goes on where it was', async () => {
      await publish({ id: 'a', text: 'A red apple.' })
      await until(async () => (await house.find('apple')) === 1)
      await drained()
      await ears.stop()
      const taken: string[] = []
      ears = begin(stock.streams, spec, house, {
        removeDocument: (...words) => house.ingest.removeDocument(...words),
        async push(...words) {
          taken.push(...words[1].map(({ id }) => id))
          return await house.ingest.push(...words)
        },
      })
      await publish({ id: 'b', text: 'A yellow banana.' })
      await until(async () => (await house.find('banana')) === 1)
      assert.deepEqual(taken, ['b'])
    })

    test('a server that was killed is found again, and nothing is lost', async () => {
      await publish({ id: 'a', text: 'A red apple.' })
      await until(async () => (await house.find('apple')) === 1)
      await stock.restart()
      await publish({ id: 'b', text: 'A yellow banana.' })
      await until(async () => (await house.find('banana')) === 1)
    })

    test('a stream that is not there is refused, a server that is not there is tried again', async () => {
      const { stream, server } = stock.nowhere(spec)
      const refused = await stock.streams.open(stream)
      assert.ok(refused instanceof Refusal && refused.code === 'source_unreadable')
      await assert.rejects(
        stock.streams.open(server),
        (thrown) => thrown instanceof Fault && thrown.code === 'source_unavailable',
      )
    })
  })
}

const locatorOf = (spec: StreamConfig): string => (spec.kind === 'nats' ? `nats:${spec.stream}` : `kafka:${spec.topic}`)
