import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { jetstream, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { type RunningProgram, skipNats, startNats } from '../../../tests/kit/programs.ts'
import { openCollection } from '../../../tests/kit/source-contract.ts'
import { NO_SOURCES } from '../../../tests/kit/sources.ts'
import { type Clock, systemClock } from '../../base/clock.ts'
import { fault, Fault, Refusal } from '../../base/errors.ts'
import { silentLog as log } from '../../base/log.ts'
import { listen } from '../../retrieval/ingest/listen.ts'
import type { StreamConfig } from '../../retrieval/streams.ts'
import { openNats } from './streams.ts'

/** Pauses before a lost stream is opened again are short. */
const clock: Clock = { ...systemClock, after: (delayMs, task) => systemClock.after(Math.min(delayMs, 100), task) }
const streams = { open: (spec: StreamConfig) => openNats(spec, { reveal: () => 'hush' }) }

describe('NATS JetStream', { skip: skipNats }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'headworks-nats-'))
  let server: RunningProgram
  let connection: NatsConnection
  let manager: JetStreamManager
  let house: ReturnType<typeof openCollection>
  let ears: { readonly abort: AbortController; readonly done: Promise<void> }
  let spec: StreamConfig
  let count = 0

  before(async () => {
    server = await startNats(folder)
    connection = await connect({ servers: `127.0.0.1:${server.port}`, reconnectTimeWait: 50, maxReconnectAttempts: -1 })
    manager = await jetstreamManager(connection)
  })
  after(async () => {
    await connection?.close()
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  beforeEach(async () => {
    const stream = `DOCS${++count}`
    await manager.streams.add({ name: stream, subjects: [`docs${count}.*`] })
    spec = { kind: 'nats', servers: [`127.0.0.1:${server.port}`], stream, consumer: 'headworks' }
    house = openCollection(NO_SOURCES)
    ears = begin()
  })
  afterEach(async () => {
    ears.abort.abort()
    await house.ingest.stop()
    await ears.done
  })

  function begin(ingest: Parameters<typeof listen>[2]['ingest'] = house.ingest, of = house) {
    const abort = new AbortController()
    return { abort, done: listen('shelf', spec, { streams, ingest, rows: of.rows, clock, log }, abort.signal) }
  }

  const publish = async (value: unknown): Promise<void> =>
    void (await jetstream(connection).publish(
      `docs${count}.a`,
      typeof value === 'string' ? value : JSON.stringify(value),
    ))
  const until = async (holds: () => Promise<boolean>): Promise<void> => {
    for (let tries = 0; !(await holds()); tries++) {
      if (tries > 400) assert.fail('it never came true')
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }
  const pending = async (): Promise<number> => {
    const { num_pending: waiting, num_ack_pending: handed } = await manager.consumers.info(spec.stream, 'headworks')
    return waiting + handed
  }

  test('documents stream in, are replaced and removed in order, and acknowledged once durable', async () => {
    for (let at = 0; at < 30; at++) await publish({ id: `d${at}`, text: `Common word${at}` })
    await publish({ id: 'd0', text: 'Changed apple' })
    await publish({ id: 'd1', removed: true })
    await publish({ id: 'none', removed: true })
    await until(async () => (await house.find('apple')) === 1 && (await house.find('word1')) === 0)
    await until(async () => (await pending()) === 0)
    assert.deepEqual([await house.find('common'), await house.find('word0')], [28, 0])
    await house.look()
    assert.deepEqual(house.documents()[0]?.provenance, { kind: 'nats', source: `nats:${spec.stream}` })
  })

  test('what is no document or cannot be read is a dead letter and holds nothing up', async () => {
    await publish('{ not json')
    await publish({ text: 'nameless' })
    await publish({ id: 'pdf', bytes: 'AAEC', mediaType: 'application/pdf' })
    await publish({ id: 'a', text: 'A red apple.' })
    await until(async () => (await house.find('apple')) === 1)
    await until(async () => (await pending()) === 0)
    await house.look()
    assert.deepEqual(
      house
        .letters()
        .map(({ code }) => code)
        .sort(),
      ['body_malformed', 'document_unreadable', 'field_invalid'],
    )
  })

  test('what could not be kept comes again, and once', async () => {
    ears.abort.abort()
    await ears.done
    let failures = 2
    ears = begin({
      removeDocument: (...words) => house.ingest.removeDocument(...words),
      async push(...words) {
        const kept = await house.ingest.push(...words)
        if (failures-- > 0) throw fault('disk_full', { path: '/data' })
        return kept
      },
    })
    await publish({ id: 'a', text: 'A red apple.' })
    await until(async () => (await pending()) === 0 && failures < 0)
    assert.equal(await house.find('apple'), 1)
    await house.look()
    assert.equal(house.documents().length, 1)
  })

  test('the attributes and trust that a stream is declared with are not for its senders to change', async () => {
    ears.abort.abort()
    await ears.done
    spec = { ...spec, trust: 'untrusted', metadata: { tenant: 'a' } }
    ears = begin()
    await publish({ id: 'a', text: 'A red apple.', trust: 'trusted', metadata: { tenant: 'b', own: 1 } })
    await until(async () => (await house.find('apple')) === 1)
    await house.look()
    assert.deepEqual(
      [house.documents()[0]?.trust, house.documents()[0]?.metadata],
      ['untrusted', { tenant: 'a', own: 1 }],
    )
  })

  test('a server that was killed is found again, and nothing is lost', async () => {
    await publish({ id: 'a', text: 'A red apple.' })
    await until(async () => (await house.find('apple')) === 1)
    const { port } = server
    await server.stop()
    server = await startNats(folder, port)
    await until(
      async () =>
        !connection.isClosed() &&
        (await connection.rtt().then(
          () => true,
          () => false,
        )),
    )
    await publish({ id: 'b', text: 'A yellow banana.' })
    await until(async () => (await house.find('banana')) === 1)
  })

  test('a stream that is not there is refused, a server that is not there is tried again', async () => {
    const refused = await streams.open({ ...spec, stream: 'NONE' })
    assert.ok(refused instanceof Refusal && refused.code === 'source_unreadable')
    await assert.rejects(
      streams.open({ ...spec, servers: ['127.0.0.1:1'] }),
      (thrown) => thrown instanceof Fault && thrown.code === 'source_unavailable',
    )
  })
})
