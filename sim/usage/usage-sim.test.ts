import assert from 'node:assert/strict'
import { test } from 'node:test'
import { delay, falseAlarms, SUBJECTS, THRESHOLD } from './alarms.ts'
import { coverage } from './coverage.ts'
import { LOADS } from './loads.ts'

const RUNS = 40
/** Of 40 runs at 80 %, fewer than 24 inside come in one of 1,000 tries. */
const INSIDE_MIN = 24 / RUNS

/** A level that remembers its past for days is known to be covered less often (docs/usage.md). */
const COVERED = LOADS.filter(({ name }) => name !== 'wandering')

test('four of five totals lie where the forecast says, on loads that it was not made for', () => {
  for (const load of COVERED) {
    const { inside, widthMedian } = coverage(load, 28, 20, RUNS, 1)
    assert.ok(inside >= INSIDE_MIN, `${load.name}: ${inside}`)
    assert.ok(widthMedian < 0.9, `${load.name}: ${widthMedian}`)
  }
  const steady = LOADS.filter(({ name }) => name === 'steady' || name === 'bursts' || name === 'sparse')
  for (const load of steady) assert.ok(coverage(load, 8, 1, RUNS, 1).inside >= INSIDE_MIN, load.name)
})

test('false alarms stay within what the threshold promises, whatever the distribution', () => {
  const requests = 60_000
  let alarms = 0
  for (const { name, draw } of SUBJECTS) alarms += falseAlarms(name, draw, requests, 1).alarms
  // At most 3 are promised on average; 9 or more come in one of 250 tries.
  assert.ok(alarms <= (3 * (requests * SUBJECTS.length)) / THRESHOLD, `${alarms}`)
})

test('three times the tokens are seen within some dozens of requests, ten times within two dozen', () => {
  for (const { name, draw } of SUBJECTS) {
    const three = delay(name, draw, 3, 500, 20)
    const ten = delay(name, draw, 10, 500, 20)
    assert.deepEqual([three.missed, ten.missed], [0, 0], name)
    assert.ok(three.p50 <= 60 && ten.p50 <= 25, `${name}: ${three.p50}, ${ten.p50}`)
  }
})
