/** Runs the benchmarks: every `*.bench.ts` under bench/ and src/ exports `name` and `run`. `--only
 *  <text>` takes those whose path or name contains it, `--json <file>` keeps the figures,
 *  `--effort 0.2` looks quickly. */
import { readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { machineLine, type Bench, type Result } from './harness.ts'
import { formatResult } from './table.ts'

const root = dirname(import.meta.dirname)
const USAGE = 'Usage: npm run bench -- [--only <text>] [--json <file>] [--effort <number>]'

function findBenches(): string[] {
  const folders = ['bench', 'src', 'sim'].map((folder) => join(root, folder))
  const entries = folders.flatMap((folder) => readdirSync(folder, { withFileTypes: true, recursive: true }))
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.bench.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort()
}

async function load(path: string): Promise<Bench> {
  const loaded: Partial<Bench> = await import(pathToFileURL(join(root, path)).href)
  const { name, run } = loaded
  if (typeof name !== 'string' || typeof run !== 'function') throw new Error(`${path} does not export name and run`)
  return { name, run }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      json: { type: 'string' },
      effort: { type: 'string', default: '1' },
    },
  })
  const effort = Number(values.effort)
  if (!(effort > 0)) {
    console.error(`--effort ${values.effort} is not a number above 0.\n${USAGE}`)
    return 2
  }
  const machine = machineLine()
  console.log(`${machine}\n`)
  const taken: { bench: string; path: string; results: readonly Result[] }[] = []
  for (const path of findBenches()) {
    const bench = await load(path)
    if (!path.includes(values.only) && !bench.name.includes(values.only)) continue
    console.log(`${bench.name} (${path})`)
    const results = await bench.run({ effort, print: (line) => console.log(line) })
    for (const result of results) console.log(`${formatResult(result)}\n`)
    taken.push({ bench: bench.name, path, results })
  }
  if (taken.length === 0) {
    console.error(`No benchmark matches "${values.only}".\n${USAGE}`)
    return 2
  }
  if (values.json !== undefined)
    writeFileSync(
      values.json,
      `${JSON.stringify({ at: new Date().toISOString(), machine, benches: taken }, null, 2)}\n`,
    )
  return 0
}

process.exitCode = await main()
