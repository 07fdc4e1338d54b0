import { access, mkdir, readdir, rename, rm, statfs } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { type Clock, sleep } from '../../base/clock.ts'
import { Fault, fault, reasonOf } from '../../base/errors.ts'
import { isBlobName } from '../../store/blobs.ts'
import type { Attributes } from '../../store/filter.ts'
import { type Ask, checkProbe, chooseEffort, EFFORTS, probeVectors, Samples } from '../../store/vector-probe.ts'
import type {
  SearchTarget,
  VectorProbe,
  VectorQuery,
  VectorReader,
  Vectors,
  VectorWriter,
} from '../../store/vectors.ts'
import { FULL, isCode, syncFolder, writeDurably } from '../../base/durable.ts'
import { type Collection, INDEX, METRIC, QUANTIZE, TYPE, type Zvec } from './binding.ts'
import { Scrubber } from './scrub.ts'
import { describe, readDescription, type Kind, SUMMED_BYTES_MAX, sumFiles, syncFiles } from './seal.ts'
import { ALL, expressionOf, NONE, tokensOf } from './tokens.ts'

/** Vectors of large segments, one zvec collection each: rows are only ever appended, optimised once,
 *  probed, and published under their name by a rename. So nothing that zvec 0.7.0 loses rows by
 *  (alibaba/zvec#724: changes before the first optimisation) ever happens, and the probe would
 *  show it. */

const SUFFIX = '.zvec'
const UNFINISHED = '.unfinished'

/** With fewer, comparing all of them costs less than keeping a graph. */
const GRAPH_VECTORS_MIN = 16_384
/** How many nearest a graph is asked for. */
const GRAPH_NEAREST_MAX = 2_048
const LINKS = 16
const BUILD_CANDIDATES = 100
const INSERTED_AT_ONCE = 1_024
const READ_ONLY = { readOnly: true, enableMMAP: true }
/** A write that failed with less left than this failed for want of room. */
const FREE_BYTES_MIN = 2 ** 20
const REOPEN_MS = 1_100

export interface ZvecOptions {
  readonly clock: Clock
  readonly folder: string
  readonly zvec: Zvec
  /** Threads that optimise. */
  readonly threads: number
  /** Vectors of a segment that are worth a graph. */
  readonly graphVectorsMin?: number
  /** Larger files are read in the background rather than when they are opened. */
  readonly summedBytesMax?: number
  /** What the disk under a folder has left; default: what the system says. */
  readonly freeBytes?: (folder: string) => Promise<number>
  /** A segment that is open was found damaged: it answers until it is closed, and is not opened again. */
  readonly onDamage?: (segment: string, reason: string) => void
}

export function openZvecVectors(options: ZvecOptions): Vectors {
  const pathOf = (segment: string): string => join(options.folder, ...`${segment}${SUFFIX}`.split('/'))
  const scrubber = new Scrubber({ clock: options.clock, onDamage: options.onDamage ?? (() => {}) })
  return {
    async write(segment, dimension) {
      if (!isBlobName(segment)) throw fault('internal', { reason: `${segment} is no segment name` })
      const path = pathOf(segment)
      if (await exists(path)) throw fault('internal', { reason: `${segment} was built before` })
      await rm(path + UNFINISHED, { recursive: true, force: true })
      await mkdir(dirname(path), { recursive: true })
      return new Writer(options, segment, path, dimension)
    },
    open: (segment, target) => openReader(options, scrubber, segment, pathOf(segment), target),
    segments: () => listSegments(options.folder),
    async drop(segment) {
      if (!isBlobName(segment)) return
      await rm(pathOf(segment), { recursive: true, force: true })
      await rm(pathOf(segment) + UNFINISHED, { recursive: true, force: true })
    },
  }
}

class Writer implements VectorWriter {
  readonly #options: ZvecOptions
  readonly #segment: string
  readonly #path: string
  readonly #dimension: number
  readonly #samples: Samples
  /** Held until it is known whether they are many. */
  #held: { readonly vector: Float32Array; readonly tokens: string[] }[] = []
  #collection: Collection | undefined
  #inserted = 0

