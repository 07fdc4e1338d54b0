import { type Key, table } from '../store/rows.ts'

/** A file as it is kept: a row that says what it is, and its bytes in parts of one size. */

/** What it is for, which decides how large it may be. Those of `batch_output` are made here. */
export type Purpose = 'assistants' | 'user_data' | 'batch' | 'batch_output'

const MIB = 2 ** 20

/** As OpenAI has them. */
export const FILE_BYTES_MAX: { readonly [purpose in Purpose]: number } = {
  assistants: 512 * MIB,
  user_data: 512 * MIB,
  batch: 200 * MIB,
  batch_output: Number.MAX_SAFE_INTEGER,
}

/** What callers may send files for. */
export const PURPOSES: readonly Purpose[] = ['assistants', 'user_data', 'batch']

export interface FileRow {
  readonly id: string
  readonly owner: string
  /** As its sender calls it. */
  readonly name: string
  readonly mediaType: string
  readonly purpose: Purpose
  readonly bytes: number
  readonly createdAtMs: number
  /** By the wall clock; absent: never. */
  readonly expiresAtMs?: number
  /** Only a whole one is there for anybody. `writing`: its bytes still arrive, or never will.
   *  `going`: they are being removed. */
  readonly state: 'writing' | 'whole' | 'going'
}

export const FILES = table<FileRow>('files')

export const fileKey = (owner: string, id: string): Key => [owner, id]

/** What an owner has, all files together. */
export interface HoldingRow {
  readonly files: number
  readonly bytes: number
}

export const HOLDINGS = table<HoldingRow>('file_holdings')

/** Beside each file that expires, in the order in which they do. */
export const EXPIRIES = table<null>('file_expiries')

const TIME_DIGITS = 15

export const expiryKey = (expiresAtMs: number, owner: string, id: string): Key => [
  String(Math.floor(expiresAtMs)).padStart(TIME_DIGITS, '0'),
  owner,
  id,
]
