import { createHash } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { Refusal } from '../../base/errors.ts'
import type { Index, IndexChunk } from '../../store/index.ts'
import { chunk } from '../chunk.ts'
import type { Chunk, ChunkRow, DocumentRow, ParsedDocument } from '../document.ts'
import { deadline, FILE_BYTES_MAX } from '../parse/limits.ts'
import { parse } from '../parse/parse.ts'
import type { Files } from '../sources.ts'
import {
  type Added,
  BATCH_UNITS_MAX,
  type IngestFile,
  type IngestWorker,
  type Sealed,
  type SealedDocument,
} from './port.ts'

export interface WorkerOptions {
  readonly files: Files
  readonly index: Pick<Index, 'build'>
  readonly clock: Clock
  /** Default `BATCH_UNITS_MAX`. */
  readonly batchUnitsMax?: number
}

/** Does the work itself, in the process it is made in. */
export class LocalWorker implements Omit<IngestWorker, 'close'> {
  readonly #options: WorkerOptions
  #documents: SealedDocument[] = []
  #chunks: ChunkRow[] = []
  /** Of each chunk, the document it is of. */
  #owners: SealedDocument[] = []
  #units = 0

  constructor(options: WorkerOptions) {
    this.#options = options
  }

  async add(files: readonly IngestFile[]): Promise<Added[]> {
    const { batchUnitsMax = BATCH_UNITS_MAX } = this.#options
    const answers: Added[] = []
    for (const file of files) {
      if (answers.length > 0 && this.#units >= batchUnitsMax) break
      const read = await this.#read(file)
      answers.push('document' in read ? this.#keep(file, read) : read)
    }
    return answers
  }

  async probe(file: IngestFile): Promise<Added> {
    const read = await this.#read(file)
    return 'document' in read ? { status: 'added', units: read.document.text.length } : read
  }

  async hash(path: string): Promise<string | undefined> {
    const bytes = await this.#options.files.read(path, FILE_BYTES_MAX)
    return bytes instanceof Refusal ? undefined : hashOf(bytes)
  }

  async seal(segment: string): Promise<Sealed> {
    const [documents, chunks] = [this.#documents, this.#chunks]
    const indexed = chunks.map((row, at) => indexChunk(row, this.#owners[at]))
    await this.discard()
    await this.#options.index.build(segment, indexed)
    return { documents, chunks }
  }

  async discard(): Promise<void> {
    this.#documents = []
    this.#chunks = []
    this.#owners = []
    this.#units = 0
  }

  async build(segment: string, chunks: readonly IndexChunk[]): Promise<void> {
    await this.#options.index.build(segment, chunks)
  }

  async #read(file: IngestFile): Promise<Added | Read> {
    const bytes = file.bytes ?? (await this.#options.files.read(file.path ?? '', FILE_BYTES_MAX))
    if (bytes instanceof Refusal) return refused(bytes)
    const contentHash = hashOf(bytes)
    if (contentHash === file.knownHash) return { status: 'unchanged' }
    const document = await parse(file.name, bytes, deadline(this.#options.clock))
    if (document instanceof Refusal) return refused(document)
    return { document, contentHash, bytes: bytes.length, chunks: chunk(document.text, document.blocks) }
  }

  #keep(file: IngestFile, { document, contentHash, bytes, chunks }: Read): Added {
    const { mediaType, note, text } = document
    const { title = document.title, ...about } = file.about ?? {}
    const noted = note === undefined ? {} : { note }
    const firstChunk = this.#chunks.length
    const sealed: SealedDocument = {
      id: file.document,
      uri: file.uri,
      title,
      mediaType,
      contentHash,
      bytes,
      firstChunk,
      chunkCount: chunks.length,
      ...noted,
      ...about,
    }
    this.#documents.push(sealed)
    for (const one of chunks) {
      this.#chunks.push({ document: file.document, ...one })
      this.#owners.push(sealed)
    }
    this.#units += text.length
    return { status: 'added', units: text.length, ...noted }
  }
}

interface Read {
  readonly document: ParsedDocument
  readonly contentHash: string
  readonly bytes: number
  readonly chunks: readonly Chunk[]
}

const refused = ({ code, details }: Refusal): Added => ({ status: 'refused', code, details })
export const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** What full-text search reads of a chunk: the document's title and the headings above it help to
 *  find it, unless they stand in it. What filters compare are the document's attributes, and what
 *  we know of it under names of our own. */
export function indexChunk(
  { headings, text, document }: ChunkRow,
  owner: Pick<DocumentRow, 'title' | 'metadata' | 'trust'> = { title: '' },
): IndexChunk {
  const { title, metadata = {}, trust = 'internal' } = owner
  const above = [title, ...headings.filter((heading) => heading !== title)].filter((heading) => !text.includes(heading))
  return {
    text: above.length === 0 ? text : `${above.join('\n')}\n\n${text}`,
    attributes: { ...metadata, document, trust },
  }
}
