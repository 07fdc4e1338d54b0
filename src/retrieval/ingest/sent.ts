import { refuse, Refusal } from '../../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import {
  ATTRIBUTE_NAME_UNITS_MAX,
  ATTRIBUTE_UNITS_MAX,
  ATTRIBUTES_MAX,
  RESERVED_ATTRIBUTES,
  TRUST,
} from '../../config/sources.ts'
import type { Metadata, Trust } from '../document.ts'
import { FILE_BYTES_MAX } from '../../parse/limits.ts'
import { documentId, uriOf } from '../sources.ts'

/** A document as an application or a stream sends it, not as a source holds it. */
export interface SentDocument {
  readonly id: string
  readonly uri: string
  readonly bytes: Uint8Array
  readonly title?: string
  readonly mediaType?: string
  readonly metadata?: Metadata
  readonly trust?: Trust
}

const ID_UNITS_MAX = 256
const URI_UNITS_MAX = 4_096
const TITLE_UNITS_MAX = 1_000
const MEDIA_TYPE_UNITS_MAX = 200

/** What documents say of themselves, from a body or a query. */
export function readFields(fields: { readonly [name: string]: unknown }): Omit<SentDocument, 'bytes'> | Refusal {
  const uri = textField(fields, 'uri', URI_UNITS_MAX)
  const id = textField(fields, 'id', ID_UNITS_MAX)
  const title = textField(fields, 'title', TITLE_UNITS_MAX)
  const mediaType = textField(fields, 'mediaType', MEDIA_TYPE_UNITS_MAX)
  for (const one of [uri, id, title, mediaType]) if (one instanceof Refusal) return one
  const trust = fields['trust']
  if (trust !== undefined && !isTrust(trust))
    return invalid('trust', `is none of ${TRUST.join(', ')}`, 'Leave it out for `internal`.')
  const metadata = readMetadata(fields['metadata'])
  if (metadata instanceof Refusal) return metadata
  if (typeof id === 'string' && id.startsWith('doc_'))
    return invalid('id', 'begins with `doc_`, as ids do that Headworks gives', 'Choose another.')
  if (typeof id !== 'string' && typeof uri !== 'string')
    return invalid('id', 'is missing', 'Give the document an `id` or a `uri`: sent again, it replaces what was there.')
  const place = typeof uri === 'string' ? uri : uriOf('sent', String(id))
  return {
    id: typeof id === 'string' ? id : documentId(place),
    uri: place,
    ...(typeof title === 'string' ? { title } : {}),
    ...(typeof mediaType === 'string' ? { mediaType } : {}),
    ...(trust === undefined ? {} : { trust }),
    ...(metadata === undefined ? {} : { metadata }),
  }
}

/** From JSON: `{id, uri, title, mediaType, text | bytes, metadata, trust}`. */
export function readSent(value: Json): SentDocument | Refusal {
  if (!isObject(value)) return invalid('document', 'is no object', 'Send {"id": "...", "text": "..."}.')
  const unknown = Object.keys(value).find((name) => !FIELDS.includes(name))
  if (unknown !== undefined)
    return invalid(unknown.slice(0, 80), 'is not a known field', `Known here: ${FIELDS.join(', ')}.`)
  const fields = readFields(value)
  if (fields instanceof Refusal) return fields
  const bytes = content(value)
  return bytes instanceof Refusal ? bytes : { mediaType: 'text/plain', ...fields, bytes }
}

const FIELDS: readonly string[] = ['id', 'uri', 'title', 'mediaType', 'text', 'bytes', 'metadata', 'trust']

function content({ text, bytes }: JsonObject): Uint8Array | Refusal {
  if ((text === undefined) === (bytes === undefined))
    return invalid('text', 'must be given, or `bytes` in its place', 'Send one of the two.')
  if (typeof text === 'string') return fitting(new TextEncoder().encode(text))
  if (text !== undefined) return invalid('text', 'is no text', 'Send what is no text as `bytes`, in base 64.')
  if (typeof bytes !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(bytes))
    return invalid('bytes', 'is not base 64', 'Encode the file by RFC 4648, section 4.')
  return fitting(Buffer.from(bytes, 'base64'))
}

const fitting = (bytes: Uint8Array): Uint8Array | Refusal =>
  bytes.length > FILE_BYTES_MAX ? refuse('document_too_large', { limitBytes: FILE_BYTES_MAX, detail: '' }) : bytes

function readMetadata(value: unknown): Metadata | undefined | Refusal {
  if (value === undefined) return undefined
  if (!isObject(value)) return invalid('metadata', 'is no object', 'Send {"name": "text, number or boolean"}.')
  const entries = Object.entries(value)
  if (entries.length > ATTRIBUTES_MAX)
    return invalid('metadata', `has more than ${ATTRIBUTES_MAX} entries`, 'Send fewer.')
  for (const [name, one] of entries) {
    const field = `metadata.${name.slice(0, ATTRIBUTE_NAME_UNITS_MAX)}`
    if (name === '' || name.length > ATTRIBUTE_NAME_UNITS_MAX || !isStorable(name))
      return invalid(field, `has a name that is not 1 to ${ATTRIBUTE_NAME_UNITS_MAX} characters`, 'Rename it.')
    if (RESERVED_ATTRIBUTES.includes(name)) return invalid(field, 'has a name that is ours', 'Rename it.')
    if (
      typeof one === 'string'
        ? one.length > ATTRIBUTE_UNITS_MAX || !one.isWellFormed()
        : !['number', 'boolean'].includes(typeof one)
    )
      return invalid(field, `is no text of at most ${ATTRIBUTE_UNITS_MAX} characters, number or boolean`, 'Change it.')
  }
  return value as Metadata
}

function textField(
  fields: { readonly [name: string]: unknown },
  name: string,
  unitsMax: number,
): string | undefined | Refusal {
  const value = fields[name]
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string' && value !== '' && value.length <= unitsMax && isStorable(value)) return value
  return invalid(name, `is no text of 1 to ${unitsMax} characters`, 'Shorten it, or leave it out.')
}

/** Keys of no store hold U+0000, and UTF-8 has no halves of surrogate pairs. */
const isStorable = (text: string): boolean => text.isWellFormed() && !text.includes('\0')

const isTrust = (value: unknown): value is Trust => (TRUST as readonly unknown[]).includes(value)
const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })

/** As it can be read by `readSent` again. */
export const sentText = ({ bytes, ...fields }: SentDocument): string =>
  JSON.stringify({ ...fields, bytes: Buffer.from(bytes).toString('base64') })
