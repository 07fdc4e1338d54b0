import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '../../tests/kit/clock.ts'
import { Slots } from './slots.ts'

const never = new AbortController().signal

test('as many as there is room for go at once, the others in their order', async () => {
  let most = 3
  const slots = new Slots(() => most)
  const order: number[] = []
  const back: (() => void)[] = []
  const take = (name: number, weight: number): void =>
    void slots.take(weight, never).then((give) => {
      order.push(name)
      if (give !== undefined) back.push(give)
    })
  for (const [name, weight] of [2, 1, 2, 1].entries()) take(name, weight)
  await settled()
  assert.deepEqual(order, [0, 1])
  back[0]?.()
  back[0]?.()
  await settled()
  assert.deepEqual(order, [0, 1, 2], 'what is given back twice counts once')
  most = 4
  take(9, 1)
  await settled()
  assert.deepEqual(order, [0, 1, 2, 3])
})

test('what weighs more than all waits for all; what gives up lets the next one in', async () => {
  const slots = new Slots(() => 2)
  const first = await slots.take(1, never)
  const stop = new AbortController()
  const large = slots.take(5, stop.signal)
  const small = slots.take(1, never)
  stop.abort()
  assert.equal(await large, undefined)
  ;(await small)?.()
  first?.()
  assert.ok(await slots.take(5, never))
  assert.equal(await slots.take(1, stop.signal), undefined)
})
