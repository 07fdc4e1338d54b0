import type { DatabaseSync } from 'node:sqlite'
import type { PartFile } from '../../../trace/archive.ts'
import type {
  ScoredTrace,
  ScoreQuery,
  SeriesQuery,
  TimeRange,
  TracePage,
  TraceQuery,
  TraceSummary,
} from '../../../trace/port.ts'
import type { PackedPoint } from '../../../trace/rollup.ts'
import type { ScoreRow } from '../../../trace/span.ts'
import { RollupTable } from './rollups.ts'
import { TraceList } from './traces.ts'

/** What can be asked of the hot index. */

/** What the index knows of one trace. */
export interface FoundTrace {
  readonly summary: TraceSummary
  /** In the index still, by their start. */
  readonly cells: readonly string[]
  readonly hot: number
  /** In files. */
  readonly cold: number
  readonly scores: readonly ScoreRow[]
  readonly files: readonly string[]
}

export interface IndexStatus {
  readonly traces: number
  readonly recentSpans: number
  readonly files: number
  readonly fileSpans: number
  readonly fileBytes: number
  readonly unreadRecords: number
}

export class Questions {
  readonly #db: DatabaseSync
  readonly #list: TraceList
  readonly #rollups: RollupTable

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#list = new TraceList(db)
    this.#rollups = new RollupTable(db)
  }

  traces(query: TraceQuery): TracePage {
    return this.#list.page(query)
  }

  trace(
    traceId: string,
    { offset, limit }: { readonly offset: number; readonly limit: number },
  ): FoundTrace | undefined {
    const found = this.#list.find(traceId)
    if (found === undefined) return undefined
    const { id, summary } = found
    const files = this.#db
      .prepare(
        `SELECT DISTINCT file FROM trace_part LEFT JOIN merged ON merged.part = trace_part.part
           JOIN part ON part.id = coalesce(into_part, trace_part.part)
         WHERE trace = ? ORDER BY part.id`,
      )
      .all(id)
      .map(({ file }) => file as string)
    const hot = Number(this.#db.prepare('SELECT count(*) AS n FROM span WHERE trace = ?').get(id)?.['n'] ?? 0)
    const cold = Number(this.#db.prepare('SELECT cold FROM trace WHERE id = ?').get(id)?.['cold'] ?? 0)
    const cells = this.#db
      .prepare('SELECT cells FROM span WHERE trace = ? ORDER BY start_us, span_id LIMIT ? OFFSET ?')
      // Where some lie in files, they are put in order together.
      .all(id, files.length > 0 ? -1 : limit, files.length > 0 ? 0 : offset)
      .map((row) => row['cells'] as string)
    const scores = this.#db
      .prepare('SELECT json FROM score WHERE trace_id = ? ORDER BY at_us')
      .all(Buffer.from(traceId, 'hex'))
      .map((row) => JSON.parse(row['json'] as string) as ScoreRow)
    return { summary, cells, hot, cold, scores, files }
  }

  scores({ fromUs, toUs, name, tenant, limit }: ScoreQuery): ScoredTrace[] {
    return this.#db
      .prepare(
        `SELECT json, trace.request AS request, trace.model AS model
         FROM score LEFT JOIN trace ON trace.trace_id = score.trace_id
         WHERE at_us >= ? AND at_us < ?
           AND (? IS NULL OR json ->> 'name' = ?) AND (? IS NULL OR json ->> 'tenant' = ?)
         ORDER BY at_us DESC LIMIT ?`,
      )
      .all(fromUs, toUs, name ?? null, name ?? null, tenant ?? null, tenant ?? null, limit)
      .map((row) => {
        const score = JSON.parse(row['json'] as string) as ScoreRow
        const request = score.requestId ?? (row['request'] as string | null) ?? ''
        return { score, requestId: request, model: (row['model'] as string | null) ?? '' }
      })
  }

  series(query: SeriesQuery): PackedPoint[] {
    return this.#rollups.series(query)
  }

  /** Spans that are in no file yet, a page at a time. */
  recent(
    { fromUs = 0, toUs = Number.MAX_SAFE_INTEGER }: TimeRange,
    after: { readonly trace: number; readonly span: string },
    limit: number,
  ): { readonly cells: string[]; readonly after: { readonly trace: number; readonly span: string } } {
    const rows = this.#db
      .prepare(
        'SELECT trace, span_id, start_us, cells FROM span WHERE (trace, span_id) > (?, ?) ORDER BY trace, span_id LIMIT ?',
      )
      .all(after.trace, Buffer.from(after.span, 'hex'), limit)
    const last = rows.at(-1)
    return {
      cells: rows
        .filter((row) => Number(row['start_us']) >= fromUs && Number(row['start_us']) < toUs)
        .map((row) => row['cells'] as string),
      after:
        last === undefined || rows.length < limit
          ? { trace: -1, span: '' }
          : { trace: Number(last['trace']), span: Buffer.from(last['span_id'] as Uint8Array).toString('hex') },
    }
  }

  files({ fromUs = 0, toUs = Number.MAX_SAFE_INTEGER }: TimeRange): PartFile[] {
    return this.#db
      .prepare('SELECT file, spans, bytes, start_us, end_us FROM part WHERE end_us >= ? AND start_us < ? ORDER BY id')
      .all(fromUs, toUs)
      .map((row) => ({
        file: row['file'] as string,
        spans: Number(row['spans']),
        bytes: Number(row['bytes']),
        startUs: Number(row['start_us']),
        endUs: Number(row['end_us']),
      }))
  }

  status(): IndexStatus {
    const one = (sql: string): { readonly [name: string]: unknown } => this.#db.prepare(sql).get() ?? {}
    const parts = one('SELECT count(*) AS n, total(spans) AS spans, total(bytes) AS bytes FROM part')
    return {
      traces: Number(one('SELECT count(*) AS n FROM trace')['n']),
      recentSpans: Number(one('SELECT total(hot) AS n FROM trace WHERE hot > 0')['n']),
      files: Number(parts['n']),
      fileSpans: Number(parts['spans']),
      fileBytes: Number(parts['bytes']),
      unreadRecords: Number(one('SELECT count(*) AS n FROM unread')['n']),
    }
  }
}
