import { createHash } from 'node:crypto'
import { systemClock as clock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { seededRandom } from '../../src/base/random.ts'
import { Analyzer } from '../../src/base/words.ts'
import { files, folders } from '../../src/drivers/filesystem/folder.ts'
import { MemoryBlobs } from '../../src/drivers/memory/blobs.ts'
import { MemoryIndex } from '../../src/drivers/memory/index.ts'
import { MemoryQueue } from '../../src/drivers/memory/queue.ts'
import { MemoryRows } from '../../src/drivers/memory/rows.ts'
import type { EmbedWith } from '../../src/engine/port.ts'
import { EmbeddingCache } from '../../src/retrieval/embedding/cache.ts'
import { Embeddings } from '../../src/retrieval/embedding/embeddings.ts'
import { GOLDEN_TEXT } from '../../src/retrieval/embedding/golden.ts'
import type { EmbeddingChoice } from '../../src/retrieval/embedding/port.ts'
import { Vectors } from '../../src/retrieval/embedding/vectors.ts'
import { createIngest, type IngestOptions } from '../../src/retrieval/ingest/ingest.ts'
import { NO_SOURCES } from './sources.ts'
import type { IngestWorker } from '../../src/retrieval/ingest/port.ts'
import { LocalWorker } from '../../src/retrieval/ingest/worker.ts'

/** Everything from files to vectors in memory, with a model that counts what it is asked. */

export const DIMENSION = 64

/** Where words lead: each to one place of its own, so that shared words make texts alike. */
function vectorOf(text: string, seed: string): Float32Array {
  const vector = new Float32Array(DIMENSION)
  for (const word of text.toLowerCase().match(/\w+/g) ?? ['none']) {
    const hash = createHash('sha256')
      .update(seed + word)
      .digest()
    const at = (hash[0] ?? 0) % DIMENSION
    vector[at] = (vector[at] ?? 0) + 1
  }
  return vector
}

export class CountingModel {
  embedded: string[] = []
  seed = 'a'
  /** What its vectors may take of memory. */
  memoryBytesMax = Infinity
  change: (vector: Float32Array) => Float32Array = (vector) => vector
  readonly embedWith: EmbedWith = async (_, { inputs }) => {
    this.embedded.push(...inputs)
    return { vectors: inputs.map((text) => this.change(vectorOf(text, this.seed))) }
  }

  /** Texts of passages and questions since the last look, golden ones apart. */
  take(): string[] {
    const taken = this.embedded.filter((text) => !text.endsWith(GOLDEN_TEXT))
    this.embedded = []
    return taken
  }
}

export interface Kept {
  readonly rows: MemoryRows
  readonly blobs: MemoryBlobs
}

export function openEmbedded(
  model: CountingModel,
  choice: () => EmbeddingChoice,
  { rows, blobs }: Kept = { rows: new MemoryRows(), blobs: new MemoryBlobs() },
  more: Pick<IngestOptions, 'recipe' | 'contexts' | 'movedChunksMax' | 'batchDocumentsMax'> = {},
) {
  const analyzer = new Analyzer()
  const index = new MemoryIndex(analyzer)
  const local = new LocalWorker({ files, index, clock })
  const worker: IngestWorker = Object.assign(local, { close: async () => {} })
  const random = seededRandom(1)
  const cache = new EmbeddingCache(rows)
  const vectors = new Vectors(blobs)
  const common = { rows, clock, random, log: silentLog }
  const { embedWith } = model
  const embeddings = new Embeddings({
    ...common,
    blobs,
    vectors,
    cache,
    folding: local,
    embedWith,
    analyzer,
    choice,
    memoryBytesMax: () => model.memoryBytesMax,
  })
  const pushWorker: IngestWorker = Object.assign(new LocalWorker({ files, index, clock }), { close: async () => {} })
  const ingest = createIngest({
    ...common,
    queue: new MemoryQueue(clock),
    index,
    worker,
    pushWorker,
    folders,
    sources: NO_SOURCES,
    embeddings,
    ...more,
  })
  return { rows, blobs, index, analyzer, embeddings, ingest, cache, vectors }
}
