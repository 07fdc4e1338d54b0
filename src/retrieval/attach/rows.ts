import type { ErrorCode } from '../../base/errors.ts'
import { type Key, table } from '../../store/rows.ts'
import type { Metadata } from '../document.ts'

/** A file on its way into a collection, or one that did not get there. What has arrived has no such
 *  row: it is a document of the collection, under the file's id. */
export interface AttachmentRow {
  readonly collection: string
  readonly file: string
  /** Of the file. */
  readonly owner: string
  readonly attributes: Metadata
  readonly createdAtMs: number
  readonly state: 'in_progress' | 'failed' | 'cancelled'
  readonly problem?: { readonly code: ErrorCode; readonly message: string }
}

export const ATTACHMENTS = table<AttachmentRow>('vector_store_attachments')

export const attachmentKey = (collection: string, file: string): Key => [collection, file]

/** Files that are attached together. How far each is, its own rows say. */
export interface FileBatchRow {
  readonly id: string
  readonly collection: string
  readonly files: readonly string[]
  readonly createdAtMs: number
  /** Of who put them in. */
  readonly tenant?: string
}

export const FILE_BATCHES = table<FileBatchRow>('vector_store_file_batches')

export const fileBatchKey = (collection: string, id: string): Key => [collection, id]
