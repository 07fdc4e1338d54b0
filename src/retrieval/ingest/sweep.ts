import type { Log } from '../../base/log.ts'
import type { Index } from '../../store/index.ts'
import { type Key, remove, type Rows, scanAll } from '../../store/rows.ts'
import { CHUNKS, collectionKey, COLLECTIONS, DOCUMENTS } from '../document.ts'
import { type CompactOptions, removeChunkRows } from './compact.ts'

/** Taking away what nothing refers to. */

type SweepOptions = Pick<CompactOptions, 'rows' | 'collections' | 'embeddings'>

/** What interrupted ingests left behind. */
export async function sweep(
  options: SweepOptions & { readonly index: Pick<Index, 'segments'>; readonly log: Log },
): Promise<void> {
  const { index, rows, log, embeddings } = options
  const used = new Set<string>()
  const searchedInParts = new Set<string>()
  for await (const { row } of scanAll(rows, COLLECTIONS)) {
    for (const { segment } of row.segments) used.add(segment)
    for (const { segment, holds } of row.parts ?? []) {
      used.add(segment)
      for (const held of holds) searchedInParts.add(held.segment)
    }
    await embeddings?.sweep(row.name, new Set(row.space === undefined ? [] : [row.space]))
  }
  const built = await index.segments()
  for (const segment of built) if (searchedInParts.has(segment)) await options.collections.dropIndex(segment)
  const left = new Set([...built, ...((await embeddings?.vectors.segments()) ?? [])])
  // One that was searched in a part has no file that would tell of it.
  for await (const segment of segmentsOfChunks(rows)) left.add(segment)
  for (const segment of left) {
    if (used.has(segment)) continue
    log.write('info', 'segment of an interrupted ingest removed', { segment })
    await discard(options, segment)
  }
}

/** Everything that one generation of a collection holds. */
export async function dropStorage(options: SweepOptions, storage: string): Promise<void> {
  const { rows, collections, embeddings } = options
  const stored = await rows.get(COLLECTIONS, collectionKey(storage))
  if (stored === undefined) return
  const changes = [remove(COLLECTIONS, collectionKey(storage), stored.version)]
  for await (const { key } of scanAll(rows, DOCUMENTS, collectionKey(storage))) changes.push(remove(DOCUMENTS, key))
  if (!(await rows.commit(changes))) return await dropStorage(options, storage)
  await collections.publish(storage)
  for (const { segment } of stored.row.segments) await discard(options, segment)
  for (const { segment } of stored.row.parts ?? []) await collections.dropIndex(segment)
  await embeddings?.sweep(storage, new Set())
}

/** Every segment that has chunk rows, by one look at each. */
async function* segmentsOfChunks(rows: Rows): AsyncGenerator<string> {
  let after: Key | undefined
  for (;;) {
    const [next] = await rows.scan(CHUNKS, { limit: 1, ...(after === undefined ? {} : { after }) })
    const [segment] = next?.key ?? []
    if (segment === undefined) return
    yield segment
    after = [segment, BEYOND_CHUNKS]
  }
}

/** After the number of any chunk. */
const BEYOND_CHUNKS = '~'

/** Rows first: the file's name is what tells the next sweep that rows may be left. */
async function discard({ rows, collections }: SweepOptions, segment: string): Promise<void> {
  await removeChunkRows(rows, segment)
  await collections.drop(segment)
}
