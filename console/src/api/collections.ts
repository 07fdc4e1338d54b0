import type { Fetch } from './chat.ts'
import { get, post, read, remove } from './exchange.ts'
import type { Result } from './problem.ts'
import { isRecord, listOf, numberOf, textOf, timeOf, type Json } from './shape.ts'

/** Collections: what they hold, how well they answer, and the other ways to hold them. */

export interface Collection {
  readonly name: string
  readonly documents: number
  readonly chunks: number
  readonly bytes: number
  readonly updatedMs: number | undefined
  /** Undefined: searched by words alone. */
  readonly embedding: Embedding | undefined
  /** Of one collection, and not in a list. */
  readonly quality: Quality | undefined
}

export interface Embedding {
  readonly model: string
  readonly revision: string
  readonly dimension: number
}

export interface Quality {
  readonly days: number
  /** Undefined: the server does not say. */
  readonly recallTarget: number | undefined
  readonly recalls: readonly Recall[]
  /** Sampled, and not asked again: there was too much to do. */
  readonly skipped: number
  readonly searches: Percentiles
  readonly freshness: Percentiles
  readonly completeness: { readonly chunks: number; readonly searchable: number } | undefined
}

export interface Percentiles {
  readonly p50Ms: number | undefined
  readonly p95Ms: number | undefined
  readonly p99Ms: number | undefined
  /** How many were measured. */
  readonly count: number
  /** What 95 of 100 shall stay below. */
  readonly targetMs: number | undefined
}

export interface Recall {
  /** `1..10`: percent of the passages that the filter lets through. */
  readonly selectivity: string
  /** Undefined: nothing was measured. */
  readonly mean: number | undefined
  readonly low: number
  readonly high: number
  readonly queries: number
}

export interface Segments {
  readonly segments: readonly Segment[]
  readonly parts: readonly { readonly name: string; readonly chunks: number; readonly segments: number }[]
}

export interface Segment {
  readonly name: string
  readonly chunks: number
  readonly removed: number
}

export interface Source {
  readonly kind: string
  readonly name: string
  readonly trust: string
  /** Null: it is read at every start, and when somebody asks. */
  readonly schedule: { readonly nextAt: string; readonly failures: number; readonly running: boolean } | null
}

export interface DeadLetter {
  readonly document: string
  readonly uri: string
  readonly code: string
  readonly message: string
  readonly attempts: number
  readonly lastMs: number | undefined
  readonly isReplayable: boolean
}

export interface Receipt {
  readonly id: string
  readonly document: string
  readonly uri: string
  readonly requestedMs: number | undefined
  readonly isFinal: boolean
  /** Where it was, and since when it is gone there; undefined: not yet. */
  readonly places: readonly { readonly place: string; readonly goneMs: number | undefined }[]
  readonly notErased: readonly { readonly where: string; readonly why: string }[]
}

export interface Page<Row> {
  readonly rows: readonly Row[]
  /** False: there are more than are shown. */
  readonly isComplete: boolean
}

export interface Generation {
  readonly id: string
  readonly model: string
  readonly state: string
  readonly reason: string | undefined
  readonly isLive: boolean
  readonly isFormer: boolean
  readonly documents: number
  readonly chunks: number
  readonly createdMs: number | undefined
}

export interface Comparison {
  readonly live: string
  readonly questions: number
  readonly changed: number
  /** Rank-biased overlap, mean over the questions, 0 to 1. */
  readonly overlap: number
  readonly examples: readonly Example[]
}

export interface Example {
  readonly question: string
  readonly overlap: number
  readonly live: readonly Found[]
  readonly other: readonly Found[]
}

export interface Found {
  readonly document: string
  readonly title: string
  readonly start: number
  readonly end: number
}

export interface CollectionsApi {
  list(): Promise<Result<readonly Collection[]>>
  one(collection: string): Promise<Result<Collection>>
  segments(collection: string): Promise<Result<Segments>>
  sources(collection: string): Promise<Result<readonly Source[]>>
  deadLetters(collection: string): Promise<Result<Page<DeadLetter>>>
  /** Resolves to how many runs read them again. All, or the one document. */
  replay(collection: string, document?: string): Promise<Result<number>>
  receipts(collection: string): Promise<Result<Page<Receipt>>>
  generations(collection: string): Promise<Result<readonly Generation[]>>
  createGeneration(collection: string): Promise<Result<unknown>>
  /** By these questions; of none, by what was asked lately. */
  compare(collection: string, generation: string, questions: readonly string[]): Promise<Result<Comparison>>
  activate(collection: string, generation: string): Promise<Result<unknown>>
  rollback(collection: string): Promise<Result<unknown>>
  drop(collection: string, generation: string): Promise<Result<unknown>>
}

const LETTERS = 100
const RECEIPTS = 50

