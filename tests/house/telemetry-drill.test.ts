import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drill } from './telemetry-drill.ts'

test('no acknowledged span is lost or kept twice while the house that takes them is killed', async (t) => {
  const { kills, acknowledged, repeated, lost, twice, strange, spansPerSecond } = await drill({
    seconds: 8,
    killEverySeconds: 2,
    senders: 4,
  })
  assert.deepEqual({ lost, twice, strange }, { lost: 0, twice: 0, strange: 0 })
  assert.ok(
    kills > 1 && acknowledged > 5_000 && repeated > 0,
    `${kills} kills, ${acknowledged} spans, ${repeated} repeated`,
  )
  t.diagnostic(`${kills} kills, ${acknowledged} spans acknowledged, ${spansPerSecond}/s, ${repeated} batches repeated`)
})
