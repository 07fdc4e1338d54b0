import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { Refusal } from '../../base/errors.ts'
import { seededRandom } from '../../base/random.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import { scanAll } from '../../store/rows.ts'
import { type Alert, type AlertInput, Alerts, OUTBOX } from './alerts.ts'

const input = (key: string, step = '1'): AlertInput => ({
  kind: 'budget_warning',
  subject: { budget: key },
  evidence: { n: 3 },
  key,
  step,
})

function open() {
  const clock = new ManualClock()
  const rows = new MemoryRows()
  const alerts = new Alerts({ clock, random: seededRandom(1), rows })
  const all = async (): Promise<Alert[]> => (await alerts.list({ limit: 1000, fits: () => true })).alerts
  const messages = async (): Promise<string[]> => {
    const found: string[] = []
    for await (const { row } of scanAll(rows, OUTBOX)) found.push(`${row.type} ${row.alert.key}`)
    return found
  }
  return { clock, rows, alerts, all, messages }
}

test('a matter has one open alert, told of again only at another step, and a new one once it was closed', async () => {
  const { clock, alerts, all, messages } = open()
  await alerts.raise(input('a'))
  clock.advance(5)
  await alerts.raise(input('a'))
  assert.deepEqual(await messages(), ['alert.raised a'])
  const [first] = await all()
  await alerts.acknowledge(first?.id ?? '', 'ops')
  clock.advance(5)
  await alerts.raise(input('a', '2'))
  const [further, ...others] = await all()
  assert.deepEqual(
    [further?.id, further?.times, further?.step, further?.acknowledged, others.length],
    [first?.id, 2, '2', undefined, 0],
  )
  clock.advance(5)
  await alerts.close('a', 'the month is over')
  await alerts.close('a', 'again')
  clock.advance(5)
  await alerts.raise(input('a'))
  assert.deepEqual(
    (await all()).map(({ closed }) => closed?.because),
    [undefined, 'the month is over'],
  )
  assert.deepEqual(await messages(), ['alert.raised a', 'alert.changed a', 'alert.closed a', 'alert.raised a'])
})

test('an alert is acknowledged once, and one that is not there cannot be', async () => {
  const { clock, alerts, all } = open()
  await alerts.raise(input('a'))
  const id = (await all())[0]?.id ?? ''
  const seen = await alerts.acknowledge(id, 'ann')
  clock.advance(5)
  assert.deepEqual(await alerts.acknowledge(id, 'ben'), seen)
  const unknown = await alerts.acknowledge('alr_no', 'ann')
  assert.equal(unknown instanceof Refusal && unknown.code, 'not_found')
})

test('the list is newest first, page by page', async () => {
  const { clock, alerts } = open()
  for (const key of ['a', 'b', 'c']) {
    await alerts.raise(input(key))
    clock.advance(5)
  }
  const fits = (): boolean => true
  const first = await alerts.list({ limit: 2, fits })
  const second = await alerts.list({ limit: 2, fits, before: first.next ?? '' })
  assert.deepEqual(
    [...first.alerts, ...second.alerts].map(({ key }) => key),
    ['c', 'b', 'a'],
  )
  assert.equal(second.next, undefined)
})

test('raced and cut up as you like, a matter never has two open alerts, and every change one message', async () => {
  const step = fc.record({ key: fc.constantFrom('a', 'b'), step: fc.constantFrom('1', '2', 'close') })
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 6 }), async (rounds) => {
      const { clock, rows, alerts, all, messages } = open()
      for (const round of rounds) {
        const draft = alerts.draft()
        for (const { key, step: to } of round) {
          if (to === 'close') await draft.close(key, 'over')
          else await draft.raise(input(key, to))
          clock.advance(1)
        }
        const rival = round[0] === undefined ? undefined : alerts.raise(input(round[0].key, 'rival'))
        await rows.commit(draft.changes())
        await rival
      }
      const open_ = (await all()).filter(({ closed }) => closed === undefined).map(({ key }) => key)
      assert.equal(new Set(open_).size, open_.length)
      const told = await messages()
      for (const key of ['a', 'b']) {
        const raised = told.filter((one) => one === `alert.raised ${key}`).length
        const closed = told.filter((one) => one === `alert.closed ${key}`).length
        assert.equal(raised - closed, open_.filter((one) => one === key).length)
        assert.equal((await all()).filter((one) => one.key === key).length, raised)
      }
    }),
    { numRuns: 100 },
  )
})
