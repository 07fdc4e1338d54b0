import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../tests/kit/clock.ts'
import { fault } from '../base/errors.ts'
import { type DeploymentStatus, Health } from './health.ts'

const down = fault('engine_unreachable', { engine: 'a', reason: 'it is off' })

function failOften(health: Health, name: string): void {
  for (let i = 0; i < 5; i++) health.of(name, 'url').begin('chat', { tokens: 1 })?.end(down)
}

test('the books hold what is in flight, and every call leaves them once', () => {
  const a = new Health({ clock: new ManualClock() }).of('a/m', 'url')
  const [one, two] = [a.begin('chat', { tokens: 100 }), a.begin('embed', { tokens: 20 })]
  assert.deepEqual([a.load, a.status.callsInFlight], [120, 2])
  one?.end('answered')
  one?.end(down)
  two?.end('unknown')
  assert.deepEqual([a.load, a.status.callsInFlight], [0, 0])
})

test('a new configuration takes over what it still names, and nothing of an engine that has changed', () => {
  const clock = new ManualClock()
  const before = new Health({ clock })
  for (const name of ['kept/m', 'changed/m', 'gone/m']) failOften(before, name)
  const retries = before.retriesOf('chat')
  const after = before.successor()
  const [kept, changed] = [after.of('kept/m', 'url'), after.of('changed/m', 'another url')]
  assert.deepEqual([kept.status.circuit, changed.status.circuit], ['open', 'closed'])
  assert.equal(after.retriesOf('chat'), retries)
  assert.deepEqual(
    after.status().map(({ deployment }) => deployment),
    ['kept/m', 'changed/m'],
  )
  assert.equal(after.successor().of('gone/m', 'url').status.circuit, 'closed')
})

test('opening and closing are told once each, with why and since when', () => {
  const clock = new ManualClock()
  const turns: DeploymentStatus[] = []
  const health = new Health({ clock, onTurn: (status) => turns.push(status) })
  failOften(health, 'a/m')
  clock.advance(5_000)
  health.of('a/m', 'url').begin('chat', { tokens: 1 })?.end(down)
  clock.advance(10_000)
  const probe = health.of('a/m', 'url').begin('chat', { tokens: 1 })
  probe?.spoke()
  probe?.end('answered')
  assert.deepEqual(
    turns.map(({ circuit, trouble, since }) => [circuit, trouble, since]),
    [
      ['open', 'unreachable', '2026-01-01T00:00:00.000Z'],
      ['closed', null, null],
    ],
  )
  assert.match(turns[0]?.reason ?? '', /it is off/)
})

test('what it does not serve is left out, and nothing else', () => {
  const a = new Health({ clock: new ManualClock() }).of('a/m', 'url')
  const absent = fault('engine_refused', { engine: 'a', status: 404, reason: 'Not Found' })
  for (let i = 0; i < 5; i++) a.begin('rerank', { tokens: 1 })?.end(absent)
  assert.equal(a.begin('rerank', { tokens: 1 }), undefined)
  a.begin('chat', { tokens: 1 })?.end('answered')
  assert.deepEqual([a.status.leftOut, a.status.circuit], [['rerank'], 'open'])
})
