import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { chaos } from './chaos.ts'
import { chaosPlot } from './chaos-plot.ts'

const USAGE = `npm run drill:chaos -- [options]
  --act S         seconds of each of its eight acts (default 10)
  --rate N        requests a second (default 60)
  --out FILE      where the picture goes (default output/chaos.svg)
`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      act: { type: 'string', default: '10' },
      rate: { type: 'string', default: '60' },
      out: { type: 'string', default: 'output/chaos.svg' },
    },
  })
  const [actS, perSecond] = [Number(values.act), Number(values.rate)]
  if (!(actS > 0 && perSecond > 0)) {
    process.stderr.write(USAGE)
    return 2
  }
  const result = await chaos({ actS, perSecond, onAct: (act) => void process.stdout.write(`${act}\n`) })
  mkdirSync(dirname(values.out), { recursive: true })
  writeFileSync(values.out, chaosPlot(result))
  const sum = (of: 'inTime' | 'late' | 'failed'): number => result.seconds.reduce((all, second) => all + second[of], 0)
  process.stdout.write(
    `${sum('inTime')} answered in time, ${sum('late')} late, ${sum('failed')} failed: ${(result.goodput * 100).toFixed(2)} % in time\n` +
      `${result.amplification.toFixed(3)} calls of engines a request; ${result.untrue} answers untrue\n${values.out}\n`,
  )
  for (const [code, times] of Object.entries(result.failures)) process.stdout.write(`  ${code}: ${times}\n`)
  for (const [at, { name, fromS }] of result.acts.entries()) {
    const seconds = result.seconds.slice(Math.round(fromS), Math.round(result.acts[at + 1]?.fromS ?? Infinity))
    const [offered, inTime] = [seconds.map((one) => one.offered), seconds.map((one) => one.inTime)].map((counts) =>
      counts.reduce((all, one) => all + one, 0),
    )
    process.stdout.write(`  ${name}: ${inTime} of ${offered} in time\n`)
  }
  return result.untrue === 0 ? 0 : 1
}

process.exitCode = await main()
