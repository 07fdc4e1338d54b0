import { createHash } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { fault, Refusal } from '../../base/errors.ts'
import { seededRandom } from '../../base/random.ts'
import { Analyzer } from '../../base/words.ts'
import type { Index, IndexChunk } from '../../store/index.ts'
import { chunk, type Chunking } from '../../parse/chunk.ts'
import type { ChunkRow, DocumentRow } from '../document.ts'
import type { Chunk, ParsedDocument } from '../../parse/document.ts'
import { Lsa } from '../embedding/lsa.ts'
import { deadline, FILE_BYTES_MAX } from '../../parse/limits.ts'
import { outlined, rebuilt } from '../../parse/outline.ts'
import { parse } from '../../parse/parse.ts'
import { attributesOf } from '../search/access.ts'
import type { Files } from '../sources.ts'
import {
  type Added,
  BATCH_UNITS_MAX,
  type IngestFile,
  type IngestWorker,
  type Sealed,
  type Sealing,
  type SealedDocument,
} from './port.ts'

export interface WorkerOptions {
  readonly files: Files
  readonly index: Pick<Index, 'build'>
  readonly clock: Clock
  /** Default `BATCH_UNITS_MAX`. */
  readonly batchUnitsMax?: number
}

/** The same texts give the same directions. */
const FIT_SEED = 1

/** Does the work itself, in the process it is made in. */
export class LocalWorker implements Omit<IngestWorker, 'close'> {
  readonly #options: WorkerOptions
  #documents: SealedDocument[] = []
  #chunks: ChunkRow[] = []
  /** Of each chunk, the document it is of. */
  #owners: SealedDocument[] = []
  #units = 0
  readonly #analyzer = new Analyzer()
  /** What was folded with last. */
  #fitted: { readonly name: string; readonly lsa: Lsa } | undefined

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

  async batch(): Promise<Sealed> {
    return { documents: this.#documents, chunks: this.#chunks }
  }

  async seal(segment: string, { chunks: count, contexts, vectors }: Sealing): Promise<void> {
    const chunks = this.#chunks
    if (count !== chunks.length || (vectors !== undefined && vectors.length !== count))
      throw fault('child_died', { what: 'ingest', reason: 'it lost the batch' })
    const indexed = chunks.map((row, at) =>
      indexChunk({ ...row, context: contexts[at] ?? '' }, this.#owners[at], vectors?.[at]),
    )
    await this.discard()
    await this.#options.index.build(segment, indexed)
  }

  async fit(texts: readonly string[]): Promise<Uint8Array | undefined> {
    return Lsa.fit(texts, this.#analyzer, seededRandom(FIT_SEED))?.bytes()
  }

  async fold(
    name: string,
    bytes: Uint8Array | undefined,
    texts: readonly string[],
  ): Promise<Float32Array[] | undefined> {
    if (bytes !== undefined) this.#fitted = { name, lsa: Lsa.read(bytes, this.#analyzer) }
    if (this.#fitted?.name !== name) return undefined
    const { lsa } = this.#fitted
    return texts.map((text) => lsa.place(text))
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

  async cut(documents: readonly (readonly Chunk[])[], chunking: Chunking): Promise<(Chunk[] | undefined)[]> {
    return documents.map((chunks) => {
      const document = rebuilt(chunks)
      if (document === undefined) return undefined
      const { text, blocks } = document
      return outlined(text, blocks, chunk(text, blocks, chunking))
    })
  }

  async #read(file: IngestFile): Promise<Added | Read> {
    const bytes = file.bytes ?? (await this.#options.files.read(file.path ?? '', FILE_BYTES_MAX))
    if (bytes instanceof Refusal) return refused(bytes)
    const contentHash = hashOf(bytes)
    if (contentHash === file.knownHash) return { status: 'unchanged' }
    const document = await parse(pathOf(file), bytes, deadline(this.#options.clock))
    if (document instanceof Refusal) return refused(document)
    const { text, blocks } = document
    const chunks = outlined(text, blocks, chunk(text, blocks, file.chunking))
    return { document, contentHash, bytes: bytes.length, chunks }
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

/** Source code is known by its path inside of the source. */
function pathOf({ uri, name }: IngestFile): string {
  try {
    const path = decodeURIComponent(uri)
    return path.endsWith(name) ? path : name
  } catch {
    return name
  }
}

const refused = ({ code, details }: Refusal): Added => ({ status: 'refused', code, details })
export const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** What the index reads of a chunk: what full-text search finds it by, and what filters compare: its
 *  document's attributes, and what we know of it under names of our own. */
export function indexChunk(
  row: ChunkRow,
  owner: Pick<DocumentRow, 'title' | 'metadata' | 'trust'> = { title: '' },
  vector?: Float32Array,
): IndexChunk {
  const attributes = attributesOf({ ...owner, id: row.document })
  const indexed = { text: searchedText(owner.title, row), attributes }
  return vector === undefined ? indexed : { ...indexed, vector }
}

/** The chunk as it is searched and embedded: the document's title and the headings above it help to find
 *  it, unless they stand in it. */
export function searchedText(title: string, { headings, text, context = '' }: ChunkRow): string {
  const above = [title, ...headings.filter((heading) => heading !== title), context].filter(
    (heading) => !text.includes(heading),
  )
  return above.length === 0 ? text : `${above.join('\n')}\n\n${text}`
}
