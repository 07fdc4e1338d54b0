/** The parent's side of a group of test files: starts the process that runs them, collects what
 *  it tells, and keeps it from hanging. */
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Told } from './runner.ts'

export interface Skipped {
  readonly file: string
  readonly name: string
  readonly reason: string
}

export interface Failure {
  readonly file: string
  readonly name: string
  readonly detail: string
}

export interface GroupResult {
  readonly passed: number
  readonly failures: readonly Failure[]
  readonly skipped: readonly Skipped[]
  readonly durationMs: number
}

interface GroupOptions {
  readonly root: string
  readonly files: readonly string[]
  readonly namePattern?: string | undefined
  /** A process that tells nothing for this long hangs in a loop. */
  readonly silenceMsMax?: number
  /** Where failures are shown as they come. */
  readonly onFailure?: (failure: Failure) => void
}

/** A file that runs a contract suite holds the suite's tests, which Node tells under the file of the
 *  suite. */
function holdsTests(root: string, file: string, seen: ReadonlySet<string>): boolean {
  if (seen.has(file)) return true
  const source = readFileSync(join(root, file), 'utf8')
  const imported = [...source.matchAll(/from '(\.[^']*)'/g)].map(([, path = '']) => join(dirname(file), path))
  return imported.some((path) => seen.has(path))
}

/** Single tests may take two minutes (`runner.ts`), so this is longer. */
const SILENCE_MS_MAX = 150_000

interface Run extends GroupResult {
  /** What kept the process alive after its last test, as Node names it. */
  readonly leaked: readonly string[]
  readonly filesSeen: ReadonlySet<string>
  /** Every test had its turn. */
  readonly completed: boolean
}

export async function runGroup(options: GroupOptions): Promise<GroupResult> {
  const startedMs = performance.now()
  const { onFailure = print } = options
  const whole = await runFiles(options, onFailure)
  const failures = [...whole.failures]
  const add = (failure: Failure): void => {
    failures.push(failure)
    onFailure(failure)
  }
  const unseen =
    options.namePattern === undefined
      ? options.files.filter((file) => !holdsTests(options.root, file, whole.filesSeen))
      : []
  if (whole.completed) for (const file of unseen) add({ file, name: '(file)', detail: 'This file holds no test.' })
  else if (unseen.length > 0) add({ file: `${unseen.length} files`, name: '(not reached)', detail: unseen.join('\n') })
  if (whole.leaked.length > 0) for (const failure of await nameLeaks(options, whole.leaked)) add(failure)
  return { passed: whole.passed, failures, skipped: whole.skipped, durationMs: performance.now() - startedMs }
}

/** Finds out which files leave something open, by running each alone. */
async function nameLeaks(options: GroupOptions, leaked: readonly string[]): Promise<Failure[]> {
  const found: Failure[] = []
  for (const file of options.files) {
    const alone = options.files.length === 1 ? { leaked } : await runFiles({ ...options, files: [file] }, () => {})
    if (alone.leaked.length === 0) continue
    found.push({
      file,
      name: '(leak)',
      detail: `After its last test this file keeps the process alive: ${alone.leaked.join(', ')}.`,
    })
  }
  if (found.length > 0) return found
  return [
    {
      file: options.files.join(' '),
      name: '(leak)',
      detail: `Together these files keep the process alive: ${leaked.join(', ')}.`,
    },
  ]
}

function runFiles(
  { root, files, namePattern, silenceMsMax = SILENCE_MS_MAX }: GroupOptions,
  onFailure: (failure: Failure) => void,
): Promise<Run> {
  const startedMs = performance.now()
  const failures: Failure[] = []
  const skipped: Skipped[] = []
  const filesSeen = new Set<string>()
  let passed = 0
  let leaked: readonly string[] = []
  let current = 'loading the files'
  let ended = false
  let hung = false
  const fail = (failure: Failure): void => {
    failures.push(failure)
    onFailure(failure)
  }
  return new Promise((resolve) => {
    const child = fork(join(import.meta.dirname, 'runner.ts'), [root, namePattern ?? '', ...files], {
      env: cleanEnvironment(),
      execArgv: [],
    })
    const hangs = (): void => {
      fail({
        file: current,
        name: '(hang)',
        detail: `Nothing was heard for ${silenceMsMax / 1000} s; the last test begun was: ${current}.`,
      })
      hung = true
      child.kill('SIGKILL')
    }
    let silence = setTimeout(hangs, silenceMsMax)
    child.on('message', (message) => {
      const told = message as Told
      clearTimeout(silence)
      silence = setTimeout(hangs, silenceMsMax)
      if ('file' in told && told.kind !== 'begun') filesSeen.add(told.file)
      if (told.kind === 'begun') current = `${told.file}: ${told.name}`
      else if (told.kind === 'passed') passed++
      else if (told.kind === 'failed') fail(told)
      else if (told.kind === 'skipped') skipped.push(told)
      else if (told.kind === 'ended') {
        ended = true
        leaked = told.leaked
      }
    })
    child.on('exit', (code, signal) => {
      clearTimeout(silence)
      if (!ended && !hung)
        fail({
          file: current,
          name: '(process)',
          detail: `The test process ended with ${signal ?? `code ${code}`} at: ${current}.`,
        })
      resolve({
        passed,
        failures,
        skipped,
        leaked,
        filesSeen,
        completed: ended,
        durationMs: performance.now() - startedMs,
      })
    })
  })
}

/** The developer's own settings must not reach the tests. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('HEADWORKS_') || name.startsWith('HEADWORKS_TEST_'),
  )
  return { ...Object.fromEntries(kept), NODE_TEST_CONTEXT: undefined }
}

function print({ file, name, detail }: Failure): void {
  console.log(`\nFAILED  ${file}: ${name}\n${detail.replace(/^/gm, '    ')}\n`)
}
