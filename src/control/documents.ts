import { refuse, Refusal, remedyOf, sentenceOf } from '../base/errors.ts'
import { isObject, type Json, type JsonObject, parseJson } from '../base/json.ts'
import { DEAD_LETTERS, shownLetter } from '../retrieval/ingest/dead-letters.ts'
import type { Ingest } from '../retrieval/ingest/ingest.ts'
import type { Kept } from '../retrieval/ingest/pushes.ts'
import { readFields, readSent, type SentDocument } from '../retrieval/ingest/sent.ts'
import { maySeeDocument } from '../retrieval/search/access.ts'
import type { Rows } from '../store/rows.ts'
import { accessOf, administers, maySee, type OwnerOf, toAdministrators } from './access.ts'
import { pageOf } from './openai-list.ts'
import { ownDocuments } from './sending.ts'
import { type Answer, type Context, limitOf, ok, type Route } from './router.ts'

/** Documents that applications send, and those that could not be read. */

export interface DocumentDependencies {
  readonly rows: Rows
  readonly ownerOf: OwnerOf
  readonly ingest: Pick<Ingest, 'push' | 'replay'>
}

/** One document as it is, or many in JSON. */
const BODY_BYTES_MAX = 64 * 2 ** 20
/** Of a body of JSON, or one line of JSONL: parsing holds up everything else. */
const JSON_BYTES_MAX = 16 * 2 ** 20
const JSON_DEPTH_MAX = 8
/** Documents of one request. */
const DOCUMENTS_MAX = 10_000
const PAGE_MAX = 500
const PAGE_DEFAULT = 100

export function documentRoutes(dependencies: DocumentDependencies): Route[] {
  const { ingest, ownerOf } = dependencies
  return [
    {
      method: 'POST',
      path: '/api/collections/{collection}/documents',
      ingests: true,
      summary:
        'Adds or replaces documents, durable and searchable once answered: {id, uri, title, mediaType, text | bytes, metadata, trust}; many as JSON lines (application/x-ndjson); or the bytes of one file, with the other fields in the query.',
      role: 'admin',
      rawBytesMax: BODY_BYTES_MAX,
      answer: (context) => add(dependencies, context),
    },
    {
      method: 'GET',
      path: '/api/collections/{collection}/dead-letters',
      summary: 'Documents that could not be read, why, how often and when. `limit`, `after`.',
      role: 'user',
      answer: (context) => letters(dependencies, context),
    },
    {
      method: 'POST',
      path: '/api/collections/{collection}/dead-letters/replay',
      ingests: true,
      summary: 'Reads them again: all, or the one in {document}. Answers with the runs.',
      role: 'admin',
      answer: toAdministrators(ownerOf, async (collection, { body }) => {
        const document = isObject(body) ? body['document'] : undefined
        if (document !== undefined && typeof document !== 'string')
          return refuse('field_invalid', { field: 'document', problem: 'is no text', remedy: 'Leave it out for all.' })
        const runs = await ingest.replay(collection, document)
        return runs instanceof Refusal ? runs : { status: 202, value: { runs } }
      }),
    },
  ]
}

async function add(dependencies: DocumentDependencies, context: Context): Promise<Answer | Refusal> {
  const { params, request, bytes, principal } = context
  const type = (request.headers['content-type'] ?? 'application/json').split(';', 1)[0]?.trim().toLowerCase()
  const collection = params['collection'] ?? ''
  if (type === 'application/x-ndjson' || type === 'application/jsonl') return await addMany(dependencies, context)
  const read = type === 'application/json' && !context.query.has('id') ? fromJson(bytes) : fromFile(context, type)
  const own = await ownDocuments(dependencies, principal, collection, [read])
  if (own instanceof Refusal) return own
  const [document = read] = own
  if (document instanceof Refusal) return document
  const kept = await dependencies.ingest.push(collection, [document])
  if (kept instanceof Refusal) return kept
  const [one] = kept
  if (one?.status === 'refused') return new Refusal(one.problem.code, one.problem.details)
  return ok({ collection, id: document.id, status: one?.status ?? 'kept' })
}

