import type { DatabaseSync } from 'node:sqlite'
import { fault } from '../../../base/errors.ts'
import type { TracePage, TraceQuery, TraceSummary } from '../../../trace/port.ts'
import { classOf, WORDS_PER_TRACE } from './apply.ts'

/** Lists of traces. Each question goes by the index that leaves the least to look at. */

type Cell = string | number | Uint8Array | null
interface Condition {
  readonly sql: string
  readonly values: readonly Cell[]
}

/** Pieces of words looked at for one step of a search, and steps of one answer: a search for words
 *  that are everywhere, with a filter that fits nowhere, ends. */
const WORDS_STEP = 1_000
const WORD_STEPS_MAX = 50

export class TraceList {
  readonly #db: DatabaseSync

  constructor(db: DatabaseSync) {
    this.#db = db
  }

  page(query: TraceQuery): TracePage {
    if (query.text !== undefined && wordsOf(query.text).length > 0) return this.#byWords(query)
    const rows = this.#rows(query)
    return pageOf(rows, query.limit, (row) => `${String(row['start_us'])}.${String(row['id'])}`)
  }

  find(traceId: string): { readonly id: number; readonly summary: TraceSummary } | undefined {
    const row = this.#db.prepare('SELECT * FROM trace WHERE trace_id = ?').get(Buffer.from(traceId, 'hex'))
    return row === undefined ? undefined : { id: Number(row['id']), summary: summaryOf(row) }
  }

  #rows(query: TraceQuery): Row[] {
    const conditions = conditionsOf(query)
    const classes = classesOf(query)
    if (classes === undefined) return this.#select(conditions, query.limit + 1)
    // Each class has its newest; the newest of all are among them.
    const { column, from } = classes
    const most = this.#db.prepare(`SELECT max(${column}) AS class FROM trace WHERE ${column} > 0`).get()
    const found: Row[] = []
    for (let one = from; one <= Number(most?.['class'] ?? 0); one++) {
      const condition = { sql: `${column} > 0 AND ${column} = ?`, values: [one] }
      found.push(...this.#select([condition, ...conditions], query.limit + 1))
    }
    return found.sort(newestFirst).slice(0, query.limit + 1)
  }

