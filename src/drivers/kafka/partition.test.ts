import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Partition } from './partition.ts'

const bytes = new Uint8Array(3)
const filled = (count: number): Partition => {
  const partition = new Partition()
  for (let at = 0; at < count; at++) partition.add({ offset: BigInt(at), bytes })
  return partition
}
const offsets = (taken: ReturnType<Partition['take']>): number[] => taken.map(({ offset }) => Number(offset))

test('nothing is committed past what is not done', () => {
  const partition = filled(4)
  partition.take(3, 0)
  assert.equal(partition.done(1n), undefined)
  assert.equal(partition.done(0n), 2n)
  assert.equal(partition.done(3n), undefined, 'it was not handed out')
  assert.deepEqual([partition.count, partition.bytes], [2, 6])
})

test('one that comes again comes before all that follow it, once it is due', () => {
  const partition = filled(4)
  partition.take(4, 0)
  partition.done(2n)
  partition.again(1n, 50)
  assert.deepEqual([partition.take(9, 49), partition.dueAtMs], [[], 50])
  assert.deepEqual(offsets(partition.take(9, 50)), [1, 2, 3])
  assert.equal(partition.done(0n), 1n)
  assert.equal(partition.done(1n), 2n, 'the earlier handing out of 2 says nothing of this one')
})

test('what is fetched twice is there once, and a fetch from an earlier place begins anew', () => {
  const partition = filled(3)
  partition.add({ offset: 1n, bytes })
  assert.equal(partition.count, 3)
  partition.take(3, 0)
  for (const offset of [0n, 1n, 2n]) partition.done(offset)
  for (const offset of [5n, 6n, 4n, 5n]) partition.add({ offset, bytes })
  assert.deepEqual(offsets(partition.take(9, 0)), [4, 5])
})

test('whatever is done or comes again, offsets are committed in order and every one in the end', () => {
  const act = fc.tuple(fc.constantFrom('take', 'done', 'again'), fc.nat(19))
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const partition = filled(20)
      const open = new Set<bigint>()
      let committed = 0n
      const finish = (offset: bigint): void => {
        open.delete(offset)
        const next = partition.done(offset)
        if (next === undefined) return
        assert.ok(next > committed)
        for (const one of open) assert.ok(one >= next, 'one that is open was committed')
        committed = next
      }
      for (const [what, at] of acts) {
        if (what === 'take') for (const { offset } of partition.take(at, 0)) open.add(offset)
        else if (open.has(BigInt(at))) {
          if (what === 'done') finish(BigInt(at))
          else {
            partition.again(BigInt(at), 0)
            for (const one of open) if (one >= BigInt(at)) open.delete(one)
          }
        }
      }
      for (const offset of open) finish(offset)
      for (const { offset } of partition.take(20, 0)) finish(offset)
      assert.deepEqual([committed, partition.count, partition.bytes], [20n, 0, 0])
    }),
  )
})
