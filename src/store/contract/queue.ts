import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DONE_KEPT_MAX, DURATION_MS_MAX, NAME_UNITS_MAX, REASON_UNITS_MAX, VALUE_UNITS_MAX } from '../bounds.ts'
import type { Job, Queue } from '../queue.ts'
import { SCAN_MAX } from '../rows.ts'
import { rejects, StoppedClock, type Open, type Opened, type OpenDurable } from './opened.ts'
import { queueLaws } from './queue-laws.ts'

const LEASE_MS = 10_000

export function queueContract(driver: string, open: Open<Queue>): void {
  describe(`queue: ${driver}`, () => {
    const clock = new StoppedClock()
    let opened: Opened<Queue>
    let queue: Queue
    before(async () => {
      opened = await open(clock)
      queue = opened.port
    })
    after(() => opened.close())

    delivering(() => queue, clock)
    fencing(() => queue, clock)
    listing(() => queue)
    refusing(() => queue)
    queueLaws(() => queue, clock)
  })
}

function delivering(queue: () => Queue, clock: StoppedClock): void {
  test('jobs are leased in the order they became ready, each to one worker', async () => {
    for (const id of ['b', 'a', 'c']) assert.equal(await queue().enqueue('order', id, { id }), true)
    const leased = await Promise.all([1, 2, 3, 4].map(() => queue().lease('order', LEASE_MS)))
    assert.deepEqual(
      leased.map((job) => job?.id),
      ['b', 'a', 'c', undefined],
    )
    assert.deepEqual(leased[0]?.payload, { id: 'b' })
    assert.equal(leased[0]?.attempt, 1)
    assert.equal(leased[0]?.queue, 'order')
    assert.equal(await queue().lease('other', LEASE_MS), undefined)
  })

  test('of two jobs that are ready the one that has been so longer comes first', async () => {
    await queue().enqueue('longest', 'first in', null, { delayMs: 20 })
    await queue().enqueue('longest', 'first ready', null, { delayMs: 10 })
    clock.nowMs += 30
    assert.equal((await queue().lease('longest', LEASE_MS))?.id, 'first ready')
    assert.equal((await queue().lease('longest', LEASE_MS))?.id, 'first in')
  })

  test('the same id is one job until it is done or dead, then a new one', async () => {
    assert.equal(await queue().enqueue('same', 'id', 1), true)
    assert.equal(await queue().enqueue('same', 'id', 2), false)
    assert.equal(await queue().enqueue('same elsewhere', 'id', 2), true)
    const job = await queue().lease('same', LEASE_MS)
    assert.equal(job?.payload, 1)
    assert.equal(await queue().enqueue('same', 'id', 3), false)
    assert.equal(await queue().complete(job), true)
    assert.equal(await queue().lease('same', LEASE_MS), undefined)
    assert.equal(await queue().enqueue('same', 'id', 4), true)
    const second = await queue().lease('same', LEASE_MS)
    assert.deepEqual([second?.payload, second?.attempt], [4, 1])
    assert.equal(await queue().bury(second!, 'broken'), true)
    assert.equal(await queue().enqueue('same', 'id', 5), true)
    const status = await queue().list('same', 10)
    assert.deepEqual(status, [{ id: 'id', queue: 'same', state: 'waiting', payload: 5, attempt: 0 }])
    assert.equal(await queue().complete(second!), false)
  })

  test('a delayed job is not seen before its time', async () => {
    await queue().enqueue('delay', 'later', null, { delayMs: 1_000 })
    await queue().enqueue('delay', 'now', null)
    assert.equal((await queue().lease('delay', LEASE_MS))?.id, 'now')
    clock.nowMs += 999
    assert.equal(await queue().lease('delay', LEASE_MS), undefined)
    clock.nowMs += 1
    assert.equal((await queue().lease('delay', LEASE_MS))?.id, 'later')
  })

  test('a job whose lease ran out is delivered again, as the next attempt', async () => {
    await queue().enqueue('again', 'job', 'payload')
    const first = await queue().lease('again', LEASE_MS)
    clock.nowMs += LEASE_MS - 1
    assert.equal(await queue().lease('again', LEASE_MS), undefined)
    clock.nowMs += 1
    const second = await queue().lease('again', LEASE_MS)
    assert.deepEqual([second?.id, second?.payload, second?.attempt], ['job', 'payload', 2])
    assert.ok(second!.token > first!.token)
  })

  test('a retried job waits out its delay and keeps its count and reason', async () => {
    await queue().enqueue('retry', 'job', 1)
    const first = await queue().lease('retry', LEASE_MS)
    assert.equal(await queue().retry(first!, 500, 'the disk was full'), true)
    assert.deepEqual(await queue().list('retry', 1), [
      { id: 'job', queue: 'retry', state: 'waiting', payload: 1, attempt: 1, reason: 'the disk was full' },
    ])
    assert.equal(await queue().lease('retry', LEASE_MS), undefined)
    clock.nowMs += 500
    const second = await queue().lease('retry', LEASE_MS)
    assert.equal(second?.attempt, 2)
    await queue().complete(second)
    assert.deepEqual(await queue().list('retry', 1), [
      { id: 'job', queue: 'retry', state: 'done', payload: 1, attempt: 2 },
    ])
  })

  test('a buried job is never delivered', async () => {
    await queue().enqueue('bury', 'job', 1)
    const job = await queue().lease('bury', LEASE_MS)
    assert.equal(await queue().bury(job!, 'hopeless'), true)
    clock.nowMs += LEASE_MS * 10
    assert.equal(await queue().lease('bury', LEASE_MS), undefined)
    assert.deepEqual(await queue().list('bury', 1), [
      { id: 'job', queue: 'bury', state: 'dead', payload: 1, attempt: 1, reason: 'hopeless' },
    ])
  })
}