/** Each line stands for itself: what is wrong with one is told in its place, and the others are kept. */
async function addMany(
  dependencies: DocumentDependencies,
  { params, bytes, principal }: Context,
): Promise<Answer | Refusal> {
  const collection = params['collection'] ?? ''
  const lines = linesOf(bytes)
  if (lines.length === 0 || lines.length > DOCUMENTS_MAX) {
    const problem = `has ${lines.length} lines, not 1 to ${DOCUMENTS_MAX}`
    return refuse('field_invalid', { field: 'body', problem, remedy: 'Send one document a line.' })
  }
  const documents = await ownDocuments(dependencies, principal, collection, lines.map(fromJson))
  if (documents instanceof Refusal) return documents
  const sent = documents.filter((one): one is SentDocument => !(one instanceof Refusal))
  const kept = sent.length === 0 ? [] : await dependencies.ingest.push(collection, sent)
  if (kept instanceof Refusal) return kept
  const outcomes = [...kept]
  const results = documents.map((one) => shownOutcome(one instanceof Refusal ? one : outcomes.shift()))
  const count = (status: string): number => results.filter((one) => one['status'] === status).length
  return ok({
    collection,
    kept: count('kept'),
    unchanged: count('unchanged'),
    refused: count('refused'),
    results,
  })
}

function shownOutcome(one: Kept | Refusal | undefined): JsonObject {
  if (one === undefined) return { status: 'refused' }
  if (!(one instanceof Refusal) && one.status !== 'refused') return { ...one }
  const problem = one instanceof Refusal ? one : one.problem
  const id = one instanceof Refusal ? {} : { id: one.id }
  return { ...id, status: 'refused', code: problem.code, message: `${sentenceOf(problem)} ${remedyOf(problem)}` }
}

function fromJson(bytes: Uint8Array): SentDocument | Refusal {
  const value = parseJson(bytes, { bytesMax: JSON_BYTES_MAX, depthMax: JSON_DEPTH_MAX })
  return value instanceof Refusal ? value : readSent(value)
}

/** The body is the file; what is known of it stands in the query, attributes as `metadata.NAME`. */
function fromFile({ query, bytes }: Context, mediaType: string | undefined): SentDocument | Refusal {
  const metadata: Record<string, Json> = {}
  const fields: Record<string, Json> =
    mediaType === undefined || mediaType === 'application/octet-stream' ? {} : { mediaType }
  for (const [name, value] of query) {
    if (name.startsWith('metadata.')) metadata[name.slice('metadata.'.length)] = value
    else if (['id', 'uri', 'title', 'mediaType', 'trust'].includes(name)) fields[name] = value
    else
      return refuse('field_invalid', {
        field: name.slice(0, 80),
        problem: 'is not a known parameter',
        remedy: 'Known are id, uri, title, mediaType, trust and metadata.NAME.',
      })
  }
  const read = readFields({ ...fields, metadata })
  return read instanceof Refusal ? read : { ...read, bytes }
}

const NEWLINE = 0x0a

function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = []
  for (let start = 0; start < bytes.length && lines.length <= DOCUMENTS_MAX;) {
    const found = bytes.indexOf(NEWLINE, start)
    const end = found === -1 ? bytes.length : found
    const line = bytes.subarray(start, end)
    if (line.some((byte) => byte > 0x20)) lines.push(line)
    start = end + 1
  }
  return lines
}

async function letters(
  { rows, ownerOf }: DocumentDependencies,
  { params, query, principal }: Context,
): Promise<Answer | Refusal> {
  const limit = limitOf(query, { default: PAGE_DEFAULT, most: PAGE_MAX, cursor: 'after' })
  if (limit instanceof Refusal) return limit
  const collection = params['collection'] ?? ''
  if (!maySee(principal, collection, ownerOf)) return refuse('collection_unknown', { collection })
  const access = accessOf(principal)
  const isTheirs = administers(principal, collection, ownerOf)
  const cursor = { limit, descending: false, after: query.get('after') ?? undefined, before: undefined }
  const { chosen, more } = await pageOf(
    rows,
    DEAD_LETTERS,
    [collection],
    cursor,
    ({ tenant }) => isTheirs || maySeeDocument(access, tenant === undefined ? {} : { metadata: { tenant } }),
  )
  return ok({ deadLetters: chosen.map(shownLetter), next: more ? (chosen.at(-1)?.document ?? null) : null })
}
