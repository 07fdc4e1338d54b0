import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemClock } from '../src/base/clock.ts'
import { wilson } from '../src/retrieval/recall/interval.ts'
import { PII_KINDS } from '../src/config/pii-kinds.ts'
import { type Detector, findIn, WINDOW_CHARS_MAX } from '../src/guard/guardrails/finding.ts'
import { suspicionOf } from '../src/guard/guardrails/injection.ts'
import { piiDetector } from '../src/guard/guardrails/pii.ts'
import { secretDetector } from '../src/guard/guardrails/secrets.ts'
import { ATTACKS } from './attacks.ts'
import { type Bench, type BenchOptions, compare, type Figure, type Result } from './harness.ts'

/** What guards cost beside parsing the same text as JSON, and what they find: attacks of a list that was not
 *  used to make them, and what they take amiss in this project's handbook and sources. */

export const name: Bench['name'] = 'guards'

const ROUNDS = 15
const SCORES_MIN = [0.4, 0.5, 0.7]
const root = dirname(import.meta.dirname)

const filesOf = (folder: string, ending: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending) && !entry.name.includes('.test.'))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))

export async function run({ effort }: BenchOptions): Promise<readonly Result[]> {
  const rounds = Math.max(3, Math.round(ROUNDS * effort))
  const texts = [...filesOf('docs', '.md'), ...filesOf('src', '.ts')]
  const windows = texts.flatMap(windowsOf)
  const kib = windows.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1024
  const bodies = windows.map((text) => JSON.stringify({ text }))
  const reference = { name: 'JSON.parse', run: () => bodies.forEach((body) => void JSON.parse(body)) }
  const finding = (detector: Detector) => () =>
    windows.forEach((text) => void findIn(detector, text, systemClock, Infinity))
  const subjects = [
    { name: 'pii', run: finding(piiDetector(PII_KINDS)) },
    { name: 'secrets', run: finding(secretDetector()) },
    { name: 'injection', run: () => windows.forEach((text) => void suspicionOf(text)) },
  ]
  const results: Result[] = []
  for (const subject of subjects)
    results.push(await compare({ name: `${subject.name}, one KiB`, subject, reference, rounds, operations: kib }))
  return [...results, ...found(windows)]
}

function found(windows: readonly string[]): Figure[] {
  const amiss = (detector: Detector): number => windows.filter((text) => detector.find(text).length > 0).length
  const suspicious = (texts: readonly string[], least: number): number =>
    texts.filter((text) => suspicionOf(text).score >= least).length
  const doubts = SCORES_MIN.flatMap((least) => [
    share(`attacks found from a score of ${least}`, suspicious(ATTACKS, least), ATTACKS.length),
    share(`handbook and sources taken for attacks, likewise`, suspicious(windows, least), windows.length),
  ])
  return [
    ...doubts,
    share('in which personal data is found', amiss(piiDetector(PII_KINDS)), windows.length),
    share('in which secrets are found', amiss(secretDetector()), windows.length),
  ]
}

function share(what: string, of: number, n: number): Figure {
  const { low, high } = wilson(of / n, n)
  return { kind: 'figure', name: what, unit: '%', value: (100 * of) / n, n, min: 100 * low, max: 100 * high }
}

function windowsOf(text: string): string[] {
  const windows: string[] = []
  for (let from = 0; from < text.length; from += WINDOW_CHARS_MAX)
    windows.push(text.slice(from, from + WINDOW_CHARS_MAX))
  return windows
}
