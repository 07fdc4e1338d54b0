import type { Held, MountedSegment } from '../../store/index.ts'
import type { CollectionRow, IndexPart } from '../document.ts'
import { FULL_CHUNKS } from './tiers.ts'

/** What a collection is searched in, apart from what it is made of. A *segment* is made by one commit
 *  and holds truth: its chunks are numbered once and keep their rows. A *part* is made of segments
 *  for searching alone, in the background: building one moves no row, and losing one loses
 *  nothing. */

type Segment = CollectionRow['segments'][number]

/** Chunks of the largest parts: what an index builds at once. */
const PART_CHUNKS_MAX = 2_000_000
/** Items of about one size are merged once there are so many, so that a chunk is built into a part
 *  a few times in its life, and a search looks into a few dozen at most. */
const ALIKE_MAX = 8
/** Items below are all alike: making parts of them is cheap. */
const SMALL_CHUNKS = 32_768
/** Of so many chunks an index compares the vectors one by one. */
const COMPARED_CHUNKS = 4_096
/** Chunks that all searches together may compare so: as dear as searching one part or two. */
const COMPARED_CHUNKS_MAX = 24_576

/** What to mount: parts, and the segments that none holds. */
export function mountOf({ segments, parts = [] }: CollectionRow): MountedSegment[] {
  const present = new Map(segments.map((segment) => [segment.segment, segment]))
  const held = new Set(parts.flatMap(({ holds }) => holds.map(({ segment }) => segment)))
  return [
    ...parts.map(({ segment, holds }) => ({ segment, holds, removed: removedOf(holds, present) })),
    ...segments.filter(({ segment }) => !held.has(segment)).map(({ segment, removed }) => ({ segment, removed })),
  ]
}

/** What of a part was removed since it was built, in its own numbers. */
function removedOf(holds: readonly Held[], present: ReadonlyMap<string, Segment>): { first: number; count: number }[] {
  const removed: { first: number; count: number }[] = []
  let base = 0
  const add = (first: number, count: number): void => {
    const last = removed.at(-1)
    if (last !== undefined && last.first + last.count === first) last.count += count
    else removed.push({ first, count })
  }
  for (const { segment, first, count } of holds) {
    const now = present.get(segment)
    if (now === undefined) add(base, count)
    for (const gone of now?.removed ?? []) {
      const from = Math.max(first, gone.first)
      const to = Math.min(first + count, gone.first + gone.count)
      if (from < to) add(base + from - first, to - from)
    }
    base += count
  }
  return removed
}

/** The chunks of segments that answer, as runs. */
export function liveRuns(segments: readonly Segment[]): Held[] {
  return segments.flatMap(({ segment, chunks, removed }) => {
    const runs: Held[] = []
    let first = 0
    for (const gone of [...removed, { first: chunks, count: 0 }]) {
      if (gone.first > first) runs.push({ segment, first, count: gone.first - first })
      first = Math.max(first, gone.first + gone.count)
    }
    return runs
  })
}

/** Which segments to make one part of now; none where all is well. What they are in at present is
 *  given up. Small segments are left out: they are rewritten before (`tiers.ts`). */
export function partToBuild({ segments, parts = [], space }: CollectionRow, fullChunks = FULL_CHUNKS): Segment[] {
  const items = itemsOf(segments, parts).filter(({ chunks, built }) => built > 0 || chunks >= fullChunks / 2)
  // What is mostly removed takes memory and answers nothing.
  const hollow = items.find(({ chunks, built }) => chunks < built / 2)
  if (hollow !== undefined) return hollow.segments
  if (space !== undefined) {
    const compared = items.filter(({ chunks }) => chunks <= COMPARED_CHUNKS)
    if (compared.reduce((sum, { chunks }) => sum + chunks, 0) > COMPARED_CHUNKS_MAX) return fitting(compared)
  }
  for (let size = 0; ; size++) {
    const alike = items.filter(({ chunks }) => sizeOf(chunks) === size)
    if (alike.length > ALIKE_MAX) return fitting(alike)
    if (items.every(({ chunks }) => sizeOf(chunks) <= size)) return []
  }
}

/** Parts of which nothing answers any more. */
export function deadParts({ segments, parts = [] }: CollectionRow): IndexPart[] {
  const present = new Set(segments.map(({ segment }) => segment))
  return parts.filter(({ holds }) => !holds.some(({ segment }) => present.has(segment)))
}

interface Item {
  readonly segments: Segment[]
  /** That answer. */
  readonly chunks: number
  /** That were there when it was built; nothing for one segment, which is rewritten elsewhere. */
  readonly built: number
}

function itemsOf(segments: readonly Segment[], parts: readonly IndexPart[]): Item[] {
  const present = new Map(segments.map((segment) => [segment.segment, segment]))
  const sum = (runs: readonly Held[]): number => runs.reduce((total, { count }) => total + count, 0)
  const inParts = parts.map(({ chunks, holds }) => {
    const names = new Set(holds.map(({ segment }) => segment))
    const own = [...names].flatMap((name) => present.get(name) ?? [])
    return { segments: own, chunks: sum(liveRuns(own)), built: chunks }
  })
  const held = new Set(parts.flatMap(({ holds }) => holds.map(({ segment }) => segment)))
  const alone = segments.filter(({ segment }) => !held.has(segment))
  return [...inParts, ...alone.map((one) => ({ segments: [one], chunks: sum(liveRuns([one])), built: 0 }))]
}

/** 0 up to `SMALL_CHUNKS`, then one more for every factor of `ALIKE_MAX`. */
const sizeOf = (chunks: number): number =>
  chunks < SMALL_CHUNKS ? 0 : 1 + Math.floor(Math.log(chunks / SMALL_CHUNKS) / Math.log(ALIKE_MAX))

/** As many as fit one part: a large first reading is built once, not in steps. */
function fitting(items: readonly Item[]): Segment[] {
  const chosen: Segment[] = []
  let [chunks, count] = [0, 0]
  for (const item of items) {
    if (chunks + item.chunks > PART_CHUNKS_MAX) continue
    chosen.push(...item.segments)
    chunks += item.chunks
    count++
  }
  return count > 1 ? chosen : []
}