function fencing(queue: () => Queue, clock: StoppedClock): void {
  const settlings: [string, (job: Job) => Promise<boolean>][] = [
    ['extend', (job) => queue().extend(job, LEASE_MS)],
    ['complete', (job) => queue().complete(job)],
    ['retry', (job) => queue().retry(job, 0, 'late')],
    ['bury', (job) => queue().bury(job, 'late')],
  ]
  for (const [name, settle] of settlings) {
    test(`${name} by a worker that lost the lease is refused and changes nothing`, async () => {
      await queue().enqueue(`fence ${name}`, 'job', 1)
      const lost = await queue().lease(`fence ${name}`, LEASE_MS)
      clock.nowMs += LEASE_MS
      const held = await queue().lease(`fence ${name}`, LEASE_MS)
      const before = await queue().list(`fence ${name}`, 1)
      assert.equal(await settle(lost!), false)
      assert.deepEqual(await queue().list(`fence ${name}`, 1), before)
      assert.equal(await queue().complete(held!), true)
      assert.equal(await settle(held!), false)
      assert.equal(await settle({ ...held!, id: 'never' }), false)
    })

    test(`${name} after the lease ran out holds while nobody else has it`, async () => {
      await queue().enqueue(`late ${name}`, 'job', 1)
      const job = await queue().lease(`late ${name}`, LEASE_MS)
      clock.nowMs += LEASE_MS * 2
      assert.equal(await settle(job!), true)
    })
  }

  test('an extended lease keeps the job from others', async () => {
    await queue().enqueue('extend', 'job', 1)
    const job = await queue().lease('extend', LEASE_MS)
    clock.nowMs += LEASE_MS - 1
    assert.equal(await queue().extend(job!, LEASE_MS), true)
    clock.nowMs += LEASE_MS - 1
    assert.equal(await queue().lease('extend', LEASE_MS), undefined)
    clock.nowMs += 1
    assert.equal((await queue().lease('extend', LEASE_MS))?.attempt, 2)
  })
}

