import { basename, matchesGlob, relative, sep } from 'node:path'
import { fault, type Problem, Refusal } from '../../base/errors.ts'
import { holdsNoText } from '../../base/media.ts'
import type { SourceConfig } from '../../config/schema.ts'
import { put, scanAll, type Rows } from '../../store/rows.ts'
import { collectionKey, type About, type DocumentRow } from '../document.ts'
import {
  documentId,
  type Folders,
  type ItemDocument,
  type OpenSource,
  placeSource,
  type SourceRow,
  SOURCES,
  type Sources,
  trustOf,
  uriOf,
} from '../sources.ts'
import type { IngestFile } from './port.ts'
import type { QuarantineRow } from './quarantine.ts'
import type { Progress } from './state.ts'

/** What a run is to read, and afterwards what of the collection is gone from there. */
export interface Listing {
  readonly files: Iterable<Listed> | AsyncIterable<Listed>
  /** Asked once all `files` were listed. Absent: nothing is ever gone, as of a single file. */
  readonly isGone?: (row: DocumentRow) => boolean
  /** Likewise: whether it was listed, or hidden by what could not be. */
  readonly isThere: (document: string, uri: string) => boolean
  close(): Promise<void>
}

export interface Listed extends Omit<IngestFile, 'bytes' | 'about' | 'name' | 'knownHash'> {
  knownHash?: string
  name: string
  about: About
  /** How it is read: with others; alone, keeping nothing, to find the one that ended the process;
   *  alone, because one of its group did and it did not. */
  care: 'group' | 'probe' | 'alone'
  /** Brings its content, where it is no file. */
  readonly read?: ItemDocument['read']
  /** It was listed and is not there. */
  readonly onAbsent?: () => void
  /** What was brought, until it is read. */
  bytes?: Uint8Array
  /** Of what was brought. */
  contentHash?: string
  quarantined?: QuarantineRow
  former?: DocumentRow
  /** Of the row of `former`. */
  formerVersion?: number
  /** It is on the list of dead letters. */
  isDead?: boolean
}

export interface ListingOptions {
  readonly rows: Rows
  readonly folders: Folders
  readonly sources: Sources
}

/** Files of one run. */
const RUN_FILES_MAX = 1_000_000

type Local = Extract<SourceConfig, { readonly kind: 'folder' | 'glob' }>
const isLocal = (source: SourceConfig): source is Local => source.kind === 'folder' || source.kind === 'glob'

export class Lister {
  readonly #options: ListingOptions
  readonly #collection: string
  readonly #progress: Progress
  readonly #signal: AbortSignal
  readonly #onRefused: (uri: string, problem: Problem) => void
  readonly #seen = new Set<string>()
  readonly #hidden: string[] = []

  /** @param onRefused What is there and cannot be read. */
  constructor(
    options: ListingOptions,
    progress: Progress,
    signal: AbortSignal,
    onRefused: (uri: string, problem: Problem) => void,
  ) {
    this.#options = options
    this.#collection = progress.row.collection
    this.#progress = progress
    this.#signal = signal
    this.#onRefused = onRefused
  }

  /** A refusal where the source cannot be read at all. */
  async open(): Promise<Listing | Refusal> {
    const { path, source = { kind: 'folder', path } } = this.#progress.row
    return isLocal(source) ? await this.#openLocal(source) : await this.#openRemote(source)
  }

  #check(): void {
    if (this.#signal.aborted) throw fault('stopping', {})
  }

  async #openLocal(spec: Local): Promise<Listing | Refusal> {
    const { folders } = this.#options
    const locator = spec.kind === 'folder' ? this.#progress.row.path : spec.pattern
    const opened = await folders.open(spec.kind === 'folder' ? locator : globRoot(spec.pattern))
    if (opened instanceof Refusal) return opened
    const root = await this.#place(opened.path)
    const about = aboutOf(spec, locator)
    const files: Listed[] = []
    for await (const found of folders.walk(opened)) {
      this.#check()
      if (found.kind === 'ignored') {
        this.#progress.count({ ignored: 1 })
        continue
      }
      if (
        found.kind === 'file' &&
        spec.kind === 'glob' &&
        !matchesGlob(found.path, realPattern(spec.pattern, opened.path))
      )
        continue
      const uri = opened.kind === 'file' || found.relative === '' ? root : `${root}/${uriOf(found.relative)}`
      this.#progress.count({ found: 1 })
      if (found.kind === 'refused') {
        // What stands there may still be; only what is seen to be gone is removed.
        this.#refuse(uri, found.refusal, found.hides)
        continue
      }
      const document = documentId(uri)
      this.#see(document)
      files.push({ path: found.path, name: basename(found.relative), document, uri, about, care: 'group' })
    }
    const isOurs = ({ uri, provenance }: DocumentRow): boolean =>
      spec.kind === 'glob'
        ? provenance?.source === locator
        : uri.startsWith(`${root}/`) && ['folder', 'glob', undefined].includes(provenance?.kind)
    return { files, ...this.#knowing(opened.kind === 'folder' ? isOurs : undefined), close: async () => {} }
  }

