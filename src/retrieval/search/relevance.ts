import type { SearchAnswer } from '../search.ts'
import { RRF_K } from './fuse.ts'

/** Scores of one answer from 0 to 1, in the order of its passages, for callers who set a threshold.
 *  Put together by rank: the share of what the first of both legs would have. By score: the logistic of
 *  the mean of the z-scores, so that one half is a passage as good as the mean of what was looked at. By
 *  vector alone: the cosine. By words alone: the share of the best, since BM25 has no upper end. */
export function relevanceOf({ passages, fusion = 'none' }: SearchAnswer): number[] {
  const best = Math.max(...passages.map(({ score }) => score))
  return passages.map(({ score, legs }) => {
    if (fusion === 'rank') return (score * (RRF_K + 1)) / LEGS
    if (fusion === 'score') return 1 / (1 + Math.exp(-score / LEGS))
    return legs?.vector === undefined ? score / best : Math.max(0, Math.min(1, score))
  })
}

const LEGS = 2