function listing(queue: () => Queue): void {
  test('the list is newest first, of one queue, and bounded', async () => {
    for (const id of ['a', 'b', 'c']) await queue().enqueue('list', id, id)
    assert.deepEqual(
      (await queue().list('list', 10)).map(({ id }) => id),
      ['c', 'b', 'a'],
    )
    assert.deepEqual(
      (await queue().list('list', 2)).map(({ id }) => id),
      ['c', 'b'],
    )
    assert.deepEqual(await queue().list('empty', 2), [])
  })

  test('unusual names, ids and payloads are kept', async () => {
    const name = `日本 \u{1f600} '"\u0001`
    await queue().enqueue(name, name, { [name]: '\ud800\0' })
    const job = await queue().lease(name, LEASE_MS)
    assert.deepEqual([job?.id, job?.queue, job?.payload], [name, name, { [name]: '\ud800\0' }])
    await queue().retry(job!, 0, `\ud800\0${'x'.repeat(REASON_UNITS_MAX)}`)
    const reason = (await queue().list(name, 1))[0]?.reason ?? ''
    assert.ok(reason.startsWith('\ufffd\ufffdxx') && reason.length === REASON_UNITS_MAX, reason.slice(0, 10))
  })

  test('of done jobs the newest are remembered, of all others every one', async () => {
    const ids = Array.from({ length: DONE_KEPT_MAX + 20 }, (_, at) => `job ${at}`)
    await Promise.all(ids.map((id) => queue().enqueue('bounded', id, null)))
    await Promise.all(
      ids.map(() =>
        queue()
          .lease('bounded', LEASE_MS)
          .then((job) => (job!.id === 'job 3' ? queue().bury(job!, '') : queue().complete(job!))),
      ),
    )
    const kept = await queue().list('bounded', SCAN_MAX)
    assert.deepEqual(
      kept.map(({ id }) => id),
      [...ids.slice(-DONE_KEPT_MAX).reverse(), 'job 3'],
    )
  })
}

function refusing(queue: () => Queue): void {
  test('names and ids that no store can keep are refused', async () => {
    for (const name of ['', 'a\0b', '\ud800', 'x'.repeat(NAME_UNITS_MAX + 1)]) {
      await rejects(() => queue().enqueue(name, 'id', 1), 'internal', /queue/)
      await rejects(() => queue().enqueue('queue', name, 1), 'internal', /job/)
      await rejects(() => queue().lease(name, LEASE_MS), 'internal', /queue/)
      await rejects(() => queue().list(name, 1), 'internal', /queue/)
    }
  })

  test('a payload that is no JSON or huge is refused', async () => {
    for (const payload of [undefined, 1n, 'x'.repeat(VALUE_UNITS_MAX)]) {
      await rejects(() => queue().enqueue('bad', 'id', payload as never), 'internal', /payload/)
    }
    assert.deepEqual(await queue().list('bad', 1), [])
  })

  test('times and limits out of bounds are refused', async () => {
    await queue().enqueue('times', 'id', 1)
    const job = await queue().lease('times', LEASE_MS)
    for (const ms of [-1, NaN, Infinity, DURATION_MS_MAX + 1]) {
      await rejects(() => queue().enqueue('times', 'other', 1, { delayMs: ms }), 'internal', /delay/)
      await rejects(() => queue().lease('times', ms), 'internal', /lease/)
      await rejects(() => queue().extend(job!, ms), 'internal', /lease/)
      await rejects(() => queue().retry(job!, ms, ''), 'internal', /delay/)
    }
    await rejects(() => queue().lease('times', 0), 'internal', /lease/)
    for (const limit of [0, -1, 0.5, NaN, SCAN_MAX + 1])
      await rejects(() => queue().list('times', limit), 'internal', /limit/)
  })
}

/** For drivers whose data outlives the process. */
export function durableQueueContract(driver: string, open: OpenDurable<Queue>): void {
  test(`queue: ${driver} > after reopening, jobs, leases, counts and fences are as they were`, async (t) => {
    const clock = new StoppedClock()
    const opened = await open(clock)
    t.after(() => opened.close())
    await opened.port.enqueue('jobs', 'leased', 1)
    await opened.port.enqueue('jobs', 'waiting', 2)
    const job = await opened.port.lease('jobs', LEASE_MS)
    const again = await opened.reopen()
    assert.deepEqual(
      (await again.list('jobs', 9)).map(({ id, state, attempt }) => [id, state, attempt]),
      [
        ['waiting', 'waiting', 0],
        ['leased', 'leased', 1],
      ],
    )
    assert.equal(await again.enqueue('jobs', 'waiting', 3), false)
    assert.equal((await again.lease('jobs', LEASE_MS))?.id, 'waiting')
    clock.nowMs += LEASE_MS
    const next = await again.lease('jobs', LEASE_MS)
    assert.deepEqual([next?.id, next?.attempt], ['leased', 2])
    assert.ok(next!.token > job!.token)
    assert.equal(await again.complete(job!), false)
  })
}
