/** Runs every test of the project and says in one line how it went. Groups run in order, each in
 *  a process of its own; within a group the files share that process (150 small files: 0.5 CPU
 *  seconds instead of 16). `--only <pattern>` takes the files whose path contains the pattern, or,
 *  when there is none, the tests whose name matches it. */
import { readdirSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { parseArgs } from 'node:util'
import { describeGroup, report } from './report.ts'
import { runGroup, type GroupResult } from './supervise.ts'

const root = dirname(import.meta.dirname)

interface Group {
  readonly name: string
  readonly files: readonly string[]
}

const NOT_SEARCHED = new Set(['node_modules', 'dist', '.git', '.headworks'])

function findTests(folder: string): string[] {
  const found: string[] = []
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory() && !NOT_SEARCHED.has(entry.name)) found.push(...findTests(join(folder, entry.name)))
    else if (entry.isFile() && entry.name.endsWith('.test.ts')) found.push(relative(root, join(folder, entry.name)))
  }
  return found.sort()
}

/** Guards first, for they are quick and explain much; then what shares a process; then each folder
 *  and file of tests/, which start processes, browsers and clients. */
function groupOf(file: string): string {
  const [top = '', second = '', ...deeper] = file.split(sep)
  if (top === 'sim') return 'sim'
  if (top === 'tests') return deeper.length > 0 ? second : second.replace('.test.ts', '')
  return 'unit'
}

function arrange(files: readonly string[]): Group[] {
  const names = new Set(['guards', 'unit', 'sim', ...files.map(groupOf)])
  const groups = [...names].map((name) => ({ name, files: files.filter((file) => groupOf(file) === name) }))
  return groups.filter((group) => group.files.length > 0)
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { only: { type: 'string' } } })
  const all = findTests(root)
  const chosen = values.only === undefined ? all : all.filter((file) => file.includes(values.only ?? ''))
  const namePattern = values.only !== undefined && chosen.length === 0 ? values.only : undefined
  const groups = arrange(namePattern === undefined ? chosen : all)
  const startedMs = performance.now()
  const results: GroupResult[] = []
  for (const { name, files } of groups) {
    const result = await runGroup({ root, files, namePattern })
    results.push(result)
    console.log(describeGroup(name, result))
  }
  const { text, exitCode } = report(results, {
    durationMs: performance.now() - startedMs,
    allowSkips: process.env['CI'] !== 'true',
  })
  console.log(text)
  return exitCode
}

process.exitCode = await main()
