import { readReport, type Report } from './answer.ts'
import type { Fetch } from './chat.ts'
import { get, post, read, remove } from './exchange.ts'
import type { Result } from './problem.ts'
import { isRecord, listOf, numberOf, textOf, type Json } from './shape.ts'

/** Everything the console asks the server beside questions. */
export interface House {
  /** Who this browser is. A problem with status 401: nobody yet. */
  session(): Promise<Result<Session>>
  signIn(key: string): Promise<Result<Session>>
  signOut(): Promise<Result<unknown>>
  models(): Promise<Result<readonly Model[]>>
  collections(): Promise<Result<readonly Collection[]>>
  /** What was recorded of a request, for a key that may see it. */
  recall(requestId: string): Promise<Report | undefined>
  document(collection: string, id: string, signal: AbortSignal): Promise<Result<Document>>
}

export interface Session {
  readonly name: string
  readonly role: string
}

export interface Model {
  readonly id: string
  readonly kind: 'model' | 'workflow'
  readonly chats: boolean
  readonly description: string
}

export interface Collection {
  readonly name: string
  readonly documents: number
  readonly chunks: number
}

export interface Document {
  readonly title: string
  readonly uri: string
  readonly mediaType: string
  readonly bytes: number
  readonly text: string
}

export function openHouse(fetch: Fetch): House {
  return {
    session: async () => read(await get(fetch, '/api/session'), 'session', readSession),
    signIn: async (key) => read(await post(fetch, '/api/session', { key }), 'session', readSession),
    signOut: async () => read(await remove(fetch, '/api/session'), 'answer', (body) => body),
    models: async () =>
      read(await get(fetch, '/v1/models'), 'list of models', (body) =>
        isRecord(body) ? listOf(body['data'], readModel) : undefined,
      ),
    collections: async () => read(await get(fetch, '/api/collections'), 'list of collections', readCollections),
    recall: async (requestId) => {
      const trace = read(await get(fetch, `/api/traces/${encodeURIComponent(requestId)}`), 'trace', (body) =>
        isRecord(body) ? body['body'] : undefined,
      )
      return trace.ok && isRecord(trace.value) ? readTrace(trace.value) : undefined
    },
    document: async (collection, id, signal) =>
      read(
        await get(
          fetch,
          `/api/collections/${encodeURIComponent(collection)}/documents/${encodeURIComponent(id)}`,
          signal,
        ),
        'document',
        readDocument,
      ),
  }
}

/** A trace is written in the journal's own names. */
const readTrace = (trace: Json): Report => readReport({ ...trace, cost_nanousd: trace['costNanoUsd'] })

function readSession(body: unknown): Session | undefined {
  const key = isRecord(body) ? body['key'] : undefined
  if (!isRecord(key)) return undefined
  return { name: textOf(key['name']) ?? textOf(key['id']) ?? 'unnamed key', role: textOf(key['role']) ?? '' }
}

function readModel(value: unknown): Model | undefined {
  if (!isRecord(value)) return undefined
  const id = textOf(value['id'])
  const about: Json = isRecord(value['headworks']) ? value['headworks'] : {}
  if (id === undefined) return undefined
  const operations = listOf(about['operations'], textOf)
  return {
    id,
    kind: about['kind'] === 'workflow' ? 'workflow' : 'model',
    chats: operations.length === 0 || operations.includes('chat'),
    description: textOf(about['description']) ?? '',
  }
}

function readCollections(body: unknown): Collection[] | undefined {
  if (!isRecord(body) || !Array.isArray(body['collections'])) return undefined
  return listOf(body['collections'], (value) => {
    const name = isRecord(value) ? textOf(value['name']) : undefined
    if (!isRecord(value) || name === undefined) return undefined
    return { name, documents: numberOf(value['documents']) ?? 0, chunks: numberOf(value['chunks']) ?? 0 }
  })
}

function readDocument(body: unknown): Document | undefined {
  if (!isRecord(body) || typeof body['text'] !== 'string') return undefined
  const uri = textOf(body['uri']) ?? ''
  return {
    title: textOf(body['title']) ?? uri,
    uri,
    mediaType: textOf(body['mediaType']) ?? '',
    bytes: numberOf(body['bytes']) ?? 0,
    text: body['text'],
  }
}