  #select(conditions: readonly Condition[], limit: number): Row[] {
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.map(({ sql }) => sql).join(' AND ')}`
    return this.#db
      .prepare(`SELECT * FROM trace ${where} ORDER BY start_us DESC, id DESC LIMIT ?`)
      .all(...conditions.flatMap(({ values }) => values), limit)
  }

  /** In the order they arrived, latest first: words know nothing of the start. */
  #byWords(query: TraceQuery): TracePage {
    const match = this.#db.prepare(
      'SELECT rowid AS id FROM words WHERE words MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?',
    )
    const words = wordsOf(query.text ?? '').join(' ')
    const conditions = conditionsOf({ ...query, before: undefined })
    let before = query.before === undefined ? Number.MAX_SAFE_INTEGER : cursorOf(query.before)[0]
    const rows: Row[] = []
    const seen = new Set<number>()
    for (let step = 0; step < WORD_STEPS_MAX && rows.length <= query.limit; step++) {
      const pieces = match.all(words, before, WORDS_STEP).map(({ id }) => Number(id))
      const ids = [...new Set(pieces.map((piece) => Math.floor(piece / WORDS_PER_TRACE)))].filter((id) => !seen.has(id))
      for (const id of ids) seen.add(id)
      rows.push(
        ...this.#select(
          [{ sql: 'id IN (SELECT value FROM json_each(?))', values: [JSON.stringify(ids)] }, ...conditions],
          WORDS_STEP,
        ).sort((a, b) => Number(b['id']) - Number(a['id'])),
      )
      before = pieces.at(-1) ?? 0
      if (pieces.length < WORDS_STEP) break
    }
    return pageOf(rows, query.limit, (row) => `${Number(row['id']) * WORDS_PER_TRACE}.0`)
  }
}

type Row = { readonly [column: string]: unknown }

const newestFirst = (a: Row, b: Row): number =>
  Number(b['start_us']) - Number(a['start_us']) || Number(b['id']) - Number(a['id'])

function pageOf(rows: readonly Row[], limit: number, cursor: (last: Row) => string): TracePage {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const traces = shown.map(summaryOf)
  return rows.length > limit && last !== undefined ? { traces, next: cursor(last) } : { traces }
}

/** Quoted, so that no word is an operator. */
const wordsOf = (text: string): string[] => (text.match(/[\p{L}\p{N}]+/gu) ?? []).map((word) => `"${word}"`)

function conditionsOf(query: TraceQuery): Condition[] {
  const found: Condition[] = []
  const add = (sql: string, ...values: Cell[]): void => void found.push({ sql, values })
  // An index on names without '' is used only where the question says that it wants none of these.
  for (const name of ['session', 'user', 'model', 'workflow', 'prompt', 'tenant'] as const) {
    const value = query[name]
    if (value !== undefined) add(value === '' ? `${name} = ?` : `${name} = ? AND ${name} <> ''`, value)
  }
  if (query.service !== undefined) add('service = ?', query.service)
  if (query.status !== undefined) add(query.status === 'error' ? 'errors > 0' : 'errors = 0')
  if (query.fromUs !== undefined) add('start_us >= ?', query.fromUs)
  if (query.toUs !== undefined) add('start_us < ?', query.toUs)
  if (query.durationUsMin !== undefined) add('end_us - start_us >= ?', query.durationUsMin)
  if (query.costNanoUsdMin !== undefined) add('cost >= ?', query.costNanoUsdMin)
  if (query.before !== undefined) {
    const [startUs, id] = cursorOf(query.before)
    add('(start_us, id) < (?, ?)', startUs, id)
  }
  return found
}

const NAMED = ['session', 'user', 'model', 'workflow', 'prompt', 'tenant'] as const

/** Where nothing named narrows it down, the least class of latency or cost that fits. */
function classesOf(
  query: TraceQuery,
): { readonly column: 'cost_class' | 'latency_class'; readonly from: number } | undefined {
  if (NAMED.some((name) => (query[name] ?? '') !== '') || query.status === 'error') return undefined
  const { durationUsMin = 0, costNanoUsdMin = 0 } = query
  if (costNanoUsdMin >= 1) return { column: 'cost_class', from: classOf(costNanoUsdMin) }
  return durationUsMin >= 1 ? { column: 'latency_class', from: classOf(durationUsMin) } : undefined
}

function cursorOf(cursor: string): [number, number] {
  const match = /^(\d{1,16})\.(\d{1,16})$/.exec(cursor)
  if (match === null)
    throw fault('field_invalid', {
      field: 'before',
      problem: 'is no cursor of this list',
      remedy: 'Pass `next` of the page before, unchanged.',
    })
  return [Number(match[1]), Number(match[2])]
}

const summaryOf = (row: Row): TraceSummary => ({
  traceId: Buffer.from(row['trace_id'] as Uint8Array).toString('hex'),
  requestId: row['request'] as string,
  tenant: row['tenant'] as string,
  service: row['service'] as string,
  name: row['name'] as string,
  user: row['user'] as string,
  session: row['session'] as string,
  workflow: row['workflow'] as string,
  prompt: row['prompt'] as string,
  model: row['model'] as string,
  startUs: Number(row['start_us']),
  durationUs: Number(row['end_us']) - Number(row['start_us']),
  spans: Number(row['spans']),
  errors: Number(row['errors']),
  inputTokens: Number(row['input_tokens']),
  outputTokens: Number(row['output_tokens']),
  costNanoUsd: Number(row['cost']),
  firstTokenUs: row['first_token_us'] === null ? null : Number(row['first_token_us']),
  probability: Number(row['probability']),
})
