import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { fault } from '../../base/errors.ts'
import { Channel, type Methods } from './channel.ts'

/** Two ends in one process; every message is cloned as the system would, and counted. */
function ends(methods: { readonly a?: Methods; readonly b?: Methods } = {}) {
  const sent = { a: 0, b: 0 }
  const emitters = { a: new EventEmitter(), b: new EventEmitter() }
  const end = (mine: 'a' | 'b', other: 'a' | 'b') =>
    Object.assign(emitters[mine], {
      connected: true,
      send(message: unknown, handle: unknown) {
        const copy = structuredClone(message)
        sent[mine]++
        process.nextTick(() => emitters[other].emit('message', copy, handle))
        return true
      },
    })
  const gone = (reason: string) => fault('child_died', { what: 'test', reason })
  const a = new Channel(end('a', 'b'), methods.a ?? {}, gone)
  const b = new Channel(end('b', 'a'), methods.b ?? {}, gone)
  return { a, b, sent }
}

const echo = { echo: async (value: unknown) => value }

test('either end asks the other, and refusals keep their code', async () => {
  const refuse = { refuse: () => Promise.reject(fault('not_found', { what: 'thing', id: 'x' })) }
  const { a, b } = ends({ a: echo, b: refuse })
  assert.deepEqual(await b.call('echo', { big: 5n, bytes: Uint8Array.of(1) }), { big: 5n, bytes: Uint8Array.of(1) })
  await assert.rejects(a.call('refuse', 0), { code: 'not_found', details: { what: 'thing', id: 'x' } })
  for (const method of ['nothing', 'constructor', '__proto__'])
    await assert.rejects(b.call(method, 0), { code: 'internal' })
})

test('the calls of a turn travel in one message, and so do their answers', async () => {
  const { b, sent } = ends({ a: echo })
  const values = Array.from({ length: 1000 }, (_, at) => at)
  assert.deepEqual(await Promise.all(values.map((value) => b.call('echo', value))), values)
  assert.deepEqual(sent, { a: 1, b: 1 })
})

test('what cannot be sent costs its own call and no other', async () => {
  const { b } = ends({ a: { ...echo, odd: async () => () => 'a function' } })
  const calls = ['echo', 'odd', 'echo'].map((method, at) => b.call(method, at === 1 ? 0 : at))
  const bad = b.call('echo', () => {})
  await assert.rejects(bad, { code: 'internal' })
  assert.deepEqual(
    (await Promise.allSettled(calls)).map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
})

test('a handle goes along with its own call', async () => {
  const { b } = ends({ a: { take: async (argument: unknown, handle: unknown) => [argument, handle] } })
  const both = [b.call('take', 1), b.call('take', 2, 'a handle')]
  assert.deepEqual(await Promise.all(both), [
    [1, undefined],
    [2, 'a handle'],
  ])
})

test('an end that is gone fails what waits for it and takes nothing more; beyond the bound a call is refused', async () => {
  const hang = { hang: () => new Promise(() => {}) }
  const { b } = ends({ a: hang })
  const waiting = Array.from({ length: 20_000 }, () => b.call('hang', 0))
  await assert.rejects(b.call('hang', 0), { code: 'overloaded' })
  b.close('told to')
  for (const { status } of await Promise.allSettled(waiting)) assert.equal(status, 'rejected')
  await assert.rejects(b.call('hang', 0), { code: 'child_died' })
})

test('quiet is when all that has arrived is answered', async () => {
  const wait = Promise.withResolvers<void>()
  const { a, b } = ends({ a: { wait: () => wait.promise } })
  await a.quiet()
  const answered = b.call('wait', 0)
  while (b.waiting === 0) await new Promise(setImmediate)
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  let quiet = false
  const told = a.quiet().then(() => (quiet = true))
  await new Promise(setImmediate)
  assert.equal(quiet, false)
  wait.resolve()
  await told
  await answered
})
