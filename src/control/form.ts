import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Busboy, type BusboyInstance } from '@fastify/busboy'
import { Fault, reasonOf, refuse, Refusal } from '../base/errors.ts'
import type { Request } from '../base/http.ts'

/** A form with one file, read as it arrives (RFC 7578). */

export interface SentFile {
  readonly name: string
  readonly mediaType: string
  readonly pieces: AsyncIterable<Uint8Array>
  /** The other fields, before and behind the file: known when the form has ended. */
  readonly fields: Promise<FormFields | Refusal>
}

export type FormFields = ReadonlyMap<string, string>

/** All that is no file. */
const FIELDS_BYTES_MAX = 64 * 1024
const FIELD_BYTES_MAX = 4 * 1024
const FIELDS_MAX = 64
const PART_HEADER_BYTES_MAX = 8 * 1024

/** Gives the part called `file` to `take`, and resolves to what that does. Rejects with the faults of
 *  `take` and of `Request.pieces`. */
export async function readForm<Taken>(
  request: Request,
  fileBytesMax: number,
  take: (file: SentFile) => Promise<Taken | Refusal>,
): Promise<Taken | Refusal> {
  const parser = parserFor(request)
  if (parser instanceof Refusal) return parser
  const fields = new Map<string, string>()
  const ended = Promise.withResolvers<FormFields | Refusal>()
  let stream: Readable | undefined
  let taking: Promise<Taken | Refusal> | undefined
  let problem: string | undefined
  parser.on('file', (field, file, name, _, mediaType) => {
    stream = file
    if (field !== 'file') problem ??= 'has a file that is not called `file`'
    if (problem !== undefined) return void file.resume()
    const pieces = file.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>
    // What a stopped reader leaves is passed over, so that the form comes to its end.
    taking = take({ name, mediaType, pieces, fields: ended.promise }).finally(() => file.resume())
    taking.catch(() => {})
  })
  parser.on('field', (name, value, _, isCut) => {
    if (isCut) problem ??= `has a field of more than ${FIELD_BYTES_MAX} bytes`
    fields.set(name, value)
  })
  parser.on('fieldsLimit', () => (problem ??= `has more than ${FIELDS_MAX} fields`))
  parser.on('filesLimit', () => (problem ??= 'has more than one file'))
  try {
    await pipeline(request.pieces(fileBytesMax + FIELDS_BYTES_MAX), parser)
  } catch (thrown) {
    problem = `breaks off: ${reasonOf(thrown)}`
    ended.resolve(malformed(problem))
    stream?.destroy(thrown instanceof Error ? thrown : undefined)
    await taking?.catch(() => {})
    if (thrown instanceof Fault) throw thrown
    return malformed(problem)
  }
  if (taking === undefined) problem ??= 'has no part `file` with a file name'
  ended.resolve(problem === undefined ? fields : malformed(problem))
  return (await taking) ?? malformed(problem ?? '')
}

function parserFor({ headers }: Request): BusboyInstance | Refusal {
  const contentType = headers['content-type'] ?? ''
  if (!/^multipart\/form-data\s*;.*boundary=/i.test(contentType))
    return malformed('is not multipart/form-data with a boundary')
  try {
    return new Busboy({
      headers: { ...headers, 'content-type': contentType },
      // What has no file name is a field, whatever its type.
      isPartAFile: (_, __, fileName) => fileName !== undefined,
      limits: { files: 1, fields: FIELDS_MAX, fieldSize: FIELD_BYTES_MAX, headerSize: PART_HEADER_BYTES_MAX },
    })
  } catch (thrown) {
    return malformed(`cannot be read: ${reasonOf(thrown)}`)
  }
}

const malformed = (problem: string): Refusal =>
  refuse('field_invalid', {
    field: 'body',
    problem,
    remedy:
      'Send multipart/form-data with `purpose` and one `file`, as `curl -F purpose=batch -F file=@in.jsonl` does.',
  })
