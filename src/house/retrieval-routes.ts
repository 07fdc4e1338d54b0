import { systemClock as clock } from '../base/clock.ts'
import { systemRandom as random } from '../base/random.ts'
import type { OwnerOf } from '../control/access.ts'
import { collectionRoutes } from '../control/collections.ts'
import { deletionRoutes } from '../control/deletions.ts'
import { documentRoutes } from '../control/documents.ts'
import { generationRoutes } from '../control/generations.ts'
import { ingestRoutes } from '../control/ingests.ts'
import type { Route } from '../control/router.ts'
import { type EmbedFor, searchRoutes } from '../control/search.ts'
import { segmentRoutes } from '../control/segments.ts'
import { fileBatchRoutes } from '../control/vector-store-file-batches.ts'
import { vectorStoreFileRoutes } from '../control/vector-store-files.ts'
import { vectorStoreRoutes } from '../control/vector-stores.ts'
import type { Audit } from '../guard/audit.ts'
import type { Rows } from '../store/rows.ts'
import type { HouseGateway } from './gateway.ts'
import type { Library } from './library.ts'

/** Collections over HTTP: ours, and as OpenAI's clients know them. */

export interface RetrievalRouteParts {
  readonly library: Library
  readonly rows: Rows
  readonly audit: Audit
  readonly ownerOf: OwnerOf
  readonly gateway: Pick<HouseGateway, 'rerank' | 'embedFor'>
}

export function retrievalRoutes({ library, gateway, ...shared }: RetrievalRouteParts): Route[] {
  const { ingest, deletions, search, schedules, files, attachments } = library
  const embedFor: EmbedFor = (asker) => gateway.embedFor(asker)
  return [
    ...collectionRoutes({ ...shared, schedules, quality: (collection) => library.quality(collection) }),
    ...searchRoutes({ ...shared, clock, search, rerank: gateway.rerank, embedFor }),
    ...segmentRoutes(shared),
    ...ingestRoutes({
      ...shared,
      ingest,
      again: (collection) => library.again(collection),
      sourcesOf: (collection) => library.sourcesOf(collection),
      schedules,
    }),
    ...documentRoutes({ ...shared, ingest }),
    ...deletionRoutes({ ...shared, deletions }),
    ...generationRoutes({
      ...shared,
      generations: library.generations,
      search,
      recentQuestions: (name) => library.recentQuestions(name),
    }),
    ...vectorStoreRoutes({ ...shared, clock, random, search, ingest, embedFor, files, attachments }),
    ...vectorStoreFileRoutes({ ...shared, deletions, files, attachments }),
    ...fileBatchRoutes({ ...shared, clock, random, files, attachments }),
  ]
}
