import { mkdirSync, openSync, closeSync, fsyncSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { DuckDBAppender, DuckDBConnection } from '@duckdb/node-api'
import { FULL, isCode } from '../../base/durable.ts'
import { reasonOf } from '../../base/errors.ts'
import type { FromArchive, ToArchive } from '../../trace/archive.ts'
import type { TimeRange } from '../../trace/port.ts'
import { SPAN_COLUMNS, type SpanCell } from '../../trace/span.ts'

/** Spans in Parquet files that lie in the open, a folder for each day. DuckDB takes the rows apart,
 *  orders and compresses them, in threads of its own. */

/** Spans of one trace lie together; a question for one trace reads one row group of a file. */
const ROW_GROUP_SPANS = 20_480
const WRITING = { memory_limit: '512MB', threads: '2' } as const
/** One thread: a row group is taken apart sooner than it is handed to another thread. */
const READING = { memory_limit: '256MB', threads: '1' } as const
/** Rows of one piece of an export. */
const PIECE_ROWS = 2_048

/** `traceId` -> `trace_id`, as other programs expect of columns. */
const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
const COLUMN_NAMES = SPAN_COLUMNS.map(([name]) => snake(name))
const PROBABILITY_AT = SPAN_COLUMNS.findIndex(([name]) => name === 'probability')

const columnSql = ([name, type]: (typeof SPAN_COLUMNS)[number], at: number): string => {
  const cell = `f[${at + 1}]`
  if (at === PROBABILITY_AT) return `least(CAST(${cell} AS DOUBLE), probability) AS probability`
  return `${type === 'integer' ? `CAST(${cell} AS BIGINT)` : cell} AS ${snake(name)}`
}
const PATHS = SPAN_COLUMNS.map((_, at) => `'$[${at}]'`).join(', ')
const COLUMNS_SQL = SPAN_COLUMNS.map(columnSql).join(', ')

export class SpanFiles {
  readonly #folder: string
  readonly #writer: DuckDBConnection
  /** Of a database of its own, so that no question waits for a file that is being written. */
  readonly #reader: DuckDBConnection
  #appender: DuckDBAppender | undefined

  private constructor(folder: string, writer: DuckDBConnection, reader: DuckDBConnection) {
    this.#folder = folder
    this.#writer = writer
    this.#reader = reader
  }

  /** Rejects where the library is not installed, which is optional. */
  static async open(folder: string): Promise<SpanFiles> {
    const { DuckDBInstance } = await import('@duckdb/node-api')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const spill = join(folder, '.tmp')
    rmSync(spill, { recursive: true, force: true }) // A crash leaves what was being sorted.
    const connected = async (limits: { readonly [name: string]: string }): Promise<DuckDBConnection> => {
      const instance = await DuckDBInstance.create(':memory:', {
        autoinstall_known_extensions: 'false',
        autoload_known_extensions: 'false',
        temp_directory: spill,
        ...limits,
      })
      return instance.connect()
    }
    const [writer, reader] = [await connected(WRITING), await connected(READING)]
    await writer.run('CREATE TEMP TABLE staged (cells VARCHAR, probability DOUBLE)')
    // A file never changes: its footer is read once.
    await reader.run('SET parquet_metadata_cache = true')
    return new SpanFiles(folder, writer, reader)
  }

  async take(message: ToArchive): Promise<FromArchive> {
    try {
      if (message.say === 'begin') await this.#begin()
      else if (message.say === 'rows') this.#append(message.cells, message.probabilities)
      else if (message.say === 'merge') return { bytes: await this.#merge(message.files, message.file) }
      else return { bytes: await this.#end(message.file) }
      return { bytes: 0 }
    } catch (thrown) {
      if (message.say === 'end' || message.say === 'merge')
        rmSync(join(this.#folder, `${message.file}.new`), { force: true })
      return {
        failed: reasonOf(thrown),
        isDiskFull: isCode(thrown, ...FULL) || /no space left/i.test(reasonOf(thrown)),
      }
    }
  }

  /** Spans of one trace by their start, as cells. */
  async trace(
    files: readonly string[],
    traceId: string,
    { offset, limit }: { readonly offset: number; readonly limit: number },
  ): Promise<SpanCell[][]> {
    const reader = await this.#reader.runAndReadAll(
      `SELECT ${COLUMN_NAMES.join(', ')} FROM read_parquet([${this.#paths(files)}])
       WHERE trace_id = $1 ORDER BY start_us, span_id LIMIT ${Math.floor(limit)} OFFSET ${Math.floor(offset)}`,
      [traceId],
    )
    return reader.getRowsJS().map(cellsOf)
  }

  /** A piece of one file's spans within a range of time. */
  async piece(
    file: string,
    { fromUs = 0, toUs = Number.MAX_SAFE_INTEGER }: TimeRange,
    at: number,
  ): Promise<SpanCell[][]> {
    const reader = await this.#reader.runAndReadAll(
      `SELECT ${COLUMN_NAMES.join(', ')} FROM read_parquet([${this.#paths([file])}], file_row_number = true)
       WHERE file_row_number >= ${at} AND file_row_number < ${at + PIECE_ROWS}
         AND start_us >= ${fromUs} AND start_us < ${toUs}`,
    )
    return reader.getRowsJS().map(cellsOf)
  }

  close(): void {
    this.#writer.closeSync()
    this.#reader.closeSync()
  }

  async #begin(): Promise<void> {
    this.#appender?.closeSync()
    this.#appender = undefined
    await this.#writer.run('DELETE FROM staged')
    this.#appender = await this.#writer.createAppender('staged')
  }

  #append(cells: readonly string[], probabilities: readonly number[]): void {
    const appender = this.#appender
    if (appender === undefined) throw new Error('rows came before their beginning')
    for (const [at, text] of cells.entries()) {
      appender.appendVarchar(text)
      appender.appendDouble(probabilities[at] ?? 1)
      appender.endRow()
    }
    appender.flushSync()
  }

  async #end(file: string): Promise<number> {
    this.#appender?.closeSync()
    this.#appender = undefined
    const bytes = await this.#write(
      `SELECT ${COLUMNS_SQL} FROM (SELECT json_extract_string(cells, [${PATHS}]) AS f, probability FROM staged)`,
      file,
    )
    await this.#writer.run('DELETE FROM staged')
    return bytes
  }

  /** What does not fit the memory limit is sorted on the disk. */
  #merge(files: readonly string[], file: string): Promise<number> {
    return this.#write(`SELECT ${COLUMN_NAMES.join(', ')} FROM read_parquet([${this.#paths(files)}])`, file)
  }

  /** A file is there whole or not at all. */
  async #write(rows: string, file: string): Promise<number> {
    const path = join(this.#folder, file)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    await this.#writer.run(
      `COPY (${rows} ORDER BY trace_id, start_us)
       TO ${quoted(`${path}.new`)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP_SPANS})`,
    )
    sync(`${path}.new`)
    renameSync(`${path}.new`, path)
    if (process.platform !== 'win32') for (const folder of [dirname(path), this.#folder]) sync(folder)
    return statSync(path).size
  }

  #paths(files: readonly string[]): string {
    return files.map((file) => quoted(join(this.#folder, file))).join(', ')
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

function sync(path: string): void {
  const handle = openSync(path, 'r')
  fsyncSync(handle)
  closeSync(handle)
}

const cellsOf = (row: readonly unknown[]): SpanCell[] =>
  row.map((cell) => (typeof cell === 'bigint' ? Number(cell) : (cell as SpanCell)))

/** Whether the library is there, without loading it; rejects with the reason where it is not. */
export function checkInstalled(): void {
  import.meta.resolve('@duckdb/node-api')
}

/** Removes files below `folder` that no index knows of: a crash left them. */
export function removeOthers(folder: string, known: readonly string[]): number {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const kept = new Set(known)
  let removed = 0
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(folder.length + 1).replaceAll('\\', '/')
    if (!entry.isFile() || !/\.parquet(?:\.new)?$/.test(name) || kept.has(name)) continue
    rmSync(path)
    removed++
  }
  return removed
}
