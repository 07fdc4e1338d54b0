import { createHash } from 'node:crypto'
import { basename, relative, sep } from 'node:path'
import type { Refusal } from '../base/errors.ts'
import { base32 } from '../base/ids.ts'
import { table } from '../store/rows.ts'

/** Where documents come from: folders and files of this machine. */
export interface Folders {
  /** Resolves links in `path` and says what is there. */
  open(path: string): Promise<Source | Refusal>
  /** Everything in a folder, or the one file, in a fixed order. Links are not followed, except to
   *  files inside the folder that would not be met otherwise. Never rejects: what cannot be
   *  listed is among what is found. */
  walk(source: Source): AsyncIterable<Found>
}

export interface Files {
  /** The whole file; refused unless it is a regular file of at most `bytesMax`. Never waits for a
   *  pipe and never rejects. */
  read(path: string, bytesMax: number): Promise<Uint8Array | Refusal>
}

export interface Source {
  /** Absolute, without links. */
  readonly path: string
  readonly kind: 'file' | 'folder'
}

export type Found =
  | { readonly kind: 'file'; readonly path: string; readonly relative: string }
  /** Left out without a word beyond its number: pictures, programs, archives. */
  | { readonly kind: 'ignored' }
  /** A folder that cannot be listed hides what is in it: it must not be taken for empty. */
  | { readonly kind: 'refused'; readonly relative: string; readonly refusal: Refusal; readonly hides: boolean }

/** What a collection was fed from, under the name its documents' URIs begin with. */
export interface SourceRow {
  readonly name: string
  readonly path: string
}

export const SOURCES = table<SourceRow>('sources')

/** Path segments as a URI has them, joined by `/`. */
export const uriOf = (...segments: readonly string[]): string =>
  segments
    .flatMap((part) => part.split(sep))
    .map(encode)
    .join('/')

const encode = (segment: string): string => encodeURIComponent(segment.toWellFormed())

/** The same file of the same source is the same document, whatever stands in it. */
export const documentId = (uri: string): string =>
  `doc_${base32(createHash('sha256').update(uri).digest().subarray(0, 26))}`

/** Where `source` stands among the sources a collection has: its documents' URIs are `uri`
 *  itself (a file) or begin with `uri` and a slash. `row` is to be kept where it is new.
 *
 *  A path inside a source is a part of it, so that one file of a folder can be read again. Two
 *  sources of one name get different ones, unless the former is gone: then it has moved. */
export function placeSource(
  source: Source,
  known: readonly SourceRow[],
  isGone: (path: string) => boolean,
): { readonly uri: string; readonly row?: SourceRow } {
  for (const { name, path } of known) {
    if (source.path === path) return { uri: name }
    const root = path.endsWith(sep) ? path : path + sep
    if (source.path.startsWith(root)) return { uri: `${name}/${uriOf(relative(path, source.path))}` }
  }
  const base = encode(basename(source.path)) || 'root'
  for (let i = 1; ; i++) {
    const name = i === 1 ? base : `${base}-${i}`
    const holder = known.find((row) => row.name === name)
    if (holder === undefined || isGone(holder.path)) return { uri: name, row: { name, path: source.path } }
  }
}
