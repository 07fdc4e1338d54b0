import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { Child, type ChildOptions } from './child.ts'

const ENTRY = fileURLToPath(new URL('../../../tests/fixtures/child.ts', import.meta.url))

function open(t: TestContext, more: Partial<ChildOptions> = {}) {
  const logged: string[] = []
  const log: Log = { write: (_, message) => void logged.push(message) }
  const child = new Child({ entry: ENTRY, role: 'test', heapMb: 64, clock: systemClock, log, ...more })
  t.after(() => child.stop())
  return { child, logged }
}

test('calls are answered, typed arrays and all, and refusals keep their code', async (t) => {
  const { child } = open(t)
  assert.deepEqual(await child.call('echo', { vector: Float32Array.of(1, 2), big: 5n }), {
    vector: Float32Array.of(1, 2),
    big: 5n,
  })
  await assert.rejects(child.call('refuse', undefined), { code: 'not_found', details: { what: 'thing', id: 'x' } })
  await assert.rejects(child.call('nothing', undefined), { code: 'internal' })
})

test('a child that dies fails what it had not answered, and the next call has a new one', async (t) => {
  const { child, logged } = open(t)
  const first = await child.call('pid', undefined)
  const hanging = child.call('hang', undefined)
  await assert.rejects(child.call('die', undefined), { code: 'child_died' })
  await assert.rejects(hanging, { code: 'child_died' })
  assert.notEqual(await child.call('pid', undefined), first)
  assert.deepEqual(logged, ['child process ended'])
})

test('a call past its time kills the child, and the next call has a new one', async (t) => {
  const { child } = open(t)
  const first = await child.call('pid', undefined)
  await assert.rejects(child.call('hang', undefined, { timeoutMs: 50 }), { code: 'child_died' })
  assert.notEqual(await child.call('pid', undefined), first)
})

test('a call of many that is past its time costs a busy child nothing, and a hung one its life', async (t) => {
  const { child, logged } = open(t)
  const first = await child.call('pid', undefined)
  const late = child.call('hang', undefined, { timeoutMs: 200, isOneOfMany: true })
  assert.equal(await child.call('echo', 1), 1)
  await assert.rejects(late, { code: 'overloaded' })
  assert.deepEqual([await child.call('pid', undefined), logged], [first, []])
  await assert.rejects(child.call('hang', undefined, { timeoutMs: 50, isOneOfMany: true }), { code: 'child_died' })
  assert.notEqual(await child.call('pid', undefined), first)
})

test('a child without calls rests, which is no death, and comes back for the next call', async (t) => {
  const { child, logged } = open(t, { idleMs: 50 })
  const first = await child.call<number>('pid', undefined)
  while (isAlive(first)) await new Promise((resolve) => void setTimeout(resolve, 20))
  assert.equal(child.pid, undefined)
  assert.notEqual(await child.call('pid', undefined), first)
  assert.deepEqual(logged, [])
})

test('a restarted child is prepared before it is asked', async (t) => {
  const prepared: unknown[] = []
  const { child } = open(t, { prepare: async (call) => void prepared.push(await call('echo', prepared.length)) })
  await child.call('echo', 1)
  child.kill()
  await child.call('echo', 2)
  assert.deepEqual(prepared, [0, 1])
})

test('a child knows none of the keys in our environment', async (t) => {
  process.env['HEADWORKS_TEST_SECRET'] = 'sk-secret'
  t.after(() => delete process.env['HEADWORKS_TEST_SECRET'])
  const { child } = open(t)
  const environment = await child.call<NodeJS.ProcessEnv>('environment', undefined)
  assert.equal(environment['PATH'], process.env['PATH'])
  assert.doesNotMatch(JSON.stringify(environment), /SECRET|sk-secret/)
})

test('a stopped child takes no calls', async () => {
  const child = new Child({ entry: ENTRY, role: 'test', heapMb: 64, clock: systemClock, log: { write: () => {} } })
  const pid = await child.call<number>('pid', undefined)
  await child.stop()
  assert.equal(isAlive(pid), false)
  await assert.rejects(child.call('echo', 1), { code: 'child_died' })
})

test('a child stopped in the pause before its restart is not started', async (t) => {
  const { child } = open(t)
  for (let death = 0; death < 2; death++) await assert.rejects(child.call('die', undefined), { code: 'child_died' })
  const restarting = assert.rejects(child.call('echo', 1), { code: 'child_died' })
  await child.stop()
  await restarting
  assert.equal(child.pid, undefined)
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
