/** What `npm test` says at the end, and whether it passed. */
import type { GroupResult } from './supervise.ts'

const inSeconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

export function describeGroup(name: string, { passed, failures, skipped, durationMs }: GroupResult): string {
  const parts = [`${passed} passed`]
  if (failures.length > 0) parts.push(`${failures.length} failed`)
  if (skipped.length > 0) parts.push(`${skipped.length} skipped`)
  return `${name.padEnd(10)} ${parts.join(', ')}  ${inSeconds(durationMs)}`
}

interface ReportOptions {
  readonly durationMs: number
  /** On a developer's machine something may be missing; in CI nothing may. */
  readonly allowSkips: boolean
}

export function report(
  results: readonly GroupResult[],
  { durationMs, allowSkips }: ReportOptions,
): { readonly text: string; readonly exitCode: number } {
  const passed = results.reduce((sum, result) => sum + result.passed, 0)
  const failures = results.flatMap((result) => result.failures)
  const skipped = results.flatMap((result) => result.skipped)
  const lines: string[] = []
  if (skipped.length > 0)
    lines.push('', 'Skipped:', ...skipped.map(({ file, name, reason }) => `  ${file}: ${name}: ${reason}`))
  if (failures.length > 0) lines.push('', 'Failed:', ...failures.map(({ file, name }) => `  ${file}: ${name}`))
  const skipsFail = skipped.length > 0 && !allowSkips
  if (skipsFail)
    lines.push('', 'With CI=true nothing may be skipped: the machine has to bring what the tests above need.')
  if (passed + failures.length === 0) lines.push('', 'No test ran. Check the pattern after --only.')
  lines.push(
    '',
    `Took ${inSeconds(durationMs)}.`,
    `${passed} passed, ${failures.length} failed, ${skipped.length} skipped`,
  )
  return { text: lines.join('\n'), exitCode: failures.length > 0 || skipsFail || passed === 0 ? 1 : 0 }
}
