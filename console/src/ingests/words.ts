import type { Run, Skipped } from '../api/ingests.ts'
import { formatCount } from '../design/units.ts'

/** Runs in words and shares. */

export const isOver = ({ state }: Run): boolean => state !== 'waiting' && state !== 'running'

/** What became of the files that were found, in this order; of each its share of them. */
export const OUTCOMES = ['read', 'unchanged', 'skipped'] as const
export type Outcome = (typeof OUTCOMES)[number]

/** What is done of what was found, 0 to 1; undefined while nobody knows how much there is. */
export function doneOf(run: Run): number | undefined {
  const { found, read, unchanged, skipped } = run.files
  if (run.state === 'done') return 1
  // Sources that are read as they are listed pass what they found so far.
  return found === 0 ? undefined : Math.min(1, (read + unchanged + skipped) / found)
}

/** Shares of the bar's length. */
export function sharesOf({ files }: Run): { readonly [O in Outcome]: number } {
  const whole = Math.max(files.found, files.read + files.unchanged + files.skipped, 1)
  return { read: files.read / whole, unchanged: files.unchanged / whole, skipped: files.skipped / whole }
}

/** `12 read, 3 unchanged, 1 skipped`: what there is none of is left out. */
export function countsText({ files }: Run): string {
  const counts = [
    [files.read, 'read'],
    [files.unchanged, 'unchanged'],
    [files.skipped, 'failed'],
    [files.removed, 'removed'],
    [files.ignored, 'ignored'],
  ] as const
  const told = counts.filter(([count]) => count > 0).map(([count, what]) => `${formatCount(count)} ${what}`)
  return told.length === 0 ? 'nothing yet' : told.join(', ')
}

export interface Reason {
  readonly code: string
  readonly skipped: readonly Skipped[]
}

/** The most frequent first. */
export function reasonsOf(skipped: readonly Skipped[]): Reason[] {
  const reasons = new Map<string, Skipped[]>()
  for (const one of skipped) reasons.set(one.code, [...(reasons.get(one.code) ?? []), one])
  return [...reasons]
    .map(([code, all]) => ({ code, skipped: all }))
    .toSorted((a, b) => b.skipped.length - a.skipped.length)
}

export const toneOf = ({ state, files }: Run): 'good' | 'caution' | 'danger' | undefined => {
  if (state === 'failed') return 'danger'
  if (state === 'done') return files.skipped > 0 ? 'caution' : 'good'
  return undefined
}

export function stateText(run: Run): string {
  if (run.state === 'done' && run.files.skipped > 0) return 'done, with failures'
  return run.state
}
