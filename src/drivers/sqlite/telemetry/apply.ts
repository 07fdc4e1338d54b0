import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { requestIdOf } from '../../../trace/journal.ts'
import type { TelemetryRecord } from '../../../trace/record.ts'
import { HOUR_US, MINUTES_US, Rollups } from '../../../trace/rollup.ts'
import { type MetricPoint, type ScoreRow, type SpanCell, spanOf, type SpanRow } from '../../../trace/span.ts'
import { RollupTable } from './rollups.ts'
import { writing } from './schema.ts'

/** Takes records into the hot index, within a transaction that the caller holds. A span that is there
 *  already, in the index or in a file, changes nothing. */

/** What words of a trace can be searched by, from one batch, in UTF-16 units. */
const WORDS_UNITS_MAX = 1_500
/** Pieces of words of one trace: the row of each is `trace id * WORDS_PER_TRACE + n`. */
export const WORDS_PER_TRACE = 256
/** A span that says it began outside of this counts in the sums when it came: its clock is wrong. */
const PAST_US_MAX = 40 * 24 * HOUR_US
const FUTURE_US_MAX = 24 * HOUR_US

/** Changes of one trace by one batch. */
interface Pending {
  readonly id: number
  readonly isNew: boolean
  readonly row: { [column: string]: string | number | bigint | Uint8Array | null }
  /** Spans that lie in files, as 16 digits. */
  readonly gone: ReadonlySet<string>
  words: string
}

export class Applier {
  readonly #db: DatabaseSync
  readonly #rollups: RollupTable
  readonly #find: StatementSync
  readonly #insertTrace: StatementSync
  readonly #updateTrace: StatementSync
  readonly #insertSpan: StatementSync
  readonly #insertWords: StatementSync
  readonly #gone: StatementSync
  readonly #insertScore: StatementSync
  readonly #insertPoint: StatementSync
  #nextId: number

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#rollups = new RollupTable(db)
    this.#find = db.prepare('SELECT * FROM trace WHERE trace_id = ?')
    this.#insertTrace = writing(
      db,
      `INSERT INTO trace (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map((name) => `:${name}`).join(', ')})`,
    )
    this.#updateTrace = writing(
      db,
      `UPDATE trace SET ${COLUMNS.slice(2)
        .map((name) => `${name} = :${name}`)
        .join(', ')} WHERE id = :id AND trace_id = :trace_id`,
    )
    this.#insertSpan = writing(db, 'INSERT OR IGNORE INTO span (trace, span_id, start_us, cells) VALUES (?, ?, ?, ?)')
    this.#insertWords = writing(db, 'INSERT INTO words (rowid, body) VALUES (?, ?)')
    this.#gone = db.prepare('SELECT span_ids FROM gone WHERE trace_id = ?')
    this.#insertScore = writing(db, 'INSERT OR IGNORE INTO score (trace_id, id, at_us, json) VALUES (?, ?, ?, ?)')
    this.#insertPoint = writing(
      db,
      'INSERT OR IGNORE INTO point (name, at_us, labels, tenant, value, count) VALUES (?, ?, ?, ?, ?, ?)',
    )
    this.#nextId = Number(db.prepare('SELECT max(id) AS id FROM trace').get()?.['id'] ?? 0) + 1
  }

  /** What was rolled back gives its ids back. */
  forget(): void {
    this.#nextId = Number(this.#db.prepare('SELECT max(id) AS id FROM trace').get()?.['id'] ?? 0) + 1
  }

  /** Returns the sums of what was new, by five minutes. */
  apply(records: readonly TelemetryRecord[]): Rollups {
    const pending = new Map<string, Pending>()
    const minutes = new Rollups(MINUTES_US)
    const hours = new Rollups(HOUR_US)
    for (const { spans, scores, points, atUs } of records) {
      for (const cells of spans) {
        const row = spanOf(cells)
        if (!this.#add(row, cells, atUs, pending)) continue
        const isSane = row.startUs > atUs - PAST_US_MAX && row.startUs < atUs + FUTURE_US_MAX
        const counted = isSane ? row : { ...row, startUs: atUs }
        minutes.add(counted)
        hours.add(counted)
      }
      for (const score of scores) this.#score(score)
      for (const point of points) this.#point(point)
    }
    for (const one of pending.values()) this.#write(one)
    this.#rollups.add(MINUTES_US, minutes.sums())
    this.#rollups.add(HOUR_US, hours.sums())
    return minutes
  }

  #add(span: SpanRow, cells: readonly SpanCell[], atUs: number, all: Map<string, Pending>): boolean {
    let trace = all.get(span.traceId)
    if (trace === undefined) {
      trace = this.#open(span, atUs)
      all.set(span.traceId, trace)
    }
    if (trace.gone.has(span.spanId)) return false
    const { changes } = this.#insertSpan.run(
      trace.id,
      Buffer.from(span.spanId, 'hex'),
      span.startUs,
      JSON.stringify(cells),
    )
    if (Number(changes) === 0) return false
    addTo(trace.row, span, atUs)
    if (trace.words.length < WORDS_UNITS_MAX) trace.words += `${wordsOf(span)}\n`
    return true
  }

  #open(span: SpanRow, atUs: number): Pending {
    const traceId = Buffer.from(span.traceId, 'hex')
    const found = this.#find.get(traceId)
    // Files hold no trace that the index has forgotten, except those a sample has left out.
    const gone =
      found === undefined || Number(found['cold']) > 0 || Number(found['hot']) === 0
        ? this.#gone.all(traceId).flatMap((row) => idsOf(row['span_ids'] as Uint8Array))
        : []
    if (found !== undefined)
      return { id: Number(found['id']), isNew: false, row: { ...found }, gone: new Set(gone), words: '' }
    const id = this.#nextId++
    return { id, isNew: true, row: emptyTrace(id, traceId, span, atUs), gone: new Set(gone), words: '' }
  }

  #write({ id, isNew, row, words }: Pending): void {
    // Nothing of it was new.
    if (Number(row['spans']) === 0 || (!isNew && words === '')) return
    const texts = Number(row['texts'])
    const body = words.slice(0, WORDS_UNITS_MAX)
    if (texts < WORDS_PER_TRACE) {
      this.#insertWords.run(id * WORDS_PER_TRACE + texts, body)
      row['texts'] = texts + 1
    }
    row['latency_class'] = classOf(Number(row['end_us']) - Number(row['start_us']))
    row['cost_class'] = classOf(Number(row['cost']))
    if (isNew) this.#insertTrace.run(row)
    else this.#updateTrace.run(row)
  }

  #score(score: ScoreRow): void {
    const traceId = Buffer.from(score.traceId, 'hex')
    this.#insertScore.run(traceId, score.id, score.atUs, JSON.stringify(score))
  }

  #point({ name, atUs, labels, tenant, value, count }: MetricPoint): void {
    this.#insertPoint.run(name, atUs, labels, tenant, value, count)
  }
}

