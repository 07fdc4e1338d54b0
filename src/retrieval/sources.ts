import { createHash } from 'node:crypto'
import { basename, relative, sep } from 'node:path'
import type { Refusal } from '../base/errors.ts'
import { base32 } from '../base/ids.ts'
import type { SourceConfig } from '../config/schema.ts'
import { table } from '../store/rows.ts'
import type { Metadata, Trust } from './document.ts'

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

/** Sources that are no files of this machine: a store of objects, the web, a repository, a database.
 *  What lies there is fetched by us and handed to the worker as bytes. */
export interface Sources {
  /** Resolves once the source answers. Refused (`source_unreadable`) where it cannot be read as it
   *  is declared; rejects with a `Fault` (`source_unavailable`) where a later try may succeed. */
  open(spec: SourceConfig, signal: AbortSignal): Promise<OpenSource | Refusal>
}

export interface OpenSource {
  /** What the source is, the same at every reading and free of secrets: `s3://bucket/prefix`. */
  readonly locator: string
  /** What its documents' URIs begin with where an item's `uri` is not a whole one. */
  readonly base?: string
  /** Everything that is there now. What it does not list to its end, it rejects (`source_unavailable`):
   *  documents that are not listed are taken to be gone. Ends early when `signal` aborts. */
  list(signal: AbortSignal): AsyncIterable<Item>
  close(): Promise<void>
}

export type Item =
  | ItemDocument
  | { readonly kind: 'ignored' }
  /** It is there and cannot be read; the document it was before stays. `hides`: so with everything
   *  whose URI begins like it. */
  | { readonly kind: 'refused'; readonly uri: string; readonly refusal: Refusal; readonly hides?: boolean }

export interface ItemDocument {
  readonly kind: 'document'
  /** Whole, or below the source's `base`. */
  readonly uri: string
  /** With an extension where there is one: a hint at what it is. */
  readonly name: string
  /** As in `Provenance`. */
  readonly revision?: string
  readonly hint?: string
  readonly title?: string
  readonly metadata?: Metadata
  /** Its content. `known` is the hint of what was read before: where it still holds, `unchanged`.
   *  A refusal says that this one cannot be read; rejects with a `Fault` where the source is gone. */
  read(known: string | undefined, signal: AbortSignal): Promise<Content | 'unchanged' | Refusal>
}

export interface Content {
  readonly bytes: Uint8Array
  /** Where fetching told more than listing did. */
  readonly mediaType?: string
  readonly revision?: string
  readonly hint?: string
  readonly title?: string
  readonly metadata?: Metadata
}

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
 *  sources of one name get different ones, unless the former is gone: then it has moved.
 *
 *  @param named What it is called, where that is not the last part of its path. */
export function placeSource(
  source: Pick<Source, 'path'>,
  known: readonly SourceRow[],
  isGone: (path: string) => boolean,
  named?: string,
): { readonly uri: string; readonly row?: SourceRow } {
  for (const { name, path } of known) {
    if (source.path === path) return { uri: name }
    const root = path.endsWith(sep) ? path : path + sep
    if (source.path.startsWith(root)) return { uri: `${name}/${uriOf(relative(path, source.path))}` }
  }
  const base = encode(named ?? basename(source.path)) || 'root'
  for (let i = 1; ; i++) {
    const name = i === 1 ? base : `${base}-${i}`
    const holder = known.find((row) => row.name === name)
    if (holder === undefined || isGone(holder.path)) return { uri: name, row: { name, path: source.path } }
  }
}

/** What a source is called among people: what a run shows as its path. */
export function sourceText(source: SourceConfig): string {
  switch (source.kind) {
    case 'folder':
      return source.path
    case 'glob':
      return source.pattern
    case 's3':
      return `s3://${source.bucket}/${source.prefix}`
    case 'sitemap':
      return source.url
    case 'git':
      return source.repository
    case 'nats':
      return `nats:${source.stream}`
    case 'kafka':
      return `kafka:${source.topic}`
    default:
      return `${source.kind}:${source.name}`
  }
}

/** How far documents of a source may be believed: what anybody may have written, no further than said. */
export const trustOf = ({ kind, trust }: SourceConfig): Trust =>
  trust ?? (kind === 'urls' || kind === 'sitemap' ? 'untrusted' : 'internal')
