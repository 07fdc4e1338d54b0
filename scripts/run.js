/** `node scripts/run.js <program.ts> [arguments]`: brings the set-up up to date, then runs a
 *  program of the project under Node 26. For the npm scripts, which must also work where npm runs
 *  no `pre` scripts. */
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { launch } from '../bin/launch.js'
import { setUp } from './setup.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [program, ...programArguments] = process.argv.slice(2)

if (program === undefined) {
  process.stderr.write('Say which program: node scripts/run.js tests/run.ts\n')
  process.exitCode = 2
} else if (await setUp({ buildConsole: true })) {
  process.exitCode = 1
} else {
  await launch({ root, entry: resolve(root, program), programArguments, ownProcess: true })
}
