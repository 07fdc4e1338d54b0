import type { CollectionRow } from '../document.ts'

type Segment = CollectionRow['segments'][number]

/** Which segments are rewritten. Together with `parts.ts` this is one policy of two stages, so that neither
 *  undoes the other:
 *
 *  - A *small* segment, one in no part and of less than half of `fullChunks`, is rewritten with others of
 *    its kind until it is full. That moves truth, which is dear, so it is tiered by size (O'Neil and others
 *    1996, as size-tiered compaction): once `TIER_SEGMENTS` of one tier are there they are rewritten
 *    together with all smaller ones, so that every rewriting lifts a chunk by a tier at least.
 *  - A full segment is never rewritten. It is put into parts, which moves no truth.
 *  - A segment within a part is rewritten once fewer answer than a quarter of `fullChunks`: removals have
 *    paid for it, and the number of segments stays bounded by the chunks.
 *
 *  A chunk is rewritten once for each tier below full at most: four times, where nothing is removed; and of
 *  those small there are at most seven a tier. */

/** Chunks of a segment that is full: about what one batch of a first reading makes. */
export const FULL_CHUNKS = 4_096
/** Small segments of one tier that are too many, and how many times larger the next tier is. */
export const TIER_SEGMENTS = 8

/** Which segments to rewrite as one now; empty where all is well. */
export function segmentsToMerge({ segments, parts = [] }: CollectionRow, fullChunks = FULL_CHUNKS): Segment[] {
  const held = new Set(parts.flatMap(({ holds }) => holds.map(({ segment }) => segment)))
  const sized = segments.map((segment) => ({ segment, chunks: answering(segment), isHeld: held.has(segment.segment) }))
  const small = sized
    .filter(({ chunks, isHeld }) => chunks < (isHeld ? fullChunks / 4 : fullChunks / 2))
    .toSorted((a, b) => a.chunks - b.chunks)
  const tier = fullTier(small.map(({ chunks }) => chunks))
  if (tier < 0) {
    // What is mostly removed takes memory and answers nothing.
    const hollow = sized.find(
      ({ segment, chunks, isHeld }) => !isHeld && segment.chunks >= fullChunks && chunks < segment.chunks / 2,
    )
    return hollow === undefined ? [] : [hollow.segment]
  }
  const chosen: Segment[] = []
  let sum = 0
  for (const { segment, chunks } of small) {
    if (tierOf(chunks) > tier || (sum + chunks > fullChunks && chosen.length > 1)) break
    chosen.push(segment)
    sum += chunks
  }
  return chosen
}

/** Some of those that hold what was removed, as many as make one segment; empty where none does. */
export function segmentsToErase({ segments }: CollectionRow): Segment[] {
  const chosen: Segment[] = []
  let chunks = 0
  for (const segment of segments) {
    if (segment.removed.length === 0) continue
    chunks += answering(segment)
    if (chunks > FULL_CHUNKS && chosen.length > 0) break
    chosen.push(segment)
  }
  return chosen
}

/** Chunks of a segment that still answer. */
export const answering = ({ chunks, removed }: Segment): number =>
  chunks - removed.reduce((total, { count }) => total + count, 0)

const tierOf = (chunks: number): number => Math.floor(Math.log(Math.max(1, chunks)) / Math.log(TIER_SEGMENTS) + 1e-9)

/** The lowest that has too many, -1 where none has. */
function fullTier(sizes: readonly number[]): number {
  const counts: number[] = []
  for (const chunks of sizes) counts[tierOf(chunks)] = (counts[tierOf(chunks)] ?? 0) + 1
  return counts.findIndex((count) => count >= TIER_SEGMENTS)
}
