import { Refusal } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import type { CollectionRow } from '../retrieval/document.ts'
import type { Rows } from '../store/rows.ts'
import { findCollection, type OwnerOf } from './access.ts'
import { ok, type Route } from './router.ts'

/** What a collection answers from. */

export interface SegmentRouteDependencies {
  readonly rows: Rows
  readonly ownerOf: OwnerOf
}

export function segmentRoutes({ rows, ownerOf }: SegmentRouteDependencies): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/collections/{collection}/segments',
      summary:
        'The segments its live generation answers from, how many chunks each has and how many of them are removed, and the parts that many segments are searched in.',
      role: 'user',
      async answer({ params, principal }) {
        const found = await findCollection(rows, principal, params['collection'] ?? '', ownerOf)
        return found instanceof Refusal ? found : ok(shownSegments(found))
      },
    },
  ]
}

const shownSegments = ({ segments, parts = [] }: CollectionRow): JsonObject => ({
  segments: segments.map(({ segment, chunks, removed }) => ({
    segment,
    chunks,
    removed: removed.reduce((sum, { count }) => sum + count, 0),
  })),
  parts: parts.map(({ segment, chunks, holds }) => ({
    segment,
    chunks,
    segments: new Set(holds.map((held) => held.segment)).size,
  })),
})
