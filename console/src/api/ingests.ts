import type { Fetch } from './chat.ts'
import { get, post, read } from './exchange.ts'
import type { Result } from './problem.ts'
import { isRecord, listOf, numberOf, textOf, timeOf, type Json } from './shape.ts'

/** Runs that read documents into collections. */

export interface Run {
  readonly id: string
  readonly collection: string
  /** What is read: a path, `s3://bucket/prefix`. */
  readonly path: string
  /** `waiting`, `running`, `done`, `failed`, `cancelled`. */
  readonly state: string
  readonly files: {
    /** 0 until the source is listed. */
    readonly found: number
    readonly read: number
    readonly unchanged: number
    readonly removed: number
    readonly skipped: number
    readonly ignored: number
  }
  readonly bytes: number
  readonly chunks: number
  readonly documents: number
  /** The first of them. */
  readonly skipped: readonly Skipped[]
  readonly notes: readonly { readonly uri: string; readonly message: string }[]
  readonly startedMs: number
  /** Undefined: it goes on. */
  readonly endedMs: number | undefined
  /** Why it failed. */
  readonly problem: string | undefined
}

export interface Skipped {
  readonly uri: string
  readonly code: string
  readonly message: string
}

export interface IngestsApi {
  /** Newest first. */
  list(): Promise<Result<readonly Run[]>>
  /** A file or folder of the server; without it the sources that the configuration names. Resolves to
   *  the ids of the runs. */
  start(collection: string, path?: string): Promise<Result<readonly string[]>>
}

export function openIngests(fetch: Fetch): IngestsApi {
  return {
    list: async () =>
      read(await get(fetch, '/api/ingests'), 'list of runs', (body) =>
        isRecord(body) && Array.isArray(body['runs']) ? listOf(body['runs'], readRun) : undefined,
      ),
    start: async (collection, path) =>
      read(
        await post(
          fetch,
          `/api/collections/${encodeURIComponent(collection)}/ingest`,
          path === undefined ? {} : { path },
        ),
        'run',
        (body) => {
          const run = isRecord(body) ? textOf(body['run']) : undefined
          if (!isRecord(body) || run === undefined) return undefined
          const runs = listOf(body['runs'], textOf)
          return runs.length === 0 ? [run] : runs
        },
      ),
  }
}

function readRun(value: unknown): Run | undefined {
  const id = isRecord(value) ? textOf(value['run']) : undefined
  if (!isRecord(value) || id === undefined) return undefined
  const files: Json = isRecord(value['files']) ? value['files'] : {}
  const problem: Json = isRecord(value['problem']) ? value['problem'] : {}
  const count = (name: string): number => numberOf(files[name]) ?? 0
  return {
    id,
    collection: textOf(value['collection']) ?? '',
    path: textOf(value['path']) ?? '',
    state: textOf(value['state']) ?? '',
    files: {
      found: count('found'),
      read: count('read'),
      unchanged: count('unchanged'),
      removed: count('removed'),
      skipped: count('skipped'),
      ignored: count('ignored'),
    },
    bytes: numberOf(value['bytes']) ?? 0,
    chunks: numberOf(value['chunks']) ?? 0,
    documents: numberOf(value['documents']) ?? 0,
    skipped: listOf(value['skipped'], (one) =>
      isRecord(one)
        ? { uri: textOf(one['uri']) ?? '', code: textOf(one['code']) ?? '', message: textOf(one['message']) ?? '' }
        : undefined,
    ),
    notes: listOf(value['notes'], (one) =>
      isRecord(one) ? { uri: textOf(one['uri']) ?? '', message: textOf(one['message']) ?? '' } : undefined,
    ),
    startedMs: timeOf(value['startedAt']) ?? 0,
    endedMs: timeOf(value['endedAt']),
    problem: textOf(problem['message']),
  }
}
