import { refuse, Refusal } from '../base/errors.ts'
import { ATTRIBUTE_NAME_UNITS_MAX, ATTRIBUTE_UNITS_MAX, ATTRIBUTES_MAX } from '../config/sources.ts'
import type { Metadata } from './document.ts'
import type { Content, Item, OpenSource } from './sources.ts'

/** The rows of a query as documents: `id` and `text`, perhaps `title`, `media_type`, `updated_at`, and
 *  attributes. Where there is an `updated_at`, only rows whose value changed are read. */

/** A database that can be read, and nothing else. */
export interface Database {
  /** The names of the columns that a query gives; a refusal where it cannot be run. */
  columns(query: string): Promise<readonly string[] | Refusal>
  /** Its rows, page by page. Rejects with a `Fault` (`source_unavailable`). */
  pages(query: string, signal: AbortSignal): AsyncIterable<readonly Row[]>
  /** The first row of a query with one parameter, written as `placeholder`. */
  row(query: string, value: unknown): Promise<Row | undefined>
  readonly placeholder: string
  close(): Promise<void>
}

export interface Row {
  readonly [column: string]: unknown
}

export interface QueryConfig {
  readonly kind: string
  readonly name: string
  readonly query: string
}

const OURS: readonly string[] = ['id', 'text', 'title', 'media_type', 'updated_at', 'document', 'trust']

/** Closes the database where the query is refused. */
export async function openQuery(config: QueryConfig, database: Database): Promise<OpenSource | Refusal> {
  const query = config.query.trim().replace(/;$/, '')
  const source = `${config.kind}:${config.name}`
  const unreadable = (reason: string): Refusal => refuse('source_unreadable', { source, reason })
  const columns = await database.columns(`SELECT * FROM (${query}\n) AS documents LIMIT 0`)
  const refusal =
    columns instanceof Refusal
      ? unreadable(String(columns.details['reason']))
      : (['id', 'text']
          .map((one) => (columns.includes(one) ? undefined : unreadable(`the query gives no column "${one}"`)))
          .find((one) => one !== undefined) ??
        (columns.filter((one) => !OURS.includes(one)).length > ATTRIBUTES_MAX
          ? unreadable(`the query gives more than ${ATTRIBUTES_MAX} columns besides its own`)
          : undefined))
  if (columns instanceof Refusal || refusal !== undefined) {
    await database.close()
    return refusal ?? unreadable('')
  }
  return new QuerySource(source, config.name, query, columns.includes('updated_at'), database)
}

class QuerySource implements OpenSource {
  readonly locator: string
  readonly base: string
  readonly #query: string
  readonly #isDated: boolean
  readonly #database: Database

  constructor(locator: string, base: string, query: string, isDated: boolean, database: Database) {
    this.locator = locator
    this.base = base
    this.#query = query
    this.#isDated = isDated
    this.#database = database
  }

  async *list(signal: AbortSignal): AsyncGenerator<Item> {
    const columns = this.#isDated ? 'id, updated_at' : '*'
    for await (const page of this.#database.pages(`SELECT ${columns} FROM (${this.#query}\n) AS documents`, signal))
      for (const row of page) yield this.#item(row)
  }

  close(): Promise<void> {
    return this.#database.close()
  }

  #item(row: Row): Item {
    const { id, updated_at: updatedAt } = row
    const uri = id === null || id === undefined ? '' : encodeURIComponent(textOf(id).toWellFormed())
    if (uri === '' || uri.length > URI_UNITS_MAX)
      return {
        kind: 'refused',
        uri: 'row',
        refusal: refuse('document_unreadable', { reason: 'its `id` is empty or too long' }),
      }
    const base = { kind: 'document', uri, name: 'row.txt' } as const
    if (!this.#isDated) {
      const content = contentOf(row)
      return { ...base, read: async () => content }
    }
    const revision = updatedAt === null || updatedAt === undefined ? {} : { revision: textOf(updatedAt) }
    return { ...base, ...revision, read: () => this.#read(id) }
  }

  async #read(id: unknown): Promise<Content | Refusal> {
    const { placeholder } = this.#database
    const row = await this.#database.row(`SELECT * FROM (${this.#query}\n) AS documents WHERE id = ${placeholder}`, id)
    return row === undefined ? refuse('document_absent', { reason: 'its row was deleted meanwhile' }) : contentOf(row)
  }
}

const URI_UNITS_MAX = 4_096

function contentOf(row: Row): Content | Refusal {
  const { text, title, media_type: mediaType } = row
  if (text === null || text === undefined || text === '')
    return refuse('document_empty', { detail: ': its `text` is empty' })
  return {
    bytes: text instanceof Uint8Array ? text : new TextEncoder().encode(textOf(text)),
    ...(typeof title === 'string' && title !== '' ? { title } : {}),
    ...(typeof mediaType === 'string' ? { mediaType } : {}),
    metadata: metadataOf(row),
  }
}

function metadataOf(row: Row): Metadata {
  const found: { [name: string]: string | number | boolean } = {}
  for (const [name, value] of Object.entries(row)) {
    if (OURS.includes(name) || value === null || value === undefined || value instanceof Uint8Array) continue
    const kept =
      typeof value === 'number' || typeof value === 'boolean' ? value : textOf(value).slice(0, ATTRIBUTE_UNITS_MAX)
    found[name.slice(0, ATTRIBUTE_NAME_UNITS_MAX)] = kept
  }
  return found
}

function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)
}