  constructor(options: ZvecOptions, segment: string, path: string, dimension: number) {
    this.#options = options
    this.#segment = segment
    this.#path = path
    this.#dimension = dimension
    this.#samples = new Samples(dimension)
  }

  async add(rows: Float32Array, attributes: readonly Attributes[]): Promise<void> {
    this.#samples.add(rows, attributes)
    for (const [at, one] of attributes.entries())
      this.#held.push({ vector: rows.slice(at * this.#dimension, (at + 1) * this.#dimension), tokens: tokensOf(one) })
    try {
      if (this.#isGraph) this.#insert(INSERTED_AT_ONCE)
    } catch (thrown) {
      throw await this.#faultOf(thrown)
    }
  }

  async finish(): Promise<VectorProbe> {
    const kind: Kind = this.#isGraph ? 'graph' : 'flat'
    try {
      this.#insert(0)
      const collection = this.#open()
      await collection.optimize({ concurrency: this.#options.threads })
      const measured = await probeVectors(this.#samples, kind === 'graph' ? EFFORTS : [], askerOf(collection, kind))
      checkProbe(this.#segment, measured)
      if (collection.stats.docCount !== this.#inserted)
        throw fault('segment_unsound', { segment: this.#segment, found: collection.stats.docCount, of: this.#inserted })
      collection.closeSync()
      this.#collection = undefined
      await this.#publish(kind, measured)
      return measured
    } catch (thrown) {
      throw await this.#faultOf(thrown)
    }
  }

  /** zvec does not say that a disk is full, only what it could not write. */
  async #faultOf(thrown: unknown): Promise<Fault> {
    if (thrown instanceof Fault) return thrown
    const { freeBytes = freeBytesOf, folder } = this.#options
    const isFull = isCode(thrown, ...FULL) || (await freeBytes(folder)) < FREE_BYTES_MIN
    if (isFull) return fault('disk_full', { path: folder }, thrown)
    return fault('store_unavailable', { reason: reasonOf(thrown) }, thrown)
  }

  get #isGraph(): boolean {
    return this.#samples.written >= (this.#options.graphVectorsMin ?? GRAPH_VECTORS_MIN)
  }

  async abandon(): Promise<void> {
    try {
      this.#collection?.closeSync()
    } catch {
      // On a full disk it cannot write what it still had: that is to go anyway.
    }
    this.#collection = undefined
    this.#held = []
    await rm(this.#path + UNFINISHED, { recursive: true, force: true }).catch(() => {})
  }

  async #publish(kind: Kind, measured: VectorProbe): Promise<void> {
    const unfinished = this.#path + UNFINISHED
    await syncFiles(unfinished)
    const before = await sumFiles(unfinished)
    // What zvec changes whenever it has had files open shows once its clock of seconds has moved on.
    await sleep(this.#options.clock, REOPEN_MS)
    this.#options.zvec.open(unfinished, READ_ONLY).closeSync()
    const after = await sumFiles(unfinished)
    const description = describe({ kind, dimension: this.#dimension, probe: measured }, before, after)
    await writeDurably(join(unfinished, 'description.json'), Buffer.from(description), 'wx')
    await syncFolder(unfinished)
    await rename(unfinished, this.#path)
    for (let at = dirname(this.#path); ; at = dirname(at)) {
      await syncFolder(at)
      if (at.length <= this.#options.folder.length) break
    }
  }

  /** All that is held, in lots, but the last that are fewer than `lot`. */
  #insert(lot: number): void {
    const collection = this.#open()
    let at = 0
    for (; at < this.#held.length && this.#held.length - at >= lot; at += INSERTED_AT_ONCE) {
      const docs = this.#held.slice(at, at + INSERTED_AT_ONCE).map(({ vector, tokens }) => ({
        id: String(this.#inserted++),
        vectors: { v: vector },
        fields: { a: tokens },
      }))
      const refused = collection.insertSync(docs).find(({ ok }) => !ok)
      if (refused !== undefined) throw new Error(refused.message)
    }
    this.#held = this.#held.slice(at)
  }

  #open(): Collection {
    if (this.#collection !== undefined) return this.#collection
    const { zvec } = this.#options
    const schema = new zvec.CollectionSchema({
      name: 'segment',
      vectors: [
        {
          name: 'v',
          dataType: TYPE.vectorFp32,
          dimension: this.#dimension,
          indexParams: this.#isGraph
            ? {
                indexType: INDEX.hnsw,
                metricType: METRIC.cosine,
                quantizeType: QUANTIZE.int8,
                m: LINKS,
                efConstruction: BUILD_CANDIDATES,
              }
            : { indexType: INDEX.flat, metricType: METRIC.cosine },
        },
      ],
      fields: [{ name: 'a', dataType: TYPE.arrayString, nullable: true, indexParams: { indexType: INDEX.invert } }],
    })
    this.#collection = zvec.createAndOpen(this.#path + UNFINISHED, schema, { readOnly: false, enableMMAP: true })
    return this.#collection
  }
}

async function openReader(
  { zvec, summedBytesMax = SUMMED_BYTES_MAX }: ZvecOptions,
  scrubber: Scrubber,
  segment: string,
  path: string,
  target: SearchTarget,
): Promise<VectorReader> {
  const description = await readDescription(path, summedBytesMax)
  if (typeof description === 'string')
    throw fault('index_unavailable', { reason: `the vectors of the segment ${segment} are damaged: ${description}` })
  let collection: Collection
  try {
    collection = zvec.open(path, READ_ONLY)
  } catch (thrown) {
    const reason = `the vectors of the segment ${segment} cannot be opened: ${reasonOf(thrown)}`
    throw fault('index_unavailable', { reason }, thrown)
  }
  const { probe } = description
  const leave = scrubber.add(
    segment,
    path,
    description.files.filter(({ bytes }) => bytes > summedBytesMax),
  )
  const ask = askerOf(collection, description.kind)
  return {
    probe,
    async search(vector, { k, filter, exact = false, share = 1, target: aim = target }: VectorQuery) {
      const query = filter === undefined ? { k } : { k, filter }
      // Where many are wanted, looking at everything is faster.
      if (!exact && k <= GRAPH_NEAREST_MAX && description.kind === 'graph') {
        const found = await ask(vector, { ...query, effort: chooseEffort(probe, aim, { k, share }) })
        // A search of a graph may end before enough fit; what fits must be found all the same.
        if (found.length >= k) return found
      }
      return await ask(vector, { ...query, effort: 'all' })
    },
    close() {
      leave()
      collection.closeSync()
    },
  }
}

function askerOf(collection: Collection, kind: Kind): Ask {
  return async (vector, { k, effort, filter }) => {
    const expression = filter === undefined ? ALL : expressionOf(filter)
    if (expression === NONE) return []
    const near = await collection.query({
      fieldName: 'v',
      vector,
      topk: k,
      outputFields: [],
      ...(expression === ALL ? {} : { filter: expression }),
      ...(kind === 'flat' ? {} : { params: effort === 'all' ? EXACT : { indexType: INDEX.hnsw, ef: effort } }),
    })
    return near.map(({ id, score }) => ({ chunk: Number(id), score: 1 - score }))
  }
}

const EXACT = { indexType: INDEX.hnsw, isLinear: true, isUsingRefiner: true }

async function listSegments(folder: string): Promise<string[]> {
  const names = new Set<string>()
  const visit = async (at: string): Promise<void> => {
    for (const entry of await readdir(at, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue
      const name = /^(.*)\.zvec(?:\.unfinished)?$/.exec(entry.name)?.[1]
      const path = join(at, entry.name)
      if (name === undefined) await visit(path)
      else names.add(relative(folder, join(at, name)).split(sep).join('/'))
    }
  }
  try {
    await visit(folder)
  } catch (thrown) {
    if (!isCode(thrown, 'ENOENT')) throw fault('store_unavailable', { reason: reasonOf(thrown) }, thrown)
  }
  return [...names].sort()
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
