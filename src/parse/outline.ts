import type { Block, Chunk, OutlinedBlock } from './document.ts'

/** A document that is kept as its chunks, and can be cut anew from them. */

/** Longer white space becomes line ends. */
const GAP_UNITS_MAX = 8

/** The chunks with what else it takes to have the document's text and blocks again. */
export function outlined(text: string, blocks: readonly Block[], chunks: readonly Chunk[]): Chunk[] {
  let next = 0
  return chunks.map((chunk, at) => {
    const isLast = at === chunks.length - 1
    const own: OutlinedBlock[] = []
    for (let block = blocks[next]; block !== undefined; block = blocks[++next]) {
      if (block.start >= chunk.end && !isLast) break
      own.push(packed(block, chunk.start))
    }
    const gap = text.slice(chunk.end, chunks[at + 1]?.start)
    const isKept = !isLast && gap.length <= GAP_UNITS_MAX && gap.trim() === '' && !/^\n*$/.test(gap)
    return { ...chunk, outline: isKept ? { blocks: own, gap } : { blocks: own } }
  })
}

/** The text and blocks that the chunks, in order, were cut from, at the same ranges: what stood outside
 *  of all blocks is line ends. Undefined where they were kept without their outline. */
export function rebuilt(
  chunks: readonly Chunk[],
): { readonly text: string; readonly blocks: readonly Block[] } | undefined {
  const parts: string[] = []
  const blocks: Block[] = []
  let end = 0
  let gap = ''
  for (const chunk of chunks) {
    if (chunk.outline === undefined) return undefined
    const fill = Math.max(0, chunk.start - end)
    parts.push(gap.length === fill ? gap : '\n'.repeat(fill), chunk.text.slice(Math.max(0, end - chunk.start)))
    for (const block of chunk.outline.blocks) blocks.push(unpacked(block, chunk.start))
    end = Math.max(end, chunk.end)
    gap = chunk.outline.gap ?? ''
  }
  return { text: parts.join(''), blocks }
}

function packed({ kind, start, end, level, text, headerEnd }: Block, from: number): OutlinedBlock {
  const mark = level ?? (headerEnd === undefined ? 0 : headerEnd - start)
  const place = [kind, start - from, end - start] as const
  if (text !== undefined) return [...place, mark, text]
  return mark === 0 ? place : [...place, mark]
}

function unpacked([kind, start, units, mark = 0, text]: OutlinedBlock, from: number): Block {
  const place = { kind, start: from + start, end: from + start + units }
  const about = mark === 0 ? {} : kind === 'heading' ? { level: mark } : { headerEnd: place.start + mark }
  return { ...place, ...about, ...(text === undefined ? {} : { text }) }
}
