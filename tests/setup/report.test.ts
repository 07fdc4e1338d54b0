import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeGroup, report } from '../report.ts'
import type { GroupResult } from '../supervise.ts'

const NOTHING: GroupResult = { passed: 0, failures: [], skipped: [], durationMs: 1234 }
const FAILED = { file: 'a.test.ts', name: 'adds', detail: 'Error' }
const SKIPPED = { file: 'b.test.ts', name: 'asks', reason: 'no Python' }
const say = (result: Partial<GroupResult>, allowSkips = true) =>
  report([{ ...NOTHING, ...result }, NOTHING], { durationMs: 5000, allowSkips })

test('the last line counts, and only a clean run passes', () => {
  assert.deepEqual(say({ passed: 3 }), { text: '\nTook 5.0 s.\n3 passed, 0 failed, 0 skipped', exitCode: 0 })
  const failed = say({ passed: 3, failures: [FAILED] })
  assert.equal(failed.exitCode, 1)
  assert.match(failed.text, /Failed:\n {2}a\.test\.ts: adds\n[^]*\n3 passed, 1 failed, 0 skipped$/)
})

test('what was skipped is listed with its reason, and fails in CI', () => {
  const skipped = say({ passed: 3, skipped: [SKIPPED] })
  assert.equal(skipped.exitCode, 0)
  assert.match(skipped.text, /Skipped:\n {2}b\.test\.ts: asks: no Python/)
  assert.equal(say({ passed: 3, skipped: [SKIPPED] }, false).exitCode, 1)
})

test('a run of no test fails', () => {
  assert.equal(say({}).exitCode, 1)
  assert.match(say({}).text, /No test ran/)
})

test('a group is one line', () =>
  assert.equal(
    describeGroup('unit', { ...NOTHING, passed: 2, failures: [FAILED] }),
    'unit       2 passed, 1 failed  1.2 s',
  ))
