import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom, uniform } from '../../base/random.ts'
import { observe, UNWATCHED, type Verdict, type Watched } from './detector.ts'
import { bounded, NOTHING, rankOf, ratioAt, without, withValue } from './history.ts'
import { normalQuantile } from './normal.ts'
import { countOf, type Sketch } from '../../trace/sketch.ts'

const THRESHOLD = 100_000
const HOUR_MS = 3_600_000

/** Feeds values, one an hour, and keeps what is said, with the number of the request. */
function feed(values: readonly number[], from: Watched = UNWATCHED, first = 0) {
  const lot = seededRandom(9)
  let watched = from
  const said: { at: number; verdict: Verdict }[] = []
  for (const [i, value] of values.entries()) {
    const at = first + i
    const next = observe(watched, { value, atMs: at * HOUR_MS, requestId: `req_${at}` }, THRESHOLD, lot)
    // As it is kept between two commits.
    watched = JSON.parse(JSON.stringify(next.watched)) as Watched
    assert.deepEqual(watched, next.watched)
    if (next.verdict !== undefined) said.push({ at, verdict: next.verdict })
  }
  return { watched, said }
}

const draw = seededRandom(4)
const about = (middle: number, count: number): number[] =>
  Array.from({ length: count }, () => Math.round(middle * (0.5 + uniform(draw))))
const heard = ({ said }: ReturnType<typeof feed>): string[] => said.map(({ verdict }) => verdict.is)

test('a change that lasts a week is how it is now, and is its own history from then on', () => {
  const week = 7 * 24
  const changed = feed([...about(400, 200), ...about(1600, week + 60)])
  assert.deepEqual(heard(changed), ['departed', 'accepted'])
  const at = changed.said[1]?.at ?? 0
  assert.ok(at > 200 + week && at < 200 + week + 30, `${at}`)
  assert.deepEqual(heard(feed(about(1600, 300), changed.watched, at)), [])
  assert.deepEqual(heard(feed(about(400, 100), changed.watched, at)), ['departed'])
})

test('what was free and costs something now has departed, without a number for the ratio', () => {
  const { said } = feed([...about(0, 100), ...about(5000, 30)])
  const verdict = said[0]?.verdict
  assert.ok(verdict?.is === 'departed')
  assert.deepEqual([verdict.evidence.before.p50, verdict.evidence.ratio.p50.value], [0, null])
})

test('a change that is certain and small is none', () => {
  assert.deepEqual(heard(feed([...about(400, 500), ...about(460, 3000)])), [])
})

test('nothing is said before there is a history', () => {
  assert.deepEqual(heard(feed([...about(400, 20), ...about(40_000, 29)])), [])
})

test('less is a departure like more', () => {
  const { said } = feed([...about(4000, 200), ...about(400, 60)])
  const verdict = said[0]?.verdict
  assert.ok(verdict?.is === 'departed')
  assert.ok((verdict.evidence.ratio.p50.high ?? verdict.evidence.ratio.p95.high ?? 1) < 0.8)
})

test('ranks are uniform whatever the distribution, equal values included', () => {
  const random = seededRandom(1)
  for (const value of [() => 7, () => Math.floor(uniform(random) * 3), () => (1 - uniform(random)) ** -2]) {
    let history: Sketch = NOTHING
    const tenths = Array.from({ length: 10 }, () => 0)
    for (let i = 0; i < 5000; i++) {
      const one = value()
      const rank = rankOf(history, one, random)
      assert.ok(rank > 0 && rank < 1)
      tenths[Math.floor(rank * 10)] = (tenths[Math.floor(rank * 10)] ?? 0) + 1
      history = withValue(history, one)
    }
    // Chi-squared with nine degrees of freedom: above 33.7 in one of 10,000 tries.
    const chi = tenths.reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0)
    assert.ok(chi < 33.7, `${chi}`)
  }
})

test('a history stays bounded and keeps its shape; a part of it can be taken out again', () => {
  const random = seededRandom(2)
  const values = about(1000, 12_000)
  const whole = values.reduce(withValue, NOTHING)
  const half = bounded(whole, random)
  assert.ok(countOf(half) > 5_700 && countOf(half) < 6_300, `${countOf(half)}`)
  const { value } = ratioAt(0.5, whole, half)
  assert.ok(value !== null && value > 0.9 && value < 1.1)
  const part = about(3, 10).reduce(withValue, NOTHING)
  assert.deepEqual(without([...about(3, 0)].reduce(withValue, part), part), NOTHING)
})

test('the interval of a ratio holds it in at least 95 of 100 cases', () => {
  const random = seededRandom(3)
  const sample = (count: number, scale: number): Sketch =>
    Array.from({ length: count }, () => scale * Math.exp(3 * uniform(random))).reduce(withValue, NOTHING)
  for (const [before, after] of [
    [100, 9],
    [60, 30],
    [500, 200],
  ] as const) {
    for (const q of [0.5, 0.95]) {
      let held = 0
      for (let run = 0; run < 400; run++) {
        const { low, high } = ratioAt(q, sample(before, 100), sample(after, 300))
        // A bucket is 10 % wide.
        if ((low ?? 0) <= 3 * 1.06 && (high ?? Infinity) >= 3 / 1.06) held++
      }
      assert.ok(held >= 0.94 * 400, `${before} ${after} ${q}: ${held}`)
    }
  }
})

test('normal quantiles are those of the tables', () => {
  for (const [p, z] of [
    [0.5, 0],
    [0.975, 1.959963984540054],
    [0.001, -3.090232306167813],
    [1e-9, -5.997807015008182],
  ] as const)
    assert.ok(Math.abs(normalQuantile(p) - z) < 1e-7, `${p}`)
})