export function openCollections(fetch: Fetch): CollectionsApi {
  const path = (collection: string, ...more: string[]) =>
    ['/api/collections', ...[collection, ...more].map(encodeURIComponent)].join('/')
  return {
    list: async () => read(await get(fetch, '/api/collections'), 'list of collections', listed('collections', readOne)),
    one: async (collection) => read(await get(fetch, path(collection)), 'collection', readOne),
    segments: async (collection) =>
      read(await get(fetch, path(collection, 'segments')), 'list of segments', readSegments),
    sources: async (collection) =>
      read(await get(fetch, path(collection, 'sources')), 'list of sources', listed('sources', readSource)),
    deadLetters: async (collection) =>
      read(
        await get(fetch, `${path(collection, 'dead-letters')}?limit=${LETTERS}`),
        'list of dead letters',
        paged('deadLetters', readLetter),
      ),
    replay: async (collection, document) =>
      read(
        await post(fetch, path(collection, 'dead-letters', 'replay'), document === undefined ? {} : { document }),
        'list of runs',
        (body) => (isRecord(body) && Array.isArray(body['runs']) ? body['runs'].length : undefined),
      ),
    receipts: async (collection) =>
      read(
        await get(fetch, `${path(collection, 'deletions')}?limit=${RECEIPTS}`),
        'list of receipts',
        paged('deletions', readReceipt),
      ),
    generations: async (collection) =>
      read(
        await get(fetch, path(collection, 'generations')),
        'list of generations',
        listed('generations', readGeneration),
      ),
    createGeneration: async (collection) =>
      read(await post(fetch, path(collection, 'generations'), {}), 'generation', isRecord),
    compare: async (collection, generation, questions) =>
      read(
        await post(
          fetch,
          path(collection, 'generations', generation, 'compare'),
          questions.length === 0 ? {} : { questions },
        ),
        'comparison',
        readComparison,
      ),
    activate: async (collection, generation) =>
      read(await post(fetch, path(collection, 'generations', generation, 'activate'), {}), 'answer', isRecord),
    rollback: async (collection) =>
      read(await post(fetch, path(collection, 'generations', 'rollback'), {}), 'answer', isRecord),
    drop: async (collection, generation) =>
      read(await remove(fetch, path(collection, 'generations', generation)), 'answer', isRecord),
  }
}

const listed =
  <Row>(field: string, readRow: (value: unknown) => Row | undefined) =>
  (body: unknown): Row[] | undefined =>
    isRecord(body) && Array.isArray(body[field]) ? listOf(body[field], readRow) : undefined

const paged =
  <Row>(field: string, readRow: (value: unknown) => Row | undefined) =>
  (body: unknown): Page<Row> | undefined => {
    const rows = listed(field, readRow)(body)
    return rows && isRecord(body) ? { rows, isComplete: textOf(body['next']) === undefined } : undefined
  }

const recordOf = (value: unknown): Json => (isRecord(value) ? value : {})

function readOne(value: unknown): Collection | undefined {
  const name = isRecord(value) ? textOf(value['name']) : undefined
  if (!isRecord(value) || name === undefined) return undefined
  const embedding = recordOf(value['embedding'])
  const model = textOf(embedding['model'])
  return {
    name,
    documents: numberOf(value['documents']) ?? 0,
    chunks: numberOf(value['chunks']) ?? 0,
    bytes: numberOf(value['bytes']) ?? 0,
    updatedMs: timeOf(value['updatedAt']),
    embedding:
      model === undefined
        ? undefined
        : { model, revision: textOf(embedding['revision']) ?? '', dimension: numberOf(embedding['dimension']) ?? 0 },
    quality: isRecord(value['quality']) ? readQuality(value['quality']) : undefined,
  }
}

function readQuality(value: Json): Quality {
  const targets = recordOf(value['targets'])
  const completeness = recordOf(value['completeness'])
  const [chunks, searchable] = [numberOf(completeness['chunks']), numberOf(completeness['searchableChunks'])]
  return {
    days: numberOf(value['days']) ?? 0,
    recallTarget: numberOf(targets['recallAt10']),
    recalls: listOf(value['recallAt10'], readRecall),
    skipped: numberOf(value['skipped']) ?? 0,
    searches: readPercentiles(recordOf(value['searchMs']), 'searches', numberOf(targets['searchP95Ms'])),
    freshness: readPercentiles(recordOf(value['freshnessMs']), 'documents', numberOf(targets['freshnessMs'])),
    completeness: chunks === undefined || searchable === undefined ? undefined : { chunks, searchable },
  }
}

const readPercentiles = (value: Json, counted: string, targetMs: number | undefined): Percentiles => ({
  p50Ms: numberOf(value['p50']),
  p95Ms: numberOf(value['p95']),
  p99Ms: numberOf(value['p99']),
  count: numberOf(value[counted]) ?? 0,
  targetMs,
})

