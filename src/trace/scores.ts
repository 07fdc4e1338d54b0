import { seededRandom, uniforms } from '../base/random.ts'
import { intervalOfMean } from '../base/statistics.ts'

/** Scores added up, with their doubt: few thumbs say little, and the interval shows how little. */

export interface ScoreSample {
  readonly name: string
  readonly value: number | null
  readonly label: string
  readonly model: string
  /** `name@version`; '' where none was named. */
  readonly prompt: string
}

export type ScoreDimension = 'model' | 'prompt'

export interface Estimate {
  readonly mean: number
  /** Of 95 %; null where one value alone says nothing of the others. */
  readonly low: number | null
  readonly high: number | null
  readonly method: 'wilson' | 'bootstrap' | 'normal' | 'none'
}

export interface ScoreGroup {
  readonly name: string
  readonly of: { readonly [Name in ScoreDimension]?: string }
  /** All that was said under this name. */
  readonly n: number
  /** Of those with a value, how many they are and what they come to. */
  readonly values: number
  readonly estimate: Estimate | undefined
  /** Of those with a label, the commonest first: its share among them. */
  readonly labels: readonly { readonly label: string; readonly n: number; readonly share: Estimate }[]
}

const LABELS_MAX = 20
/** Up to so many values are drawn from again; of more the normal approximation is as good. */
const BOOTSTRAP_VALUES_MAX = 500
const RESAMPLES = 1_000
const Z95 = 1.959964

export function scoresOf(samples: Iterable<ScoreSample>, by: readonly ScoreDimension[]): ScoreGroup[] {
  const groups = new Map<string, ScoreSample[]>()
  for (const sample of samples) {
    const key = JSON.stringify([sample.name, ...by.map((name) => sample[name])])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [sample])
    else group.push(sample)
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, all]) => {
      const [first] = all
      if (first === undefined) return []
      const of = Object.fromEntries(by.map((name) => [name, first[name]]))
      const values = all.flatMap(({ value }) => value ?? [])
      return [
        {
          name: first.name,
          of,
          n: all.length,
          values: values.length,
          estimate: estimateOf(values),
          labels: labelsOf(all),
        },
      ]
    })
}

function labelsOf(all: readonly ScoreSample[]): ScoreGroup['labels'] {
  const counts = new Map<string, number>()
  for (const { label } of all) if (label !== '') counts.set(label, (counts.get(label) ?? 0) + 1)
  const total = [...counts.values()].reduce((sum, n) => sum + n, 0)
  return [...counts]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, LABELS_MAX)
    .map(([label, n]) => ({ label, n, share: wilson(n, total) }))
}

function estimateOf(values: readonly number[]): Estimate | undefined {
  const n = values.length
  if (n === 0) return undefined
  if (values.every((value) => value === 0 || value === 1))
    return wilson(values.filter((value) => value === 1).length, n)
  const { mean, halfWidth } = intervalOfMean(values)
  if (n === 1) return { mean, low: null, high: null, method: 'none' }
  if (n > BOOTSTRAP_VALUES_MAX) return { mean, low: mean - halfWidth, high: mean + halfWidth, method: 'normal' }
  return { mean, ...bootstrap(values), method: 'bootstrap' }
}

/** The score interval of a share: Wilson 1927, which holds for few and for none as well. */
function wilson(hits: number, n: number): Estimate {
  const share = hits / n
  const z2 = Z95 * Z95
  const middle = (share + z2 / (2 * n)) / (1 + z2 / n)
  const half = (Z95 / (1 + z2 / n)) * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n * n))
  return { mean: share, low: Math.max(0, middle - half), high: Math.min(1, middle + half), method: 'wilson' }
}

/** The percentile interval of the mean: Efron 1979. Seeded, so that a page reads the same twice. */
function bootstrap(values: readonly number[]): { readonly low: number; readonly high: number } {
  const n = values.length
  const random = seededRandom(n)
  const means = new Float64Array(RESAMPLES)
  for (let at = 0; at < RESAMPLES; at++) {
    let sum = 0
    for (const part of uniforms(random, n)) sum += values[Math.floor(part * n)] ?? 0
    means[at] = sum / n
  }
  means.sort()
  return { low: means[Math.floor(RESAMPLES * 0.025)] ?? 0, high: means[Math.ceil(RESAMPLES * 0.975) - 1] ?? 0 }
}
