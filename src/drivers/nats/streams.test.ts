import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { skipNats, startNats } from '../../../tests/kit/programs.ts'
import { streamContract, type StreamStock, until } from '../../../tests/kit/stream-contract.ts'
import type { StreamConfig } from '../../retrieval/streams.ts'
import { openNats } from './streams.ts'

streamContract('NATS JetStream', openStock, skipNats)

async function openStock(): Promise<StreamStock> {
  const folder = mkdtempSync(join(tmpdir(), 'headworks-nats-'))
  let server = await startNats(folder)
  const connection = await connect({
    servers: `127.0.0.1:${server.port}`,
    reconnectTimeWait: 50,
    maxReconnectAttempts: -1,
  })
  const manager = await jetstreamManager(connection)
  let count = 0
  return {
    streams: { open: (spec) => openNats(natsOf(spec), { reveal: () => 'hush' }) },
    async add() {
      const stream = `DOCS${++count}`
      await manager.streams.add({ name: stream, subjects: [`${stream}.*`] })
      return { kind: 'nats', servers: [`127.0.0.1:${server.port}`], stream, consumer: 'headworks' }
    },
    nowhere: (spec) => ({
      stream: { ...natsOf(spec), stream: 'NONE' },
      server: { ...natsOf(spec), servers: ['127.0.0.1:1'] },
    }),
    async publish(spec, texts) {
      for (const text of texts) await jetstream(connection).publish(`${natsOf(spec).stream}.a`, text)
    },
    async pending(spec) {
      const { num_pending: waiting, num_ack_pending: handed } = await manager.consumers.info(
        natsOf(spec).stream,
        'headworks',
      )
      return waiting + handed
    },
    async restart() {
      const { port } = server
      await server.stop()
      server = await startNats(folder, port)
      await until(() =>
        connection.rtt().then(
          () => true,
          () => false,
        ),
      )
    },
    async close() {
      await connection.close()
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function natsOf(spec: StreamConfig): Extract<StreamConfig, { kind: 'nats' }> {
  if (spec.kind !== 'nats') assert.fail(spec.kind)
  return spec
}
