/** Compiles the program to `dist/`, which the published package runs: Node strips no types under
 *  node_modules. The console is built by the set-up, which has run before this. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)
const target = join(root, 'dist')
/** Built beside and moved, so that a failed build leaves the last one in place. */
const fresh = join(root, 'dist.next')

function compile(): boolean {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  return (
    spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' }).status === 0
  )
}

/** Whatever the sources read at run time: catalogues, prompts, SQL. */
function copyData(): void {
  for (const entry of readdirSync(join(root, 'src'), { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || /\.(ts|md)$/.test(entry.name)) continue
    const path = join(entry.parentPath, entry.name)
    cpSync(path, join(fresh, path.slice(join(root, 'src').length)))
  }
}

function main(): number {
  rmSync(fresh, { recursive: true, force: true })
  if (!compile()) return 1
  copyData()
  if (!existsSync(join(fresh, 'main.js'))) {
    console.error('There is no src/main.ts to build.')
    return 1
  }
  if (!existsSync(join(root, 'console', 'dist', 'index.html'))) {
    console.error('The console is not built; run `npm run setup`.')
    return 1
  }
  rmSync(target, { recursive: true, force: true })
  renameSync(fresh, target)
  return 0
}

process.exitCode = main()
