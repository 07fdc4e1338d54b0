import { parseArgs } from 'node:util'
import { delay, falseAlarms, SUBJECTS, THRESHOLD } from './alarms.ts'
import { coverage, wilson } from './coverage.ts'
import { LOADS } from './loads.ts'

/** `npm run sim:usage -- [--runs N] [--seed S]`: how often forecasts of usage hold, and how often and
 *  how fast the watch for anomalies speaks up, on made-up loads. */

const { values } = parseArgs({ options: { runs: { type: 'string' }, seed: { type: 'string' } } })
const runs = Number(values.runs ?? 200)
const seed = Number(values.seed ?? 1)
if (!Number.isSafeInteger(runs) || runs < 1 || !Number.isSafeInteger(seed) || seed < 0) {
  console.error('Usage: npm run sim:usage -- [--runs N] [--seed S]')
  process.exit(2)
}

const percent = (share: number): string => `${(share * 100).toFixed(0).padStart(3)} %`
const range = ([low, high]: readonly [number, number]): string => `[${percent(low)}, ${percent(high)}]`

console.log(`Forecasts: how often the total lies between p10 and p90 (80 % is right), n ${runs} each\n`)
console.log('load                 history  ahead  inside             below  above  width, median')
for (const [historyDays, aheadDays] of [
  [8, 1],
  [14, 7],
  [21, 14],
  [28, 20],
] as const) {
  for (const load of LOADS) {
    const { inside, interval, below, above, widthMedian } = coverage(load, historyDays, aheadDays, runs, seed)
    console.log(
      `${load.name.padEnd(20)} ${`${historyDays} d`.padStart(7)} ${`${aheadDays} d`.padStart(6)}  ${percent(inside)} ${range(interval)}  ${percent(below)}  ${percent(above)}  ${percent(widthMedian)}`,
    )
  }
}

const requests = 500 * runs
console.log(`\nFalse alarms: promised at most one in ${THRESHOLD} requests; n ${requests} each\n`)
let alarms = 0
for (const { name, draw } of SUBJECTS) {
  const found = falseAlarms(name, draw, requests, seed)
  alarms += found.alarms
  console.log(`${name.padEnd(24)} ${found.alarms}`)
}
const all = requests * SUBJECTS.length
const [low, high] = wilson(alarms, all)
console.log(
  `all: ${alarms} in ${all}; at most one in ${Math.round(1 / high)}${low > 0 ? `, at least one in ${Math.round(1 / low)}` : ''} (95 %).`,
)
console.log(
  `For a subject of 1,000 requests a day: ${((alarms / all) * 1000).toFixed(5)} a day [${(low * 1000).toFixed(5)}, ${(high * 1000).toFixed(5)}].`,
)

console.log('\nRequests until an alarm, p50 / p95, of those that came within 3,000\n')
console.log('subject                  history  factor  p50 / p95     missed, n')
for (const historyCount of [200, 1000]) {
  for (const { name, draw } of SUBJECTS) {
    for (const factor of [1.5, 2, 3, 10, 1 / 3]) {
      const found = delay(name, draw, factor, historyCount, Math.max(20, Math.round(runs / 4)))
      console.log(
        `${name.padEnd(24)} ${String(historyCount).padStart(7)}  ${`x${factor.toFixed(2)}`.padStart(6)}  ${`${found.p50} / ${found.p95}`.padEnd(12)}  ${found.missed} of ${found.n}`,
      )
    }
  }
}
