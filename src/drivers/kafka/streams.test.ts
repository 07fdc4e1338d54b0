import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Admin, ProduceAcks, Producer } from '@platformatic/kafka'
import { skipKafka, startKafka } from '../../../tests/kit/kafka.ts'
import { openCollection } from '../../../tests/kit/source-contract.ts'
import { NO_SOURCES } from '../../../tests/kit/sources.ts'
import {
  begin,
  streamClock as clock,
  streamContract,
  type StreamStock,
  until,
} from '../../../tests/kit/stream-contract.ts'
import type { StreamConfig } from '../../retrieval/streams.ts'
import { openKafka } from './streams.ts'

streamContract('Kafka', () => openStock(), skipKafka)

interface KafkaStock extends StreamStock {
  /** A null value is none. */
  send(spec: StreamConfig, messages: readonly { readonly key: string; readonly value: string | null }[]): Promise<void>
}

const PARTITIONS = 3

async function openStock(): Promise<KafkaStock> {
  const folder = mkdtempSync(join(tmpdir(), 'headworks-kafka-'))
  let server = await startKafka(folder)
  const broker = { clientId: 'test', bootstrapBrokers: [`127.0.0.1:${server.port}`], retries: 20, retryDelay: 200 }
  const admin = new Admin(broker)
  const producer = new Producer(broker)
  for (const client of [admin, producer]) client.on('error', () => {})
  let count = 0
  const send: KafkaStock['send'] = async (spec, messages) => {
    const { topic } = kafkaOf(spec)
    await producer.send({
      messages: messages.map(({ key, value }) => ({
        topic,
        key: Buffer.from(key),
        ...(value === null ? {} : { value: Buffer.from(value) }),
      })),
      acks: ProduceAcks.ALL,
    })
  }
  return {
    streams: { open: (spec) => openKafka(kafkaOf(spec), { clock, reveal: () => 'hush' }) },
    async add() {
      const topic = `docs${++count}`
      await admin.createTopics({ topics: [topic], partitions: PARTITIONS, replicas: 1 })
      const brokers = [`127.0.0.1:${server.port}`]
      return { kind: 'kafka', brokers, topic, group: topic, tls: false, mechanism: 'PLAIN' }
    },
    nowhere: (spec) => ({
      stream: { ...kafkaOf(spec), topic: 'none' },
      server: { ...kafkaOf(spec), brokers: ['127.0.0.1:1'] },
    }),
    // One key: a partition keeps the order, the others stay empty.
    publish: (spec, texts) =>
      send(
        spec,
        texts.map((value) => ({ key: 'k', value })),
      ),
    send,
    async pending(spec) {
      const { topic, group } = kafkaOf(spec)
      const indexes = [...Array(PARTITIONS).keys()]
      const [found] = await admin.listConsumerGroupOffsets({
        groups: [{ groupId: group, topics: [{ name: topic, partitionIndexes: indexes }] }],
      })
      const [ends] = await admin.listOffsets({
        topics: [{ name: topic, partitions: indexes.map((partitionIndex) => ({ partitionIndex, timestamp: -1n })) }],
      })
      const sum = (offsets: readonly bigint[]): number =>
        offsets.reduce((total, offset) => total + Math.max(0, Number(offset)), 0)
      // A batch that was sent again stands there twice, so what was sent is not what is there.
      return (
        sum(ends?.partitions.map(({ offset }) => offset) ?? []) -
        sum(found?.topics.flatMap(({ partitions }) => partitions.map((one) => one.committedOffset)) ?? [])
      )
    },
    async restart() {
      const { port } = server
      await server.stop()
      server = await startKafka(folder, port)
    },
    async close() {
      await Promise.all([admin.close(), producer.close(true)])
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function kafkaOf(spec: StreamConfig): Extract<StreamConfig, { kind: 'kafka' }> {
  if (spec.kind !== 'kafka') assert.fail(spec.kind)
  return spec
}

describe('Kafka', { skip: skipKafka }, () => {
  let stock: KafkaStock
  before(async () => (stock = await openStock()))
  after(() => stock.close())

  test('a message without a value removes the document that its key names', async () => {
    const spec = await stock.add()
    const house = openCollection(NO_SOURCES)
    const ears = begin(stock.streams, spec, house)
    await stock.send(spec, [{ key: 'a', value: JSON.stringify({ id: 'a', text: 'A red apple.' }) }])
    await until(async () => (await house.find('apple')) === 1)
    await stock.send(spec, [{ key: 'a', value: null }])
    await until(async () => (await house.find('apple')) === 0)
    await until(async () => (await stock.pending(spec)) === 0)
    await ears.stop()
    await house.ingest.stop()
  })

  test('members of a group that come and go lose nothing, and the last state of each document stays', async () => {
    const spec = await stock.add()
    const house = openCollection(NO_SOURCES)
    const first = begin(stock.streams, spec, house)
    const write = (from: number, word: string): Promise<void> =>
      stock.send(
        spec,
        Array.from({ length: 60 }, (_, at) => ({
          key: `d${from + at}`,
          value: JSON.stringify({ id: `d${from + at}`, text: `Common ${word}` }),
        })),
      )
    await write(0, 'apple')
    const second = begin(stock.streams, spec, house)
    await write(60, 'apple')
    await until(async () => (await house.find('common')) >= 60)
    await first.stop()
    await write(0, 'banana')
    await until(async () => (await house.find('banana')) === 60 && (await house.find('apple')) === 60)
    await until(async () => (await stock.pending(spec)) === 0)
    await second.stop()
    await house.look()
    assert.equal(house.documents().length, 120)
    await house.ingest.stop()
  })
})