function readRecall(value: unknown): Recall | undefined {
  const selectivity = isRecord(value) ? textOf(value['selectivityPercent']) : undefined
  if (!isRecord(value) || selectivity === undefined) return undefined
  return {
    selectivity,
    mean: numberOf(value['recall']),
    low: numberOf(value['low']) ?? 0,
    high: numberOf(value['high']) ?? 1,
    queries: numberOf(value['queries']) ?? 0,
  }
}

function readSegments(body: unknown): Segments | undefined {
  if (!isRecord(body) || !Array.isArray(body['segments'])) return undefined
  return {
    segments: listOf(body['segments'], (value): Segment | undefined => {
      const name = isRecord(value) ? textOf(value['segment']) : undefined
      if (!isRecord(value) || name === undefined) return undefined
      return { name, chunks: numberOf(value['chunks']) ?? 0, removed: numberOf(value['removed']) ?? 0 }
    }),
    parts: listOf(body['parts'], (value) => {
      const name = isRecord(value) ? textOf(value['segment']) : undefined
      if (!isRecord(value) || name === undefined) return undefined
      return { name, chunks: numberOf(value['chunks']) ?? 0, segments: numberOf(value['segments']) ?? 0 }
    }),
  }
}

function readSource(value: unknown): Source | undefined {
  const kind = isRecord(value) ? textOf(value['kind']) : undefined
  if (!isRecord(value) || kind === undefined) return undefined
  const told = value['schedule']
  const nextAt = isRecord(told) ? textOf(told['nextAt']) : undefined
  const schedule =
    !isRecord(told) || nextAt === undefined
      ? null
      : { nextAt, failures: numberOf(told['failures']) ?? 0, running: told['running'] === true }
  return { kind, name: textOf(value['name']) ?? '', trust: textOf(value['trust']) ?? '', schedule }
}

function readLetter(value: unknown): DeadLetter | undefined {
  const document = isRecord(value) ? textOf(value['document']) : undefined
  if (!isRecord(value) || document === undefined) return undefined
  return {
    document,
    uri: textOf(value['uri']) ?? document,
    code: textOf(value['code']) ?? '',
    message: textOf(value['message']) ?? '',
    attempts: numberOf(value['attempts']) ?? 0,
    lastMs: timeOf(value['lastAt']),
    isReplayable: value['replayable'] === true,
  }
}

function readReceipt(value: unknown): Receipt | undefined {
  const id = isRecord(value) ? textOf(value['id']) : undefined
  if (!isRecord(value) || id === undefined) return undefined
  return {
    id,
    document: textOf(value['document']) ?? '',
    uri: textOf(value['uri']) ?? '',
    requestedMs: timeOf(value['requestedAt']),
    isFinal: value['final'] === true,
    places: Object.entries(recordOf(value['goneAt'])).map(([place, at]) => ({ place, goneMs: timeOf(at) })),
    notErased: listOf(value['notErased'], (one) =>
      isRecord(one) ? { where: textOf(one['where']) ?? '', why: textOf(one['why']) ?? '' } : undefined,
    ),
  }
}

function readGeneration(value: unknown): Generation | undefined {
  const id = isRecord(value) ? textOf(value['id']) : undefined
  if (!isRecord(value) || id === undefined) return undefined
  return {
    id,
    model: textOf(recordOf(value['embedding'])['model']) ?? '',
    state: textOf(value['state']) ?? '',
    reason: textOf(value['reason']),
    isLive: value['live'] === true,
    isFormer: value['former'] === true,
    documents: numberOf(value['documents']) ?? 0,
    chunks: numberOf(value['chunks']) ?? 0,
    createdMs: timeOf(value['createdAt']),
  }
}

function readComparison(body: unknown): Comparison | undefined {
  const questions = isRecord(body) ? numberOf(body['questions']) : undefined
  if (!isRecord(body) || questions === undefined) return undefined
  return {
    live: textOf(body['live']) ?? '',
    questions,
    changed: numberOf(body['changed']) ?? 0,
    overlap: numberOf(body['overlap']) ?? 0,
    examples: listOf(body['examples'], (one): Example | undefined =>
      isRecord(one)
        ? {
            question: textOf(one['question']) ?? '',
            overlap: numberOf(one['overlap']) ?? 0,
            live: listOf(one['live'], readFound),
            other: listOf(one['other'], readFound),
          }
        : undefined,
    ),
  }
}

function readFound(value: unknown): Found | undefined {
  const document = isRecord(value) ? textOf(value['document']) : undefined
  if (!isRecord(value) || document === undefined) return undefined
  const title = textOf(value['title']) ?? document
  return { document, title, start: numberOf(value['start']) ?? 0, end: numberOf(value['end']) ?? 0 }
}
