import { access, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { Fault, fault, reasonOf } from '../../base/errors.ts'
import type { Analyzer } from '../../base/words.ts'
import type { Index, MountedSegment } from '../../store/index.ts'
import { isBlobName } from '../../store/blobs.ts'
import { checkParts, checkQuery, ChunkCheck, originsOf, partsOf, queryTerms } from '../../store/index-input.ts'
import type { SearchTarget, VectorReader, Vectors } from '../../store/vectors.ts'
import { FULL, isCode, syncFolder, writeDurably } from '../../base/durable.ts'
import { Mount, type Mounted } from './mount.ts'
import { Segment } from './segment.ts'
import { SegmentBuilder } from './segment-build.ts'
import { decodeSegment, encodeSegment, type SegmentSections } from './segment-format.ts'
import { VectorRows } from './vector-rows.ts'

const SUFFIX = '.segment'
const UNFINISHED = '.unfinished'

export interface FilesystemIndexOptions {
  /** Where the vectors of large segments lie; absent: they are all held in memory and compared. */
  readonly apart?: Vectors
  /** Vectors of a segment that are held in memory and compared one by one. */
  readonly comparedMax?: number
  /** What searches of vectors that lie apart aim at. */
  readonly target?: SearchTarget
}

/** What one reading makes at a time; comparing so many takes about a millisecond. */
const COMPARED_MAX = 4_096
const TARGET: SearchTarget = { recallAt10: 0.95 }

/** The embedded index: one immutable file per segment under `folder`, held in memory while it is
 *  mounted. Several processes may share the folder: one builds, another mounts what was built. */
export function openFilesystemIndex(folder: string, analyzer: Analyzer, options: FilesystemIndexOptions = {}): Index {
  return new FilesystemIndex(folder, analyzer, options)
}

class FilesystemIndex implements Index {
  readonly #folder: string
  readonly #analyzer: Analyzer
  readonly #options: FilesystemIndexOptions
  readonly #mounts = new Map<string, { readonly mount: Mount; readonly segments: readonly Segment[] }>()
  /** Mounts take effect in the order they were asked for. */
  #lastMount: Promise<void> = Promise.resolve()

  constructor(folder: string, analyzer: Analyzer, options: FilesystemIndexOptions) {
    this.#folder = folder
    this.#analyzer = analyzer
    this.#options = options
  }

  build: Index['build'] = async (segment, chunks) => {
    const { apart, comparedMax = COMPARED_MAX } = this.#options
    const check = new ChunkCheck(segment)
    const builder = new SegmentBuilder(this.#analyzer)
    const rows = new VectorRows(segment, apart, comparedMax)
    try {
      for await (const part of partsOf(chunks)) {
        check.add(part)
        builder.add(part)
        await rows.add(part, check.dimension ?? 0)
      }
      // The file comes last: a segment without it was never built.
      const { vectors, probe } = await rows.finish()
      const sections = builder.finish(check.dimension ?? 0, vectors)
      const file = encodeSegment(sections)
      await writeOnce(this.#folder, this.#path(segment), file)
      const { chunks: count, terms } = sections.meta
      return { segment, chunks: count, terms, bytes: file.length, ...(probe === undefined ? {} : { probe }) }
    } catch (thrown) {
      await rows.abandon()
      throw thrown
    }
  }

  mount: Index['mount'] = (collection, parts) => {
    const mounting = this.#lastMount.then(() => this.#mount(collection, parts))
    this.#lastMount = mounting.catch(() => {})
    return mounting
  }

  search: Index['search'] = async (collection, query) => {
    const mount = this.#mounts.get(collection)?.mount
    checkQuery(query, mount?.dimension)
    if (mount === undefined) return []
    if (query.vector !== undefined) return mount.searchVector(query.vector, query)
    return mount.searchWords(queryTerms(this.#analyzer, query.terms ?? []), query)
  }

  statistics: Index['statistics'] = async (collection, terms) => {
    const mount = this.#mounts.get(collection)?.mount ?? new Mount([])
    return mount.statistics(terms.map((word) => this.#analyzer.term(word)))
  }

  segments: Index['segments'] = async () => {
    const names = new Set<string>()
    for (const path of await listFiles(this.#folder)) {
      // What a crash left unfinished is listed too, or nobody would ever drop it.
      const name = /^(.*)\.segment(?:\.unfinished)?$/.exec(relative(this.#folder, path))?.[1]
      if (name !== undefined) names.add(name.split(sep).join('/'))
    }
    for (const name of (await this.#options.apart?.segments()) ?? []) names.add(name)
    return [...names].sort()
  }

  drop: Index['drop'] = async (segment) => {
    if (!isBlobName(segment)) return
    try {
      await rm(this.#path(segment), { force: true })
      await rm(this.#path(segment) + UNFINISHED, { force: true })
    } catch (error) {
      throw fault('store_unavailable', { reason: reasonOf(error) }, error)
    }
    await this.#options.apart?.drop(segment)
  }

  close: Index['close'] = async () => {
    await this.#lastMount
    for (const { segments } of this.#mounts.values()) for (const segment of segments) segment.retire()
    this.#mounts.clear()
  }

  async #mount(collection: string, parts: readonly MountedSegment[]): Promise<void> {
    checkParts(parts)
    const held = new Map(
      [...this.#mounts.values()].flatMap(({ segments }) => segments.map((segment) => [segment.name, segment])),
    )
    const mounted: Mounted[] = []
    const fresh: Segment[] = []
    try {
      for (const part of parts) {
        const known = held.get(part.segment)
        const segment = known ?? (await this.#load(part.segment))
        if (known === undefined) fresh.push(segment)
        mounted.push({ segment, removed: part.removed, origins: originsOf(part, segment.chunks) })
      }
      this.#checkDimensions(collection, mounted)
    } catch (thrown) {
      // What was there before stays; what was opened for this is let go of, or its files stay open for ever.
      for (const segment of fresh) segment.retire()
      throw thrown
    }
    if (mounted.length === 0) this.#mounts.delete(collection)
    else this.#mounts.set(collection, { mount: new Mount(mounted), segments: mounted.map(({ segment }) => segment) })
    const kept = new Set([...this.#mounts.values()].flatMap(({ segments }) => segments))
    for (const segment of held.values()) if (!kept.has(segment)) segment.retire()
  }

  #checkDimensions(collection: string, mounted: readonly Mounted[]): void {
    const dimensions = new Set(
      mounted.map(({ segment }) => segment.sections.meta.dimension).filter((dimension) => dimension > 0),
    )
    if (dimensions.size > 1) {
      throw fault('index_unavailable', {
        reason: `the segments of ${collection} hold vectors of ${[...dimensions].join(' and ')} dimensions`,
      })
    }
  }

  async #load(name: string): Promise<Segment> {
    let decoded: ReturnType<typeof decodeSegment>
    try {
      if (!isBlobName(name)) throw new Error('it has no valid name')
      decoded = decodeSegment(await readWhole(this.#path(name)))
    } catch (error) {
      const missing = isCode(error, 'ENOENT')
      throw fault(
        'index_unavailable',
        { reason: `the segment ${name} ${missing ? 'is missing' : `cannot be read: ${reasonOf(error)}`}` },
        error,
      )
    }
    if (typeof decoded === 'string')
      throw fault('index_unavailable', { reason: `the segment ${name} is damaged: ${decoded}` })
    return new Segment(name, decoded, await this.#openApart(name, decoded))
  }

  async #openApart(name: string, { meta }: SegmentSections): Promise<VectorReader | undefined> {
    if (meta.vectorsApart !== true) return undefined
    const { apart, target = TARGET } = this.#options
    if (apart === undefined)
      throw fault('index_unavailable', { reason: `the vectors of the segment ${name} need the zvec driver` })
    const reader = await apart.open(name, target)
    if (reader.probe.vectors === meta.chunks) return reader
    reader.close()
    throw fault('index_unavailable', {
      reason: `the segment ${name} is damaged: ${reader.probe.vectors} of ${meta.chunks} vectors are there`,
    })
  }

  #path(segment: string): string {
    return join(this.#folder, ...`${segment}${SUFFIX}`.split('/'))
  }
}

/** Into a buffer of its own, so that the typed arrays over it are aligned. */
async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await open(path, 'r')
  try {
    const bytes = new Uint8Array((await file.stat()).size)
    for (let at = 0; at < bytes.length;) {
      const { bytesRead } = await file.read(bytes, at, bytes.length - at, at)
      if (bytesRead === 0) break
      at += bytesRead
    }
    return bytes
  } finally {
    await file.close()
  }
}

/** Durable when resolved: the bytes, then the name, then the folders that hold it. */
async function writeOnce(root: string, path: string, bytes: Uint8Array): Promise<void> {
  const unfinished = path + UNFINISHED
  try {
    await mkdir(dirname(path), { recursive: true })
    if (await exists(path)) throw fault('internal', { reason: `${path} was built before` })
    await writeDurably(unfinished, bytes, 'w')
    await rename(unfinished, path)
    for (let at = dirname(path); ; at = dirname(at)) {
      await syncFolder(at)
      if (at.length <= root.length) break
    }
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {})
    throw asFault(error, path)
  }
}

async function listFiles(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  } catch (error) {
    if (isCode(error, 'ENOENT')) return []
    throw fault('store_unavailable', { reason: reasonOf(error) }, error)
  }
}

const exists = async (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

function asFault(error: unknown, path: string): Fault {
  if (error instanceof Fault) return error
  if (isCode(error, ...FULL)) return fault('disk_full', { path }, error)
  return fault('store_unavailable', { reason: reasonOf(error) }, error)
}
