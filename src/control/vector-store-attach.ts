import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Files } from '../files/files.ts'
import { ownerOf } from '../files/owner.ts'
import type { Principal } from '../guard/principal.ts'
import { CHUNK_TOKENS_MAX } from '../parse/chunk.ts'
import type { Attached } from '../retrieval/attach/attachments.ts'
import type { AttachmentRow } from '../retrieval/attach/rows.ts'
import type { DocumentRow } from '../retrieval/document.ts'
import { collectionOf } from '../retrieval/generation/row.ts'
import { readFields } from '../retrieval/ingest/sent.ts'
import { TENANT } from '../retrieval/search/access.ts'

/** Files as OpenAI puts them into vector stores: how that is asked for, and how it is shown. */

/** When to look again at what is on its way, in milliseconds: OpenAI's clients wait 5 s without it. */
export const POLL_HEADERS = { 'openai-poll-after-ms': '250' }

/** Of one request. */
const FILES_MAX = 500

/** `{file_id, attributes, chunking_strategy}`. The file is the caller's own. */
export async function readAttached(
  files: Pick<Files, 'find'>,
  principal: Principal | undefined,
  body: Json,
  field = '',
): Promise<Attached | Refusal> {
  if (!isObject(body)) return invalid(field || 'body', 'must be an object', 'Send {"file_id": "..."}.')
  const { file_id: id, attributes, chunking_strategy: strategy } = body
  const known = ['file_id', 'attributes', 'chunking_strategy']
  const unknown = Object.keys(body).find((name) => !known.includes(name))
  if (unknown !== undefined)
    return invalid(field + unknown.slice(0, 80), 'is not a known field', `Known here: ${known.join(', ')}.`)
  if (typeof id !== 'string') return invalid(`${field}file_id`, 'must be the id of a file', 'POST /v1/files gives it.')
  const refused = refuseStrategy(strategy, field)
  if (refused !== undefined) return refused
  const described = readFields({ id, metadata: attributes ?? {} })
  if (described instanceof Refusal) return described
  const file = principal && (await files.find(ownerOf(principal), id))
  if (file === undefined) return refuse('not_found', { what: 'file', id })
  const tenant = principal?.bindings.tenant
  const given = described.metadata?.[TENANT]
  if (tenant !== undefined && given !== undefined && given !== tenant)
    return invalid(`${field}attributes.${TENANT}`, 'names another tenant than the key', 'Leave it out.')
  // What a tenant puts in is its own.
  return { file, attributes: { ...described.metadata, ...(tenant === undefined ? {} : { [TENANT]: tenant }) } }
}

/** `{file_ids, attributes, chunking_strategy}` for all alike, or `{files: [...]}` for each its own. */
export async function readManyAttached(
  files: Pick<Files, 'find'>,
  principal: Principal | undefined,
  body: Json,
): Promise<Attached[] | Refusal> {
  if (!isObject(body)) return invalid('body', 'must be an object', 'Send {"file_ids": [...]}.')
  const { file_ids: ids, files: each, ...shared } = body
  if ((ids === undefined) === (each === undefined))
    return invalid('file_ids', 'must be given, or `files` in its place', 'Send one of the two.')
  const entries = ids ?? each
  if (!Array.isArray(entries) || entries.length === 0 || entries.length > FILES_MAX)
    return invalid(ids === undefined ? 'files' : 'file_ids', `must be a list of 1 to ${FILES_MAX}`, 'Send several.')
  const found = new Map<string, Attached>()
  for (const [at, entry] of (entries as Json[]).entries()) {
    const one = ids === undefined ? entry : { ...shared, file_id: entry }
    const attached = await readAttached(files, principal, one, ids === undefined ? `files.${at}.` : '')
    if (attached instanceof Refusal) return attached
    found.set(attached.file.id, attached)
  }
  return [...found.values()]
}

/** Chunks follow a document's structure: what can be asked for is what they are. */
export function refuseStrategy(strategy: Json | undefined, field = ''): Refusal | undefined {
  if (strategy === undefined || strategy === null) return undefined
  const { type, static: fixed } = isObject(strategy) ? strategy : {}
  if (type === 'auto') return undefined
  const { max_chunk_size_tokens: most, chunk_overlap_tokens: overlap } = isObject(fixed) ? fixed : {}
  if (type === 'static' && most === CHUNK_TOKENS_MAX && overlap === 0) return undefined
  return invalid(
    `${field}chunking_strategy`,
    `can only be {"type": "auto"}, or static with max_chunk_size_tokens ${CHUNK_TOKENS_MAX} and chunk_overlap_tokens 0`,
    'Leave it out: chunks follow the structure of the document.',
  )
}

export const shownDocument = (collection: string, { id, bytes, ingestedAtMs, metadata }: DocumentRow): JsonObject => ({
  id,
  object: 'vector_store.file',
  created_at: Math.floor(ingestedAtMs / 1000),
  vector_store_id: collectionOf(collection),
  status: 'completed',
  usage_bytes: bytes,
  last_error: null,
  attributes: { ...metadata },
  chunking_strategy: { type: 'other' },
})

export const shownAttachment = ({
  collection,
  file,
  createdAtMs,
  state,
  problem,
  attributes,
}: AttachmentRow): JsonObject => ({
  id: file,
  object: 'vector_store.file',
  created_at: Math.floor(createdAtMs / 1000),
  vector_store_id: collection,
  status: state,
  usage_bytes: 0,
  last_error: problem === undefined ? null : { code: errorCode(problem.code), message: problem.message },
  attributes: { ...attributes },
  chunking_strategy: { type: 'other' },
})

/** OpenAI knows three. */
const errorCode = (code: string): string => {
  if (code === 'document_unsupported') return 'unsupported_file'
  return code.startsWith('document_') ? 'invalid_file' : 'server_error'
}

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
