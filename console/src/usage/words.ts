import { BUCKETS, type Bucket, type Dimension, type UsageRow } from '../api/usage.ts'
import { formatCount, formatNanoUsd } from '../design/units.ts'
import type { Measure } from './address.ts'

/** Usage in words and figures. */

export const valueOf = (row: UsageRow, measure: Measure): number =>
  measure === 'cost' ? row.costNanoUsd : measure === 'tokens' ? tokensOf(row) : row.requests

export const tokensOf = ({ tokens }: Pick<UsageRow, 'tokens'>): number =>
  BUCKETS.reduce((sum, bucket) => sum + tokens[bucket], 0)

export const amountText = (value: number, measure: Measure): string =>
  measure === 'cost' ? formatNanoUsd(value) : formatCount(value)

/** What is known, and whether there is more whose size is unknown: never nothing for that. */
export function costText({
  costNanoUsd,
  unpriced,
  answered,
}: Pick<UsageRow, 'costNanoUsd' | 'unpriced' | 'answered'>): string {
  if (unpriced === 0) return answered === 0 && costNanoUsd === 0 ? '–' : formatNanoUsd(costNanoUsd)
  return costNanoUsd === 0 && unpriced >= answered ? 'unknown' : `${formatNanoUsd(costNanoUsd)} + unknown`
}

export const BUCKET_NAMES: { readonly [Name in Bucket]: string } = {
  inputTokens: 'In',
  cachedInputTokens: 'Cache read',
  cacheWrite5mTokens: 'Cache write 5 min',
  cacheWrite1hTokens: 'Cache write 1 h',
  audioInputTokens: 'Audio in',
  imageInputTokens: 'Images in',
  outputTokens: 'Out',
  reasoningTokens: 'Reasoning',
  audioOutputTokens: 'Audio out',
}

/** Those that are there always, and those that were used. */
export const bucketsOf = (rows: readonly UsageRow[]): Bucket[] =>
  BUCKETS.filter(
    (bucket) => bucket === 'inputTokens' || bucket === 'outputTokens' || rows.some(({ tokens }) => tokens[bucket] > 0),
  )

/** Of what nobody named. */
export const nobodyText = (dimension: Dimension): string => `no ${dimension}`
