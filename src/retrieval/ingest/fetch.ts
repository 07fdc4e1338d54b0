import { Refusal } from '../../base/errors.ts'
import type { Chunking } from '../../parse/chunk.ts'
import { hintedName } from '../media.ts'
import { hintOf, isSameAbout, type Listed, refined } from './listing.ts'
import type { Added, IngestFile } from './port.ts'
import { hashOf } from './worker.ts'

/** Content that is fetched and handed to the worker at once; one document more may exceed it. */
const GROUP_BYTES_MAX = 16 * 2 ** 20
/** Documents that are fetched at once. */
const FETCHES_MAX = 8

export interface Fetched {
  /** In the order they were wanted; fewer than that where their content is large. */
  readonly ready: readonly Listed[]
  /** What need not be fetched, or cannot be. */
  readonly settled: readonly (readonly [file: Listed, answer: Added])[]
}

/** Brings the content of what is no file, as much as may be handed over at once. Rejects with a `Fault`
 *  where a source is gone. */
export async function fetchAll(wanted: readonly Listed[], signal: AbortSignal): Promise<Fetched> {
  const ready: Listed[] = []
  const settled: [Listed, Added][] = []
  let bytes = 0
  for (let at = 0; at < wanted.length && bytes < GROUP_BYTES_MAX && !signal.aborted; at += FETCHES_MAX) {
    const some = wanted.slice(at, at + FETCHES_MAX)
    const answers = await Promise.all(some.map((file) => fetchOne(file, signal)))
    for (const [i, file] of some.entries()) {
      const answer = answers[i]
      bytes += file.bytes?.length ?? 0
      if (answer === undefined) ready.push(file)
      else settled.push([file, answer])
    }
  }
  return { ready, settled }
}

async function fetchOne(file: Listed, signal: AbortSignal): Promise<Added | undefined> {
  if (file.read === undefined || file.bytes !== undefined) return undefined
  const known = file.knownHash === undefined || file.former === undefined ? undefined : hintOf(file.former.provenance)
  if (known !== undefined && known === hintOf(file.about.provenance)) return { status: 'unchanged' }
  const content = await file.read(known, signal)
  if (content === 'unchanged') return { status: 'unchanged' }
  if (content instanceof Refusal && content.code === 'document_absent') file.onAbsent?.()
  if (content instanceof Refusal) return { status: 'refused', code: content.code, details: content.details }
  file.name = hintedName(file.name, content.mediaType)
  file.about = refined(file.about, content)
  file.contentHash = hashOf(content.bytes)
  if (file.quarantined === undefined && file.former !== undefined && !isSameAbout(file.former, file.about))
    delete file.knownHash
  if (file.contentHash === file.knownHash) return { status: 'unchanged' }
  file.bytes = content.bytes
  return undefined
}

/** What the worker is told of a document. */
export const sent = (
  { path, bytes, name, document, uri, knownHash, about }: Listed,
  chunking: Chunking,
): IngestFile => ({
  name,
  document,
  uri,
  about,
  chunking,
  ...(path === undefined ? {} : { path }),
  ...(bytes === undefined ? {} : { bytes }),
  ...(knownHash === undefined ? {} : { knownHash }),
})

export async function* grouped<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  size: number,
): AsyncGenerator<Item[]> {
  let group: Item[] = []
  for await (const item of items) {
    if (group.push(item) < size) continue
    yield group
    group = []
  }
  if (group.length > 0) yield group
}
