import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chaos } from './chaos.ts'
import { chaosPlot } from './chaos-plot.ts'

test('engines are killed, hung, poisoned and slowed, and answers come all the same, each of them whole', async () => {
  const result = await chaos({ actS: 2, perSecond: 25 })
  assert.equal(result.untrue, 0)
  const failed = result.seconds.reduce((sum, second) => sum + second.failed, 0)
  // How many are in time is the machine's affair; that they come is ours. A machine that has more to do
  // than it can lets some time out.
  assert.ok(failed <= 0.5 * 16 * 25, `${failed} failed`)
  assert.ok(result.amplification < 1.6, String(result.amplification))
  const plot = chaosPlot(result)
  assert.equal(plot.match(/<polyline/g)?.length, 4)
  assert.equal(plot.match(/one poisoned/g)?.length, 1)
  assert.doesNotMatch(plot, /NaN|undefined/)
})
