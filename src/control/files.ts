import { refuse, Refusal } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import { FILE_BYTES_MAX, type FileRow, FILES, type Purpose, PURPOSES } from '../files/file.ts'
import type { Files, Finish } from '../files/files.ts'
import { ownerOf } from '../files/owner.ts'
import type { Principal } from '../guard/principal.ts'
import type { Rows } from '../store/rows.ts'
import { type FormFields, readForm, type SentFile } from './form.ts'
import { cursorOf, pageOf, shownPage } from './openai-list.ts'
import { type Answer, type Context, type Download, ok, type Route } from './router.ts'

/** OpenAI's files: what callers send for vector stores and batches, and what batches answer. Each
 *  caller's are there for that caller alone. */

export interface FileDependencies {
  readonly rows: Rows
  readonly files: Pick<Files, 'write' | 'find' | 'isThere' | 'read' | 'remove'>
}

const NAME_UNITS_MAX = 512
/** Pages are of the size OpenAI has. */
const PAGE = { default: 10_000, most: 10_000 }
/** In seconds. */
const EXPIRES_AFTER = { least: 3_600, most: 2_592_000 }

export function fileRoutes(dependencies: FileDependencies): Route[] {
  const { rows, files } = dependencies
  return [
    {
      method: 'POST',
      path: '/v1/files',
      summary: 'Sends a file: a form with `purpose` (assistants, user_data or batch), `file` and `expires_after`.',
      role: 'user',
      ownBody: true,
      answer: (context) => upload(dependencies, context),
    },
    {
      method: 'GET',
      path: '/v1/files',
      summary: "The caller's files, newest first. `purpose`, `limit`, `order`, `after`.",
      role: 'user',
      answer: (context) => list(rows, files, context),
    },
    {
      method: 'GET',
      path: '/v1/files/{id}',
      summary: 'One file.',
      role: 'user',
      async answer(context) {
        const found = await findFile(files, context)
        return found instanceof Refusal ? found : ok(shownFile(found))
      },
    },
    {
      method: 'GET',
      path: '/v1/files/{id}/content',
      summary: 'Its bytes.',
      role: 'user',
      async answer(context): Promise<Download | Refusal> {
        const found = await findFile(files, context)
        if (found instanceof Refusal) return found
        const { name, bytes } = found
        return {
          headers: {
            // Never as what it says it is: it comes from our origin.
            'content-type': 'application/octet-stream',
            'content-length': String(bytes),
            'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name)}`,
            'x-content-type-options': 'nosniff',
          },
          pieces: files.read(found),
        }
      },
    },
    {
      method: 'DELETE',
      path: '/v1/files/{id}',
      summary: 'Removes it. What was read from it into vector stores stays there.',
      role: 'user',
      async answer({ params, principal }) {
        const id = params['id'] ?? ''
        if (principal === undefined || !(await files.remove(ownerOf(principal), id))) return absent(id)
        return ok({ id, object: 'file', deleted: true })
      },
    },
  ]
}

async function upload({ files }: FileDependencies, { request, principal }: Context): Promise<Answer | Refusal> {
  if (principal === undefined) return absent('')
  const most = Math.max(...PURPOSES.map((purpose) => FILE_BYTES_MAX[purpose]))
  const made = await readForm(request, most, ({ name, mediaType, pieces, fields }: SentFile) =>
    files.write({ owner: ownerOf(principal), name: fitName(name), mediaType }, pieces, async () => {
      const sent = await fields
      return sent instanceof Refusal ? sent : readFinish(sent)
    }),
  )
  return made instanceof Refusal ? made : ok(shownFile(made))
}

/** Fit to be shown and kept. */
const fitName = (name: string): string =>
  name
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, '')
    .slice(0, NAME_UNITS_MAX)
    .toWellFormed() || 'file'

const FIELDS: readonly string[] = ['purpose', 'file', 'expires_after[anchor]', 'expires_after[seconds]']

function readFinish(fields: FormFields): Finish | Refusal {
  const unknown = fields.keys().find((name) => !FIELDS.includes(name))
  if (unknown !== undefined)
    return invalid(unknown.slice(0, 80), 'is not a known field', 'Known are purpose, file and expires_after.')
  const purpose = PURPOSES.find((one) => one === fields.get('purpose'))
  if (purpose === undefined)
    return invalid('purpose', `must be one of ${PURPOSES.join(', ')}`, 'Send it as a field of the form.')
  const seconds = fields.get('expires_after[seconds]')
  const anchor = fields.get('expires_after[anchor]')
  if (seconds === undefined && anchor === undefined) return { purpose }
  const expiresAfterS = readExpiry({ anchor, seconds: seconds === undefined ? undefined : Number(seconds) })
  return expiresAfterS instanceof Refusal ? expiresAfterS : { purpose, expiresAfterS }
}

/** OpenAI's `expires_after`: seconds from the making on. */
export function readExpiry(
  { anchor, seconds }: { readonly anchor?: unknown; readonly seconds?: unknown },
  field = 'expires_after',
): number | Refusal {
  const { least, most } = EXPIRES_AFTER
  if (anchor !== 'created_at')
    return invalid(`${field}.anchor`, 'must be "created_at"', 'Leave `expires_after` out for a file that stays.')
  if (typeof seconds !== 'number' || !Number.isInteger(seconds) || seconds < least || seconds > most)
    return invalid(
      `${field}.seconds`,
      `must be a number of seconds from ${least} to ${most}`,
      'That is an hour to 30 days.',
    )
  return seconds
}

async function list(
  rows: Rows,
  files: FileDependencies['files'],
  { query, principal }: Context,
): Promise<Answer | Refusal> {
  const cursor = cursorOf(query, PAGE)
  if (cursor instanceof Refusal) return cursor
  const purpose = query.get('purpose')
  const fits = (row: FileRow): boolean => files.isThere(row) && (purpose === null || row.purpose === purpose)
  const { chosen, more } = await pageOf(
    rows,
    FILES,
    principal === undefined ? [''] : [ownerOf(principal)],
    cursor,
    fits,
  )
  return ok(shownPage(chosen.map(shownFile), more))
}

async function findFile(
  files: Pick<Files, 'find'>,
  { params, principal }: { readonly params: Context['params']; readonly principal: Principal | undefined },
): Promise<FileRow | Refusal> {
  const id = params['id'] ?? ''
  return (principal && (await files.find(ownerOf(principal), id))) ?? absent(id)
}

const absent = (id: string): Refusal => refuse('not_found', { what: 'file', id })

const shownFile = ({ id, name, bytes, purpose, createdAtMs, expiresAtMs }: FileRow): JsonObject => ({
  id,
  object: 'file',
  bytes,
  created_at: Math.floor(createdAtMs / 1000),
  ...(expiresAtMs === undefined ? {} : { expires_at: Math.floor(expiresAtMs / 1000) }),
  filename: name,
  purpose: purpose satisfies Purpose,
  // Deprecated by OpenAI, and asked for by its clients all the same.
  status: 'processed',
  status_details: null,
})

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
