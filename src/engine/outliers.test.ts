import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../tests/kit/clock.ts'
import { fault } from '../base/errors.ts'
import { DeploymentHealth } from './health.ts'
import { Outliers } from './outliers.ts'

const broken = fault('stream_broken', { engine: 'e', reason: 'gone' })

function open(count: number, shareMax = 0.5) {
  const clock = new ManualClock()
  const told: string[] = []
  const onEjection = (name: string, oddity: string | undefined): void => void told.push(`${name} ${oddity ?? 'back'}`)
  const members = Array.from({ length: count }, (_, at) => new DeploymentHealth(`e${at}`, { clock, onEjection }))
  const outliers = new Outliers(clock, members, shareMax)
  /** Of ten calls so many fail, never so that a circuit opens; each begins after so many milliseconds. */
  function calls(at: number, failing = 0, firstTokenMs = 10, times = 64): void {
    for (let n = 0; n < times; n++) {
      const visit = members[at]?.begin('chat', { tokens: 1, stream: true })
      clock.advance(firstTokenMs)
      if (n % 10 >= 10 - failing) visit?.end(broken)
      else {
        visit?.spoke()
        visit?.end('answered')
      }
    }
  }
  const look = (): (string | undefined)[] => {
    clock.advance(1_000)
    outliers.look()
    return members.map(({ ejected }) => ejected)
  }
  return { clock, members, calls, look, told }
}

test('who fails more often than the others is out, for longer each time, and judged anew when back', () => {
  const { clock, calls, look, told } = open(3)
  for (const at of [0, 1]) calls(at)
  calls(2, 4)
  assert.deepEqual(look(), [undefined, undefined, 'failing'])
  clock.advance(28_900)
  assert.equal(look()[2], 'failing')
  clock.advance(1_000)
  assert.equal(look()[2], undefined)
  calls(2, 4)
  assert.equal(look()[2], 'failing')
  clock.advance(40_000)
  assert.equal(look()[2], 'failing')
  clock.advance(20_000)
  assert.equal(look()[2], undefined)
  calls(2, 0)
  assert.deepEqual(look(), [undefined, undefined, undefined])
  assert.deepEqual(told, ['e2 failing', 'e2 back', 'e2 failing', 'e2 back'])
})

test('who begins much later than the others is out', () => {
  const { calls, look } = open(2)
  calls(0, 0, 50)
  calls(1, 0, 400)
  assert.deepEqual(look(), [undefined, 'slow'])
})

test('little is no outlier: few calls, small differences, and where all are bad', () => {
  const few = open(2)
  few.calls(0)
  few.calls(1, 4, 10, 10)
  assert.deepEqual(few.look(), [undefined, undefined])
  const quick = open(2)
  quick.calls(0, 0, 5)
  quick.calls(1, 0, 50)
  assert.deepEqual(quick.look(), [undefined, undefined])
  const bad = open(3)
  for (const at of [0, 1, 2]) bad.calls(at, 4, 900)
  assert.deepEqual(bad.look(), [undefined, undefined, undefined])
})

test('a share of the pool is out at most, the worst first, and never all of it', () => {
  const { calls, look } = open(4, 0.25)
  for (const at of [0, 1]) calls(at)
  calls(2, 3)
  calls(3, 4)
  assert.deepEqual(look(), [undefined, undefined, undefined, 'failing'])
  const alone = open(1, 0.9)
  alone.calls(0, 4)
  assert.deepEqual(alone.look(), [undefined])
})

test('what says nothing of the engine is not counted', () => {
  const { members, calls, look } = open(2)
  calls(0)
  calls(1)
  const rejected = fault('engine_rejected', { engine: 'e', reason: 'bad' })
  for (let n = 0; n < 64; n++) {
    members[1]?.begin('chat', { tokens: 1 })?.end('unknown')
    members[1]?.begin('chat', { tokens: 1 })?.end(rejected)
  }
  assert.deepEqual(look(), [undefined, undefined])
})