const COLUMNS = [
  'id',
  'trace_id',
  'tenant',
  'service',
  'name',
  'user',
  'session',
  'workflow',
  'model',
  'has_root',
  'start_us',
  'end_us',
  'spans',
  'errors',
  'input_tokens',
  'output_tokens',
  'cost',
  'request',
  'first_token_us',
  'probability',
  'latency_class',
  'cost_class',
  'touched_us',
  'hot',
  'cold',
  'texts',
  'prompt',
] as const

const emptyTrace = (id: number, traceId: Uint8Array, span: SpanRow, atUs: number): Pending['row'] => ({
  id,
  trace_id: traceId,
  tenant: span.tenant,
  service: span.service,
  name: span.name,
  user: '',
  session: '',
  workflow: '',
  model: '',
  has_root: 0,
  start_us: span.startUs,
  end_us: span.startUs,
  spans: 0,
  errors: 0,
  input_tokens: 0,
  output_tokens: 0,
  cost: 0,
  request: '',
  first_token_us: null,
  probability: 1,
  latency_class: 0,
  cost_class: 0,
  touched_us: atUs,
  hot: 0,
  cold: 0,
  texts: 0,
  prompt: '',
})

/** Classes to a doubling of latency or cost: each is 4 % wide. */
const CLASSES_PER_OCTAVE = 16

/** Traces lie in classes by their latency and by their cost, so that the newest slow ones are found
 *  without looking at all that were fast. */
export const classOf = (value: number): number =>
  value < 1 ? 0 : Math.floor(Math.log2(value) * CLASSES_PER_OCTAVE) + 1

function addTo(trace: Pending['row'], span: SpanRow, atUs: number): void {
  const startUs = Math.min(Number(trace['start_us']), span.startUs)
  trace['end_us'] = Math.max(Number(trace['end_us']), span.startUs + span.durationUs)
  trace['start_us'] = startUs
  trace['spans'] = Number(trace['spans']) + 1
  trace['hot'] = Number(trace['hot']) + 1
  if (span.status === 'error') trace['errors'] = Number(trace['errors']) + 1
  trace['touched_us'] = Math.max(Number(trace['touched_us']), atUs)
  if (span.probability < 1) trace['probability'] = Math.min(Number(trace['probability']), span.probability)
  const isRoot = span.parentId === ''
  if (isRoot && Number(trace['has_root']) === 0) {
    trace['has_root'] = 1
    trace['name'] = span.name
    trace['service'] = span.service
  }
  for (const name of ['user', 'session', 'workflow', 'model', 'prompt'] as const)
    if (trace[name] === '' || (isRoot && span[name] !== '')) trace[name] = span[name]
  addFigures(trace, span)
}

/** What we have answered ourselves we have also measured: what a caller says of the same calls is then
 *  no further cost. */
function addFigures(trace: Pending['row'], span: SpanRow): void {
  const isOwn = span.kind === 'request'
  if (!isOwn && trace['request'] !== '') return
  if (isOwn && trace['request'] === '') {
    const request = requestIdOf(span)
    Object.assign(trace, { request, input_tokens: 0, output_tokens: 0, cost: 0, first_token_us: null })
  }
  const { inputTokens, cachedInputTokens, cacheWriteTokens, outputTokens, reasoningTokens } = span
  trace['input_tokens'] =
    Number(trace['input_tokens']) + (inputTokens ?? 0) + (cachedInputTokens ?? 0) + (cacheWriteTokens ?? 0)
  trace['output_tokens'] = Number(trace['output_tokens']) + (outputTokens ?? 0) + (reasoningTokens ?? 0)
  trace['cost'] = Number(trace['cost']) + (span.costNanoUsd ?? 0)
  if (span.firstTokenUs === null) return
  const known = trace['first_token_us']
  trace['first_token_us'] = known === null ? span.firstTokenUs : Math.min(Number(known), span.firstTokenUs)
}

const wordsOf = ({ name, error, model, service, attributes }: SpanRow): string =>
  `${name} ${error} ${model} ${service} ${attributes === '{}' ? '' : attributes.slice(0, WORDS_UNITS_MAX)}`

const SPAN_ID_BYTES = 8

/** The ids of spans in a blob. */
function idsOf(blob: Uint8Array): string[] {
  const digits = Buffer.from(blob).toString('hex')
  const ids: string[] = []
  for (let at = 0; at < digits.length; at += 2 * SPAN_ID_BYTES) ids.push(digits.slice(at, at + 2 * SPAN_ID_BYTES))
  return ids
}
