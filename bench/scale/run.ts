import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock as clock } from '../../src/base/clock.ts'
import { Analyzer } from '../../src/base/words.ts'
import { openFilesystemIndex } from '../../src/drivers/filesystem/index.ts'
import { loadZvec } from '../../src/drivers/zvec/binding.ts'
import { openZvecVectors } from '../../src/drivers/zvec/vectors.ts'
import { machineLine } from '../harness.ts'
import { type BuiltSegment, buildAll } from './build.ts'
import { Corpus } from './corpus.ts'
import { measure, type Row } from './measure.ts'
import { plotsOf } from './plot.ts'

/** Vector search at scale: `npm run bench:scale -- --vectors 10000000 --folder /large/disk`. A build
 *  goes on where it was stopped; an index that is built is measured. */
const { values } = parseArgs({
  options: {
    vectors: { type: 'string', default: '100000' },
    dimension: { type: 'string', default: '384' },
    threads: { type: 'string', default: '2' },
    folder: { type: 'string', default: '.headworks/scale' },
    /** What searches aim at, and further aims for a curve. */
    recall: { type: 'string', default: '0.95,0.9,0.98,0.99,0.995' },
    seconds: { type: 'string', default: '20' },
    rates: { type: 'string', default: '100,300,500,700,900,1100' },
    users: { type: 'string', default: '500' },
    /** Where the figures are kept; absent: they are only shown. */
    results: { type: 'string' },
  },
})
const numbers = (list: string): number[] => list.split(',').map(Number)
const [vectors, dimension, threads] = [Number(values.vectors), Number(values.dimension), Number(values.threads)]
const folder = join(values.folder, `${vectors}x${dimension}`)
const print = (line: string): void => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`)
const corpus = new Corpus(dimension)

const built = await build()
const rows: Row[] = [
  {
    what: 'build',
    vectors,
    dimension,
    wallMinutes: sum(({ wallMs }) => wallMs) / 60_000,
    cpuMinutes: sum(({ cpuMs }) => cpuMs) / 60_000,
    ofThatCorpusAndTruthMinutes: sum(({ corpusMs }) => corpusMs) / 60_000,
    peakMiB: Math.round(Math.max(...built.map(({ rssMaxBytes }) => rssMaxBytes)) / 2 ** 20),
    diskMiB: Math.round((await bytesIn(join(folder, 'index'))) / 2 ** 20),
  },
]
rows.push(
  ...(await measure({
    folder,
    corpus,
    built,
    aims: numbers(values.recall),
    seconds: Number(values.seconds),
    rates: numbers(values.rates),
    users: Number(values.users),
    print,
  })),
)
console.log(machineLine())
for (const { what, ...figures } of rows) console.log(what.padEnd(44), shown(figures))
if (values.results !== undefined) {
  await mkdir(values.results, { recursive: true })
  const result = { machine: machineLine(), command: process.argv.slice(2).join(' '), rows }
  const name = `vectors-${vectors}x${dimension}`
  await writeFile(join(values.results, `${name}.json`), `${JSON.stringify(result, undefined, 2)}\n`)
  for (const [what, svg] of Object.entries(plotsOf(rows)))
    await writeFile(join(values.results, `${name}-${what}.svg`), svg)
}

async function build(): Promise<BuiltSegment[]> {
  const zvec = loadZvec(threads)
  if (typeof zvec === 'string') throw new Error(`zvec cannot be used: ${zvec}`)
  const path = join(folder, 'index')
  const apart = openZvecVectors({ clock, folder: path, zvec, threads })
  const index = openFilesystemIndex(path, new Analyzer(), { apart })
  try {
    return await buildAll(index, corpus, vectors, folder, print)
  } finally {
    await index.close()
  }
}

function sum(of: (segment: BuiltSegment) => number): number {
  return built.reduce((total, one) => total + of(one), 0)
}

async function bytesIn(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size),
  )
  return sizes.reduce((total, size) => total + size, 0)
}

function shown(figures: { readonly [name: string]: string | number }): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? Number(value.toPrecision(4)) : value}`)
    .join(', ')
}
