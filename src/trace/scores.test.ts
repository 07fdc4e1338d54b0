import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ScoreSample, scoresOf } from './scores.ts'

const said = (value: number | null, more: Partial<ScoreSample> = {}): ScoreSample => ({
  name: 'thumbs',
  value,
  label: '',
  model: 'chat',
  prompt: 'support@1',
  ...more,
})

const near = (found: number | null | undefined, wanted: number, within = 0.0005): void =>
  assert.ok(Math.abs((found ?? Number.NaN) - wanted) < within, `${found} is not ${wanted}`)

test('shares have Wilson’s interval, also where all or none agree', () => {
  const [group] = scoresOf([...Array(8).fill(said(1)), ...Array(2).fill(said(0))], ['model'])
  assert.deepEqual([group?.n, group?.values, group?.of, group?.estimate?.method], [10, 10, { model: 'chat' }, 'wilson'])
  // Newcombe 1998, method 3, for 8 of 10.
  near(group?.estimate?.mean, 0.8)
  near(group?.estimate?.low, 0.4902)
  near(group?.estimate?.high, 0.9433)
  const [none] = scoresOf(Array(10).fill(said(0)), [])
  assert.equal(none?.estimate?.low, 0)
  near(none?.estimate?.high, 0.2775)
})

test('means are drawn from again while they are few; one alone has no interval', () => {
  const values = [0.2, 0.4, 0.9, 0.6, 0.5, 0.7, 0.3, 0.8]
  const [group] = scoresOf(
    values.map((value) => said(value)),
    [],
  )
  assert.equal(group?.estimate?.method, 'bootstrap')
  near(group?.estimate?.mean, 0.55)
  // The normal interval is 0.38 to 0.72; drawing again gives the same within a resample or two.
  near(group?.estimate?.low, 0.39, 0.03)
  near(group?.estimate?.high, 0.71, 0.03)
  assert.deepEqual(
    scoresOf(
      values.map((value) => said(value)),
      [],
    ),
    [group],
  )
  assert.deepEqual(scoresOf([said(0.5)], [])[0]?.estimate, { mean: 0.5, low: null, high: null, method: 'none' })
  const many = Array.from({ length: 2_000 }, (_, at) => said(at / 1_999))
  assert.equal(scoresOf(many, [])[0]?.estimate?.method, 'normal')
})

test('groups are apart by name and what was asked for; categories have their shares', () => {
  const all = [
    said(1),
    said(0, { prompt: 'support@2' }),
    said(null, { name: 'tone', label: 'rude' }),
    said(null, { name: 'tone', label: 'kind' }),
    said(null, { name: 'tone', label: 'kind', model: 'other' }),
    said(null, { name: 'tone' }),
  ]
  const groups = scoresOf(all, ['prompt'])
  assert.deepEqual(
    groups.map(({ name, of, n, values }) => [name, of.prompt, n, values]),
    [
      ['thumbs', 'support@1', 1, 1],
      ['thumbs', 'support@2', 1, 1],
      ['tone', 'support@1', 4, 0],
    ],
  )
  const tone = groups[2]
  assert.equal(tone?.estimate, undefined)
  assert.deepEqual(
    tone?.labels.map(({ label, n }) => [label, n]),
    [
      ['kind', 2],
      ['rude', 1],
    ],
  )
  near(tone?.labels[0]?.share.mean, 2 / 3)
  assert.deepEqual(scoresOf([], ['model']), [])
})
