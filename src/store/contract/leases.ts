import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DURATION_MS_MAX, NAME_UNITS_MAX } from '../bounds.ts'
import type { Leases } from '../leases.ts'
import { rejects, StoppedClock, type Open, type Opened, type OpenDurable } from './opened.ts'

const SECOND_MS = 1_000

export function leasesContract(driver: string, open: Open<Leases>): void {
  describe(`leases: ${driver}`, () => {
    const clock = new StoppedClock()
    let opened: Opened<Leases>
    let leases: Leases
    before(async () => {
      opened = await open(clock)
      leases = opened.port
    })
    after(() => opened.close())

    granting(() => leases, clock)
    losing(() => leases, clock)
    refusing(() => leases)
  })
}

function granting(leases: () => Leases, clock: StoppedClock): void {
  test('a lease has one holder; another name is another lease', async () => {
    const lease = await leases().acquire('one', 'a', SECOND_MS)
    assert.deepEqual(lease, { name: 'one', holder: 'a', epoch: lease?.epoch, expiresAtMs: clock.nowMs + SECOND_MS })
    assert.equal(await leases().acquire('one', 'b', SECOND_MS), undefined)
    assert.deepEqual(await leases().read('one'), lease)
    assert.equal((await leases().acquire('another', 'b', SECOND_MS))?.holder, 'b')
    assert.equal(await leases().read('none'), undefined)
  })

  test('of many that ask at once one is granted', async () => {
    const asked = Array.from({ length: 50 }, (_, at) => leases().acquire('crowd', `holder ${at}`, SECOND_MS))
    const granted = (await Promise.all(asked)).filter((lease) => lease !== undefined)
    assert.equal(granted.length, 1)
    assert.deepEqual(await leases().read('crowd'), granted[0])
  })

  test('the same holder gets a new epoch, which fences its former grant', async () => {
    const first = await leases().acquire('same', 'a', SECOND_MS)
    const second = await leases().acquire('same', 'a', SECOND_MS)
    assert.ok(second!.epoch > first!.epoch)
    assert.equal(await leases().renew(first!, SECOND_MS), undefined)
    assert.equal(await leases().release(first!), false)
    assert.deepEqual(await leases().read('same'), second)
  })

  test('epochs grow over release, expiry and change of holder', async () => {
    const epochs: number[] = []
    for (const holder of ['a', 'b', 'b', 'c']) {
      const lease = await leases().acquire('epochs', holder, SECOND_MS)
      epochs.push(lease!.epoch)
      if (holder === 'a') assert.equal(await leases().release(lease!), true)
      else clock.nowMs += SECOND_MS
    }
    assert.deepEqual(
      epochs,
      [...new Set(epochs)].toSorted((a, b) => a - b),
    )
  })

  test('renewing lengthens under the same epoch', async () => {
    const lease = await leases().acquire('renew', 'a', SECOND_MS)
    clock.nowMs += SECOND_MS - 1
    const renewed = await leases().renew(lease!, SECOND_MS)
    assert.deepEqual(renewed, { ...lease, expiresAtMs: clock.nowMs + SECOND_MS })
    clock.nowMs += SECOND_MS - 1
    assert.deepEqual(await leases().read('renew'), renewed)
    assert.equal(await leases().acquire('renew', 'b', SECOND_MS), undefined)
  })
}

function losing(leases: () => Leases, clock: StoppedClock): void {
  test('a lease that ran out is lost, to the millisecond', async () => {
    const lease = await leases().acquire('expiry', 'a', SECOND_MS)
    clock.nowMs += SECOND_MS - 1
    assert.equal(await leases().acquire('expiry', 'b', SECOND_MS), undefined)
    clock.nowMs += 1
    assert.equal(await leases().read('expiry'), undefined)
    assert.equal(await leases().renew(lease!, SECOND_MS), undefined)
    assert.equal(await leases().release(lease!), false)
    const next = await leases().acquire('expiry', 'b', SECOND_MS)
    assert.ok(next!.epoch > lease!.epoch)
    assert.equal(await leases().renew(lease!, SECOND_MS), undefined)
    assert.equal(await leases().release(lease!), false)
    assert.deepEqual(await leases().read('expiry'), next)
  })

  test('a released lease is free at once, and lost to who released it', async () => {
    const lease = await leases().acquire('release', 'a', SECOND_MS)
    assert.equal(await leases().release(lease!), true)
    assert.equal(await leases().read('release'), undefined)
    assert.equal(await leases().release(lease!), false)
    assert.equal(await leases().renew(lease!, SECOND_MS), undefined)
    assert.equal((await leases().acquire('release', 'b', SECOND_MS))?.holder, 'b')
  })

  test('a lease that was never granted cannot be renewed or released', async () => {
    const never = { name: 'never', holder: 'a', epoch: 1, expiresAtMs: clock.nowMs + SECOND_MS }
    assert.equal(await leases().renew(never, SECOND_MS), undefined)
    assert.equal(await leases().release(never), false)
    assert.equal(await leases().read('never'), undefined)
  })
}

function refusing(leases: () => Leases): void {
  test('names that no store can keep are refused', async () => {
    for (const name of ['', 'a\0b', '\ud800', 'x'.repeat(NAME_UNITS_MAX + 1)]) {
      await rejects(() => leases().acquire(name, 'holder', SECOND_MS), 'internal', /name of a lease/)
      await rejects(() => leases().acquire('name', name, SECOND_MS), 'internal', /holder/)
      await rejects(() => leases().read(name), 'internal', /name of a lease/)
    }
    const unusual = `日本 \u{1f600} '"\u0001`
    assert.equal((await leases().acquire(unusual, unusual, SECOND_MS))?.holder, unusual)
    assert.equal((await leases().read(unusual))?.name, unusual)
  })

  test('durations out of bounds are refused', async () => {
    const lease = await leases().acquire('durations', 'a', SECOND_MS)
    for (const ms of [0, -1, NaN, Infinity, DURATION_MS_MAX + 1]) {
      await rejects(() => leases().acquire('durations', 'a', ms), 'internal', /lease of/)
      await rejects(() => leases().renew(lease!, ms), 'internal', /lease of/)
    }
    assert.deepEqual(await leases().read('durations'), lease)
  })
}

/** For drivers whose data outlives the process. */
export function durableLeasesContract(driver: string, open: OpenDurable<Leases>): void {
  test(`leases: ${driver} > after reopening a lease is held still, and its epochs go on`, async (t) => {
    const clock = new StoppedClock()
    const opened = await open(clock)
    t.after(() => opened.close())
    const held = await opened.port.acquire('held', 'a', SECOND_MS)
    const released = await opened.port.acquire('released', 'a', SECOND_MS)
    await opened.port.release(released!)
    const again = await opened.reopen()
    assert.equal(await again.acquire('held', 'b', SECOND_MS), undefined)
    assert.deepEqual(await again.read('held'), held)
    assert.ok((await again.acquire('released', 'b', SECOND_MS))!.epoch > released!.epoch)
    clock.nowMs += SECOND_MS
    assert.ok((await again.acquire('held', 'b', SECOND_MS))!.epoch > held!.epoch)
  })
}
