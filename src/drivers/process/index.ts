import { Fault, fault, reasonOf, toFault } from '../../base/errors.ts'
import type { Index, IndexChunk, IndexQuery, MountedSegment, SegmentSummary } from '../../store/index.ts'
import { partsOf } from '../../store/index-input.ts'
import { Child, type ChildOptions, serve } from './child.ts'
import { Inflow } from './inflow.ts'

/** The index in a process of its own, so that neither loading segments nor a search over many of
 *  them delays a stream. */

/** A search this late serves nobody. A child that answered no other meanwhile is taken for hung and is
 *  replaced. */
const SEARCH_TIMEOUT_MS = 10_000
/** Loading a large collection from a cold disk. */
const MOUNT_TIMEOUT_MS = 120_000
/** Of a segment of two million vectors: about twenty minutes on two cores. */
const BUILD_TIMEOUT_MS = 4 * 3_600_000
const PART_TIMEOUT_MS = 600_000

interface Arguments {
  begin: { readonly build: number; readonly segment: string }
  part: { readonly build: number; readonly chunks: readonly IndexChunk[] }
  end: { readonly build: number; readonly reason?: string }
  mount: { readonly collection: string; readonly parts: readonly MountedSegment[] }
  search: { readonly collection: string; readonly query: IndexQuery }
  statistics: { readonly collection: string; readonly terms: readonly string[] }
  segments: object
  drop: { readonly segment: string }
}

export interface ProcessIndexOptions extends Omit<ChildOptions, 'prepare' | 'methods'> {
  /** A mounted segment was found damaged. */
  readonly onDamage?: (damage: Damage) => void
}

export interface Damage {
  readonly segment: string
  readonly reason: string
}

/** An index that asks the child playing `options.role`, which serves it with `serveIndex`. A child
 *  that was restarted is told what is mounted before it is asked anything; a search that its
 *  end interrupted is asked again, once. */
export function openProcessIndex(options: ProcessIndexOptions): Index & { readonly pid: number | undefined } {
  return new ProcessIndex(options)
}

class ProcessIndex implements Index {
  readonly #child: Child
  readonly #log: ChildOptions['log']
  readonly #mounts = new Map<string, readonly MountedSegment[]>()
  /** Collections that a restarted child could not mount again: they must not answer as if empty. */
  readonly #broken = new Map<string, Fault>()
  #builds = 0

  constructor({ onDamage, ...options }: ProcessIndexOptions) {
    this.#log = options.log
    const methods = { damaged: async (damage: Damage) => onDamage?.(damage) }
    this.#child = new Child({ ...options, methods, prepare: (call) => this.#restore(call) })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  build: Index['build'] = async (segment, chunks) => {
    const build = ++this.#builds
    await this.#ask('begin', { build, segment }, PART_TIMEOUT_MS, 1)
    try {
      for await (const part of partsOf(chunks)) await this.#ask('part', { build, chunks: part }, PART_TIMEOUT_MS, 1)
    } catch (thrown) {
      await this.#ask('end', { build, reason: reasonOf(thrown) }, PART_TIMEOUT_MS, 1).catch(() => {})
      throw thrown
    }
    return await this.#ask<'end', SegmentSummary>('end', { build }, BUILD_TIMEOUT_MS, 1)
  }

  mount: Index['mount'] = async (collection, parts) => {
    await this.#ask('mount', { collection, parts }, MOUNT_TIMEOUT_MS)
    if (parts.length === 0) this.#mounts.delete(collection)
    else this.#mounts.set(collection, parts)
    this.#broken.delete(collection)
  }

  search: Index['search'] = (collection, query) => this.#askMounted(collection, 'search', { collection, query })

  statistics: Index['statistics'] = (collection, terms) =>
    this.#askMounted(collection, 'statistics', { collection, terms })

  segments: Index['segments'] = () => this.#ask('segments', {}, SEARCH_TIMEOUT_MS)

