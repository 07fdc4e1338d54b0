#!/usr/bin/env node
/** The command `headworks`, for any Node from 20 on. In a checkout it runs the sources and keeps
 *  the set-up fresh (npm's own `prestart` does not run where scripts are switched off); installed
 *  as a package it runs the compiled program. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { launch } from './launch.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const programArguments = process.argv.slice(2)
const sources = join(root, 'src', 'main.ts')
const compiled = join(root, 'dist', 'main.js')

if (existsSync(sources)) {
  const { setUp } = await import('../scripts/setup.js')
  const failed = await setUp({ buildConsole: programArguments[0] === 'up' })
  if (failed) process.exitCode = 1
  else await launch({ root, entry: sources, programArguments })
} else if (existsSync(compiled)) {
  await launch({ root, entry: compiled, programArguments })
} else {
  process.stderr.write(
    `There is no program in ${root}: neither src/main.ts nor dist/main.js. Install Headworks again.\n`,
  )
  process.exitCode = 1
}
