import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock, settled } from '../../tests/kit/clock.ts'
import { fault } from '../base/errors.ts'
import { silentLog } from '../base/log.ts'
import { MemoryQueue } from '../drivers/memory/queue.ts'
import { type JobEnd, Jobs } from './jobs.ts'
import type { Job } from './queue.ts'

function open(work: (job: Job, signal: AbortSignal) => Promise<JobEnd>) {
  const clock = new ManualClock()
  const queue = new MemoryQueue(clock)
  const jobs = new Jobs({ queue, clock, log: silentLog, name: 'q', atOnce: 2, work })
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 100) {
      clock.advance(100)
      for (let turn = 0; turn < 5; turn++) await settled()
    }
  }
  const states = async (): Promise<string[]> => (await queue.list('q', 100)).map(({ state }) => state)
  return { clock, queue, jobs, pass, states }
}

test('jobs are worked on two at a time, each once, and the loop ends with the last', async () => {
  let now = 0
  const done: string[] = []
  const { jobs, pass, states, clock } = open(async ({ id }) => {
    assert.ok(++now <= 2)
    await settled()
    now--
    done.push(id)
    return 'done'
  })
  for (const id of ['a', 'b', 'c', 'd']) await jobs.add(id, null)
  await jobs.add('a', null)
  await pass(3_000)
  assert.deepEqual(done.toSorted(), ['a', 'b', 'c', 'd'])
  assert.deepEqual(new Set(await states()), new Set(['done']))
  assert.equal(clock.pending, 0)
})

test('what throws and what says so is tried again, later', async () => {
  let attempts = 0
  const { jobs, pass } = open(async ({ attempt }) => {
    attempts++
    if (attempt === 1) throw fault('internal', { reason: 'told to' })
    return attempt === 2 ? { againMs: 5_000, reason: 'not yet' } : 'done'
  })
  await jobs.add('a', null)
  await pass(1_500)
  assert.equal(attempts, 1)
  await pass(2_000)
  assert.equal(attempts, 2)
  await pass(3_000)
  assert.equal(attempts, 2)
  await pass(2_500)
  assert.equal(attempts, 3)
})

test('a stop is told to who works, and the job is given back at once', async () => {
  let told = false
  const { jobs, pass, states, queue } = open(
    (_, signal) =>
      new Promise((resolve) =>
        signal.addEventListener('abort', () => {
          told = true
          resolve({ againMs: 60_000, reason: 'stopped' })
        }),
      ),
  )
  await jobs.add('a', null)
  await pass(10_000)
  assert.deepEqual(await states(), ['leased'], 'the lease is kept for as long as it takes')
  await jobs.stop()
  assert.ok(told)
  assert.equal((await queue.lease('q', 1_000))?.id, 'a')
})

test('one whose end the queue refused is settled once it answers', async () => {
  const { jobs, pass, states, queue, clock } = open(async () => 'done')
  const { complete } = queue
  let refusals = 2
  queue.complete = async (job) => {
    const settledJob = await complete.call(queue, job)
    if (refusals-- > 0) throw fault('store_unavailable', { reason: 'told to' })
    return settledJob
  }
  await jobs.add('a', null)
  await pass(20_000)
  assert.deepEqual(await states(), ['done'])
  assert.equal(clock.pending, 0, 'nothing is asked for any more')
})
