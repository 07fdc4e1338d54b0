import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Dice } from './dice.ts'
import { Kernel } from './kernel.ts'
import { Life } from './life.ts'

test('events happen in the order of their times, one at a time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 40 }), async (seed, delays) => {
      const kernel = new Kernel(seed)
      const seen: number[] = []
      for (const delay of delays) kernel.after(delay, 'event', () => seen.push(kernel.nowMs))
      const { steps } = await kernel.run(1000)
      assert.equal(steps, delays.length)
      assert.deepEqual(
        seen,
        delays.toSorted((a, b) => a - b),
      )
    }),
    { numRuns: 50 },
  )
})

test('of what is due at once the seed picks the order', async () => {
  const orders = new Set<string>()
  for (let seed = 0; seed < 40; seed++) {
    const kernel = new Kernel(seed)
    let order = ''
    for (const name of ['a', 'b', 'c']) kernel.after(5, name, () => (order += name))
    await kernel.run(10)
    orders.add(order)
  }
  assert.equal(orders.size, 6)
})

test('every microtask drains between two steps, however deep', async () => {
  const kernel = new Kernel(1)
  const log: string[] = []
  const deep = async (name: string): Promise<void> => {
    for (let i = 0; i < 50; i++) await Promise.resolve()
    log.push(`${name} settled`)
  }
  for (const name of ['first', 'second'])
    kernel.after(name === 'first' ? 0 : 1, name, () => (log.push(name), void deep(name)))
  await kernel.run(10)
  assert.deepEqual(log, ['first', 'first settled', 'second', 'second settled'])
})

test('a check runs after every step, and the first violation ends the run', async () => {
  const kernel = new Kernel(1)
  let count = 0
  let checks = 0
  for (let i = 0; i < 10; i++) kernel.after(i, 'count', () => count++)
  kernel.afterEveryStep(() => {
    checks++
    if (count === 4) kernel.violate('usage sums', 'four')
  })
  const { steps, violation } = await kernel.run(100)
  assert.deepEqual([steps, checks, count], [4, 5, 4])
  assert.deepEqual(violation, { invariant: 'usage sums', detail: 'four' })
})

test('a cancelled event does not happen, a thrown error and an endless run are violations', async () => {
  const calm = new Kernel(1)
  calm.after(1, 'never', () => assert.fail('it was cancelled')).cancel()
  assert.deepEqual(await calm.run(10).then(({ steps, violation }) => [steps, violation]), [0, undefined])

  const throwing = new Kernel(1)
  throwing.after(1, 'throws', () => {
    throw new Error('out of a port')
  })
  assert.equal((await throwing.run(10)).violation?.invariant, 'nothing throws into a port')

  const endless = new Kernel(1)
  const again = (): void => void endless.after(1, 'again', again)
  again()
  assert.equal((await endless.run(100)).violation?.invariant, 'comes to rest')
})

test('dice forked by name do not depend on each other, nor on what was rolled before', () => {
  const dice = new Dice(42)
  const rolls = (from: Dice): number[] => Array.from({ length: 5 }, () => from.int(0, 1_000_000))
  const before = rolls(dice.fork('a'))
  dice.int(0, 9)
  assert.deepEqual(rolls(dice.fork('a')), before)
  assert.notDeepEqual(rolls(dice.fork('b')), before)
  assert.notDeepEqual(rolls(new Dice(43).fork('a')), before)
})

test('after the end of a life no timer fires and no effect takes place', async () => {
  const kernel = new Kernel(1)
  let ends = 0
  const life = new Life(kernel, { number: 0, crashAtEffect: 3, skewMs: 0, onCrash: () => ends++ })
  life.clock.after(10, () => assert.fail('a timer of the dead'))
  assert.deepEqual(
    [life.effect('one'), life.effect('two'), life.effect('three'), life.effect('four')],
    [true, true, false, false],
  )
  assert.equal(life.alive, false)
  life.clock.after(1, () => assert.fail('a timer set by the dead'))
  life.end('again')
  assert.equal(ends, 1)
  assert.equal((await kernel.run(10)).violation, undefined)
})

test('a timer counts as running until it fires or is cancelled; a skewed wall clock leaves durations alone', async () => {
  const kernel = new Kernel(1)
  const life = new Life(kernel, { number: 0, crashAtEffect: Infinity, skewMs: -5000, onCrash: () => {} })
  life.clock.after(10, () => {})
  const cancelled = life.clock.after(20, () => {})
  assert.equal(life.timers.size, 2)
  cancelled.cancel()
  assert.equal(life.timers.size, 1)
  const walls = [life.clock.wallMs(), life.clock.wallMs(), life.clock.wallMs()]
  assert.ok((walls[1] ?? 0) < (walls[0] ?? 0), 'the wall clock jumps back')
  await kernel.run(10)
  assert.equal(life.timers.size, 0)
  assert.equal(life.clock.monotonicMs(), 10)
})