  async #openRemote(spec: SourceConfig): Promise<Listing | Refusal> {
    const source = await this.#options.sources.open(spec, this.#signal)
    if (source instanceof Refusal) return source
    try {
      const root = source.base === undefined ? undefined : await this.#place(source.locator, source.base)
      return {
        files: this.#listed(source, spec, root),
        ...this.#knowing(({ provenance }) => provenance?.source === source.locator),
        close: () => source.close(),
      }
    } catch (thrown) {
      await source.close()
      throw thrown
    }
  }

  async *#listed(source: OpenSource, spec: SourceConfig, root: string | undefined): AsyncGenerator<Listed> {
    const about = aboutOf(spec, source.locator)
    for await (const item of source.list(this.#signal)) {
      this.#check()
      if (item.kind === 'ignored' || (item.kind === 'document' && holdsNoText(item.name))) {
        this.#progress.count({ ignored: 1 })
        continue
      }
      const uri = root === undefined ? item.uri : item.uri === '' ? root : `${root}/${item.uri}`
      this.#progress.count({ found: 1 })
      if (item.kind === 'refused') {
        this.#refuse(uri, item.refusal, item.hides === true)
        continue
      }
      const document = documentId(uri)
      // Listed twice it is read once.
      if (this.#seen.has(document)) continue
      this.#see(document)
      yield {
        name: item.name,
        document,
        uri,
        about: refined(about, item),
        care: 'group',
        read: item.read.bind(item),
        onAbsent: () => this.#seen.delete(document),
      }
    }
    this.#check()
  }

  #see(document: string): void {
    if (this.#seen.size >= RUN_FILES_MAX)
      throw fault('overloaded', { what: 'the number of files in one run', limit: RUN_FILES_MAX })
    this.#seen.add(document)
  }

  #refuse(uri: string, refusal: Refusal, hides: boolean): void {
    this.#onRefused(uri, refusal)
    this.#hidden.push(hides ? `${uri}/` : uri)
  }

  #knowing(isOurs: ((row: DocumentRow) => boolean) | undefined): Pick<Listing, 'isGone' | 'isThere'> {
    const isHidden = (uri: string): boolean =>
      this.#hidden.some((one) => uri === one || (one.endsWith('/') && uri.startsWith(one)))
    const isThere = (document: string, uri: string): boolean => this.#seen.has(document) || isHidden(uri)
    return isOurs === undefined ? { isThere } : { isThere, isGone: (row) => isOurs(row) && !isThere(row.id, row.uri) }
  }

  async #place(path: string, name?: string): Promise<string> {
    const { rows, folders } = this.#options
    const known: SourceRow[] = []
    for await (const { row } of scanAll(rows, SOURCES, collectionKey(this.#collection))) known.push(row)
    const gone = new Set<string>()
    for (const one of known)
      if (one.path.startsWith(sep) && (await folders.open(one.path)) instanceof Refusal) gone.add(one.path)
    const { uri, row } = placeSource({ path }, known, (one) => gone.has(one), name)
    if (row !== undefined) await rows.commit([put(SOURCES, [this.#collection, row.name], row)])
    return uri
  }
}

function aboutOf(source: SourceConfig, locator: string): About {
  const { kind, metadata } = source
  return {
    trust: trustOf(source),
    provenance: { kind, source: locator },
    ...(metadata === undefined ? {} : { metadata }),
  }
}

/** `about`, with what is known of one document. */
export function refined(
  about: About,
  { title, metadata, revision, hint }: Pick<ItemDocument, 'title' | 'metadata' | 'revision' | 'hint'>,
): About {
  if (title === undefined && metadata === undefined && revision === undefined && hint === undefined) return about
  return {
    ...about,
    ...(title === undefined ? {} : { title }),
    ...(metadata === undefined ? {} : { metadata: { ...about.metadata, ...metadata } }),
    provenance: {
      ...about.provenance,
      ...(revision === undefined ? {} : { revision }),
      ...(hint === undefined || hint === revision ? {} : { hint }),
    },
  }
}

/** Whether a document that is read again would be kept as it was, if its content is the same. */
export const isSameAbout = (former: DocumentRow, { title, metadata, trust }: About): boolean =>
  (former.trust ?? 'internal') === trust &&
  (title === undefined || title === former.title) &&
  JSON.stringify(sorted(former.metadata)) === JSON.stringify(sorted(metadata))

/** The same, while only what its source was declared with is known of the document: its own title and
 *  attributes come with its content. */
export const mayBeSameAbout = (former: DocumentRow, { trust, metadata = {} }: About): boolean =>
  (former.trust ?? 'internal') === trust &&
  Object.entries(metadata).every(([name, value]) => former.metadata?.[name] === value)

const sorted = (metadata: About['metadata'] = {}): unknown =>
  Object.entries(metadata).toSorted(([a], [b]) => (a < b ? -1 : 1))

/** What tells whether the source has changed since: the hint, or the revision itself. */
export const hintOf = (provenance: About['provenance'] | undefined): string | undefined =>
  provenance?.hint ?? provenance?.revision

const WILD = /[*?[\]{}()!]/

/** The folder that holds whatever `pattern` can match. */
function globRoot(pattern: string): string {
  const parts = pattern.split(sep)
  const wild = parts.findIndex((part) => WILD.test(part))
  return parts.slice(0, wild === -1 ? parts.length - 1 : wild).join(sep) || sep
}

/** The pattern below the folder as it is without links. */
const realPattern = (pattern: string, root: string): string =>
  `${root === sep ? '' : root}${sep}${relative(globRoot(pattern), pattern)}`
