import { type Key, table } from '../store/rows.ts'

/** A batch: the requests of a file, run one by one beside everybody else's, and what became of each. */

/** What a line may ask, and all lines of one batch do. */
export const ENDPOINTS = [
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/embeddings',
  '/v1/responses',
  '/v1/messages',
] as const
export type Endpoint = (typeof ENDPOINTS)[number]

export type BatchState =
  | 'validating'
  | 'failed'
  | 'in_progress'
  | 'finalizing'
  | 'completed'
  | 'expired'
  | 'cancelling'
  | 'cancelled'

/** How a batch comes to its end, once it is decided. */
export type BatchEnd = 'completed' | 'expired' | 'cancelled' | 'failed'

/** Why a batch is not run. */
export interface LineProblem {
  readonly code: string
  readonly message: string
  /** Of the input file, from 1; absent where it is no line's. */
  readonly line?: number
  readonly param?: string
}

export interface BatchRow {
  readonly id: string
  readonly owner: string
  /** The key on whose account every line is run. */
  readonly key: string
  readonly endpoint: Endpoint
  readonly inputFile: string
  readonly windowText: string
  readonly expiresAtMs: number
  readonly metadata: { readonly [name: string]: string }
  /** Of the files that are made for it; absent: they stay. */
  readonly outputExpiresAfterS?: number
  readonly state: BatchState
  /** Decided, and its files are being written. */
  readonly end?: BatchEnd
  /** When each state began. */
  readonly atMs: { readonly created: number } & { readonly [state in Exclude<BatchState, 'validating'>]?: number }
  /** Lines; 0 before they are counted. */
  readonly total: number
  /** The model of the first line. */
  readonly model?: string
  readonly problems?: readonly LineProblem[]
  /** Its results stand in files alone. */
  readonly isCleared?: true
  readonly outputFile?: string
  readonly errorFile?: string
}

/** How far it is: changed with every result, and by nobody but who runs it. */
export interface ProgressRow {
  readonly completed: number
  readonly failed: number
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly outputTokens: number
  readonly reasoningTokens: number
  /** A whole number, beyond what JSON's are. */
  readonly costNanoUsd: string
}

export const NO_PROGRESS: ProgressRow = {
  completed: 0,
  failed: 0,
  inputTokens: 0,
  cachedTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  costNanoUsd: '0',
}

/** What became of one line, as the line of the file it will stand in. */
export interface ResultRow {
  readonly text: string
  readonly isError: boolean
}

export const BATCHES = table<BatchRow>('batches')
export const PROGRESS = table<ProgressRow>('batch_progress')
export const RESULTS = table<ResultRow>('batch_results')

export const batchKey = (owner: string, id: string): Key => [owner, id]

const LINE_DIGITS = 8

export const resultKey = (batch: string, line: number): Key => [batch, String(line).padStart(LINE_DIGITS, '0')]

export const isOver = (state: BatchState): boolean =>
  state === 'failed' || state === 'completed' || state === 'expired' || state === 'cancelled'
