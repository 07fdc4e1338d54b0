import { getAll, type Rows } from '../../store/rows.ts'
import { estimateTokens } from '../../parse/chunk.ts'
import { chunkKey, CHUNKS, type ChunkRow, type DocumentRow } from '../document.ts'

/** A chunk that was found, made larger by its neighbours: those before and after it under the same
 *  headings, as far as they fit. */

export interface Placed {
  readonly document: DocumentRow
  readonly segment: string
  readonly chunk: number
  readonly row: ChunkRow
}

/** Neighbours looked at on either side. */
const NEIGHBOURS_MAX = 8

/** `count` of them, best first, each of at most `tokensMax` tokens by the chunker's estimate, or of
 *  its own length where that is more. No chunk is in two: one that a better one took is not told
 *  again. */
export async function expandToSections<Item extends Placed>(
  rows: Rows,
  items: readonly Item[],
  tokensMax: number,
  count: number,
): Promise<Item[]> {
  const neighbours = await readNeighbours(rows, items)
  const taken = new Set<string>()
  const expanded: Item[] = []
  for (const item of items) {
    if (expanded.length === count) break
    if (taken.has(placeOf(item.segment, item.chunk))) continue
    const row = grown(
      item,
      tokensMax,
      (chunk) => {
        const place = placeOf(item.segment, chunk)
        return taken.has(place) ? undefined : neighbours.get(place)
      },
      (chunk) => taken.add(placeOf(item.segment, chunk)),
    )
    expanded.push({ ...item, row })
  }
  return expanded
}

function grown(
  { chunk, row: own, document }: Placed,
  tokensMax: number,
  look: (chunk: number) => ChunkRow | undefined,
  take: (chunk: number) => void,
): ChunkRow {
  const parts = [own]
  take(chunk)
  let tokens = estimateTokens(own.text)
  let [first, last] = [chunk, chunk]
  let [up, down] = [true, true]
  const fits = (next: ChunkRow | undefined): next is ChunkRow =>
    next !== undefined &&
    next.document === document.id &&
    sameSection(next, own) &&
    tokens + estimateTokens(next.text) <= tokensMax
  // What follows first: a passage is more often continued than introduced.
  while (up || down) {
    if (down) {
      const next = last - chunk < NEIGHBOURS_MAX ? look(last + 1) : undefined
      down = fits(next)
      if (down && next !== undefined) {
        parts.push(next)
        tokens += estimateTokens(next.text)
        take(++last)
      }
    }
    if (up) {
      const next = chunk - first < NEIGHBOURS_MAX ? look(first - 1) : undefined
      up = fits(next)
      if (up && next !== undefined) {
        parts.unshift(next)
        tokens += estimateTokens(next.text)
        take(--first)
      }
    }
  }
  return joined(parts, own)
}

/** Between chunks lies only white space, which is put back so that ranges keep their meaning. */
function joined(parts: readonly ChunkRow[], own: ChunkRow): ChunkRow {
  const start = parts[0]?.start ?? own.start
  let text = ''
  for (const part of parts) text = text.padEnd(part.start - start, '\n') + part.text
  return { ...own, start, end: start + text.length, text }
}

async function readNeighbours(rows: Rows, items: readonly Placed[]): Promise<Map<string, ChunkRow>> {
  const wanted = new Map<string, readonly string[]>()
  for (const { segment, chunk, document } of items) {
    const first = Math.max(document.firstChunk, chunk - NEIGHBOURS_MAX)
    const last = Math.min(document.firstChunk + document.chunkCount - 1, chunk + NEIGHBOURS_MAX)
    for (let at = first; at <= last; at++) wanted.set(placeOf(segment, at), chunkKey(segment, at))
  }
  const stored = await getAll(rows, CHUNKS, [...wanted.values()])
  const found = new Map<string, ChunkRow>()
  for (const [at, place] of [...wanted.keys()].entries()) {
    const row = stored[at]?.row
    if (row !== undefined) found.set(place, row)
  }
  return found
}

const placeOf = (segment: string, chunk: number): string => `${segment}\0${chunk}`

const sameSection = (a: ChunkRow, b: ChunkRow): boolean =>
  a.headings.length === b.headings.length && a.headings.every((heading, at) => heading === b.headings[at])