  drop: Index['drop'] = (segment) => this.#ask('drop', { segment }, SEARCH_TIMEOUT_MS)

  close: Index['close'] = () => this.#child.stop()

  async #askMounted<Method extends 'search' | 'statistics', Value>(
    collection: string,
    method: Method,
    argument: Arguments[Method],
  ): Promise<Value> {
    const value = await this.#ask<Method, Value>(method, argument, SEARCH_TIMEOUT_MS)
    const broken = this.#broken.get(collection)
    if (broken !== undefined) throw broken
    return value
  }

  /** Everything but building can be asked twice without harm, so the end of the child in between
   *  stays unseen; a child that had to be killed for its slowness is not tried again. */
  async #ask<Method extends keyof Arguments, Value>(
    method: Method,
    argument: Arguments[Method],
    timeoutMs: number,
    attemptsMax = 2,
  ): Promise<Value> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#child.call<Value>(method, argument, {
          timeoutMs,
          isOneOfMany: timeoutMs === SEARCH_TIMEOUT_MS,
        })
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'child_died') throw error
        if (attempt < attemptsMax && error.details['timedOut'] !== true) continue
        throw fault('index_unavailable', { reason: String(error.details['reason']) }, error)
      }
    }
  }

  async #restore(call: Child['call']): Promise<void> {
    for (const [collection, parts] of this.#mounts) {
      try {
        await call('mount', { collection, parts }, { timeoutMs: MOUNT_TIMEOUT_MS })
        this.#broken.delete(collection)
      } catch (error) {
        if (!(error instanceof Fault) || error.code === 'child_died') throw error
        this.#broken.set(collection, error)
        this.#log.write('error', 'collection not mounted', { collection, reason: error.message })
      }
    }
  }
}

/** One for every round of the event loop. Searches come many at once, and most run to their end without
 *  a pause: begun together, none would be answered before the last was done. */
class Rounds {
  #last: Promise<unknown> = Promise.resolve()

  next(): Promise<unknown> {
    this.#last = this.#last.then(() => new Promise<void>((resolve) => void setImmediate(resolve)))
    return this.#last
  }
}

/** The child's side: answers for `index` until the parent is gone. Returns what tells the parent of damage. */
export function serveIndex(index: Index): (damage: Damage) => void {
  const turns = new Rounds()
  const builds = new Map<
    number,
    { readonly inflow: Inflow<readonly IndexChunk[]>; readonly built: Promise<SegmentSummary> }
  >()
  const channel = serve({
    begin: async ({ build, segment }: Arguments['begin']) => {
      const inflow = new Inflow<readonly IndexChunk[]>()
      const built = index.build(segment, inflow)
      // Its end is waited for below; until then a failure shows at the next part.
      built.catch((thrown: unknown) => inflow.refuse(toFault(thrown)))
      builds.set(build, { inflow, built })
    },
    part: ({ build, chunks }: Arguments['part']) => running(builds, build).inflow.push(chunks),
    end: async ({ build, reason }: Arguments['end']) => {
      const { inflow, built } = running(builds, build)
      builds.delete(build)
      inflow.end(reason === undefined ? undefined : new Error(reason))
      return await built
    },
    mount: ({ collection, parts }: Arguments['mount']) => index.mount(collection, parts),
    search: async ({ collection, query }: Arguments['search']) => {
      await turns.next()
      return await index.search(collection, query)
    },
    statistics: ({ collection, terms }: Arguments['statistics']) => index.statistics(collection, terms),
    segments: () => index.segments(),
    drop: ({ segment }: Arguments['drop']) => index.drop(segment),
  })
  return (damage) => void channel.call('damaged', damage).catch(() => {}) // Without a parent it is over anyway.
}

/** A child that was started anew knows nothing of a build that its predecessor began. */
function running<Build>(builds: ReadonlyMap<number, Build>, number: number): Build {
  const build = builds.get(number)
  if (build === undefined) throw fault('child_died', { what: 'index', reason: 'it lost the build' })
  return build
}
