/** Runs test files inside this process and tells the parent what happens. Started by
 *  `supervise.ts` with the root, a name pattern or '', and the files. */
import { isAbsolute, join, relative } from 'node:path'
import { run } from 'node:test'
import { inspect } from 'node:util'

export type Told =
  | { readonly kind: 'begun' | 'passed'; readonly file: string; readonly name: string }
  | { readonly kind: 'failed'; readonly file: string; readonly name: string; readonly detail: string }
  | { readonly kind: 'skipped'; readonly file: string; readonly name: string; readonly reason: string }
  | { readonly kind: 'ended'; readonly leaked: readonly string[] }

/** For one test; a slow one starts browsers or other programs. */
const TEST_MS_MAX = 120_000
/** How long the process may go on after its last test before that counts as a leak. */
const LINGER_MS_MAX = 3_000
/** Lines of an error shown. */
const DETAIL_LINES_MAX = 40

/** Taken before any test can replace it by a mock. */
const { setTimeout } = globalThis

const [root = '.', namePattern = '', ...files] = process.argv.slice(2)
const tell = (told: Told): void => void process.send?.(told)

/** Names of the tests around the one being told about, by depth. */
const around: string[] = []
let waiting = 0
let linger: NodeJS.Timeout | undefined

interface Event {
  readonly name: string
  readonly nesting: number
  readonly file?: string
  readonly skip?: string | boolean
  readonly todo?: string | boolean
  readonly details?: { readonly type?: string; readonly error?: Error }
}

const fileOf = (event: Event): string => (event.file === undefined ? '?' : relative(root, event.file))

const fullName = (event: Event): string => [...around.slice(0, event.nesting), shortName(event)].join(' > ')

const shortName = (event: Event): string => (isAbsolute(event.name) ? '(file)' : event.name)

function settled(event: Event, passed: boolean): void {
  const file = fileOf(event)
  const name = fullName(event)
  // A file that was loaded and held no test is told as a test named by its path.
  const isTest = event.details?.type !== 'suite' && !isAbsolute(event.name)
  const reason = event.skip ?? event.todo
  if (reason !== undefined && reason !== false)
    tell({ kind: 'skipped', file, name, reason: reason === true || reason === '' ? 'no reason given' : reason })
  else if (!passed && !isPassedOn(event)) tell({ kind: 'failed', file, name, detail: detailOf(event.details?.error) })
  else if (passed && isTest) tell({ kind: 'passed', file, name })
}

/** A parent that failed only because a child did; the child was told already. */
const isPassedOn = (event: Event): boolean =>
  (event.details?.error as { failureType?: string } | undefined)?.failureType === 'subtestsFailed'

function detailOf(error: Error | undefined): string {
  const cause = error?.cause ?? error
  const text = cause instanceof Error ? inspect(cause, { depth: 4 }) : inspect(cause)
  const lines = text.split('\n').filter((line) => !/node:internal/.test(line))
  return lines.slice(0, DETAIL_LINES_MAX).join('\n')
}

/** A leak keeps the event loop turning after the last test; then, and only then, this unreferenced
 *  timer fires. */
function watchForLeaks(): void {
  linger ??= setTimeout(() => {
    const leaked = process.getActiveResourcesInfo()
    tell({ kind: 'ended', leaked: leaked.length > 0 ? leaked : ['something Node does not name'] })
    process.disconnect?.()
    process.exit(1)
  }, LINGER_MS_MAX).unref()
}

const events = run({
  files: files.map((file) => join(root, file)),
  isolation: 'none',
  timeout: TEST_MS_MAX,
  ...(namePattern === '' ? {} : { testNamePatterns: [new RegExp(namePattern)] }),
})
events.on('test:enqueue', (event) => {
  if (event.nesting === 0) waiting++
})
events.on('test:dequeue', (event) => {
  if (event.nesting === 0) tell({ kind: 'begun', file: fileOf(event), name: event.name })
})
events.on('test:start', (event) => {
  around[event.nesting] = shortName(event)
})
events.on('test:pass', (event) => settled(event as Event, true))
events.on('test:fail', (event) => settled(event as Event, false))
events.on('test:complete', (event) => {
  if (event.nesting === 0 && --waiting === 0) watchForLeaks()
})
events.on('end', () => {
  clearTimeout(linger)
  tell({ kind: 'ended', leaked: [] })
})
events.resume()
