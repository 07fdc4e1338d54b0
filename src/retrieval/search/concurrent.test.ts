import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nothingDerived } from '../../../tests/kit/erasing.ts'
import { ManualClock, settled } from '../../../tests/kit/clock.ts'
import { meaningOf } from '../../../tests/kit/library.ts'
import { Refusal, refuse } from '../../base/errors.ts'
import { silentLog } from '../../base/log.ts'
import { type Random, seededRandom, uniform } from '../../base/random.ts'
import { Analyzer } from '../../base/words.ts'
import { MemoryIndex } from '../../drivers/memory/index.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import type { Index, IndexChunk } from '../../store/index.ts'
import { put, type Rows } from '../../store/rows.ts'
import { Deletions } from '../deletion/receipts.ts'
import { chunkKey, CHUNKS, documentKey, DOCUMENTS, type DocumentRow } from '../document.ts'
import { chunkRemovals, Collections, removeDocuments, revised } from '../ingest/collections.ts'
import { rewrite } from '../ingest/compact.ts'
import { createSearch, SEARCH_MODES } from '../search.ts'
import { type Access, attributesOf } from './access.ts'

/** Searches while documents come, change, go and move: every step of the store and of the index takes
 *  its time, in an order drawn from a seed. */

const TENANTS = [undefined, 'acme', 'globex'] as const
const DOCUMENTS_COUNT = 8
const CHUNKS_EACH = 2

/** What was promised to whom. */
interface Truth {
  /** Documents whose deletion was acknowledged, and that were not written since. */
  readonly gone: Set<string>
  /** How often each was begun to be written, and how many writes are under way. */
  readonly writes: Map<string, { begun: number; underWay: number }>
}

class World {
  readonly random: Random
  readonly rows: Rows
  readonly index: Index
  readonly clock = new ManualClock()
  readonly truth: Truth = { gone: new Set(), writes: new Map() }
  readonly collections: Collections
  readonly deletions: Deletions
  readonly search: ReturnType<typeof createSearch>
  #segments = 0
  #versions = 0
  readonly #built: Index

  constructor(seed: number) {
    this.random = seededRandom(seed)
    const analyzer = new Analyzer()
    this.#built = new MemoryIndex(analyzer)
    this.rows = this.#slowly(new MemoryRows(), ['get', 'getMany', 'scan', 'commit'])
    this.index = this.#slowly(this.#built, ['search', 'mount', 'drop'])
    const { rows, index, clock, random } = this
    this.collections = new Collections({ rows, index, clock, log: silentLog })
    this.deletions = new Deletions({
      ...nothingDerived({ rows, index, analyzer, clock }),
      clock,
      random,
      rows,
      index,
      analyzer,
      removeDocument: async (collection, id) =>
        (await removeDocuments(rows, this.collections, collection, [id]))
          ? undefined
          : refuse('not_found', { what: 'document', id }),
    })
    this.search = createSearch({ index, rows, analyzer, questionVector: async (_, text) => meaningOf(text) })
  }

  /** Before and after each call as many turns of the loop pass as the seed says. */
  #slowly<Part extends object>(part: Part, methods: readonly string[]): Part {
    return new Proxy(part, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name)
        if (typeof method !== 'function') return method
        const bound = (...given: unknown[]): unknown => Reflect.apply(method, target, given)
        if (!methods.includes(String(name))) return bound
        return async (...given: unknown[]) => {
          await this.pause()
          const result = await bound(...given)
          await this.pause()
          return result
        }
      },
    })
  }

  async pause(): Promise<void> {
    for (let turns = Math.floor(uniform(this.random) * 4); turns > 0; turns--) await settled()
  }

  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(uniform(this.random) * items.length)]
  }

  document(): string {
    return `d${Math.floor(uniform(this.random) * DOCUMENTS_COUNT)}`
  }

  writesOf(id: string): { begun: number; underWay: number } {
    const { writes } = this.truth
    const known = writes.get(id) ?? { begun: 0, underWay: 0 }
    writes.set(id, known)
    return known
  }

  /** A document's owner never changes: its id says whose it is. */
  async write(id: string): Promise<void> {
    this.truth.gone.delete(id)
    const writes = this.writesOf(id)
    writes.begun++
    writes.underWay++
    const version = ++this.#versions
    const segment = `s${++this.#segments}`
    const tenant = tenantOf(id)
    const document: DocumentRow = {
      id,
      uri: `file/${id}.md`,
      title: id,
      mediaType: 'text/plain',
      contentHash: String(version),
      bytes: 1,
      segment,
      firstChunk: 0,
      chunkCount: CHUNKS_EACH,
      ingestedAtMs: 0,
      ...(tenant === undefined ? {} : { metadata: { tenant } }),
    }
    const texts = Array.from(
      { length: CHUNKS_EACH },
      (_, at) => `car of ${id} version ${version} part ${at} ${at === 0 ? 'fast' : 'slow and long'}`,
    )
    await this.#built.build(
      segment,
      texts.map((text) => ({ text, vector: meaningOf(text), attributes: attributesOf(document) })),
    )
    await this.collections.change('c', async (row) => {
      const former = await this.rows.get(DOCUMENTS, documentKey('c', id))
      const replaced = former === undefined ? [] : [former.row]
      return {
        row: revised(row, replaced, [document], { segment, chunks: CHUNKS_EACH, removed: [] }),
        changes: [
          ...chunkRemovals(replaced),
          ...texts.map((text, at) =>
            put(CHUNKS, chunkKey(segment, at), {
              document: id,
              text,
              headings: [],
              start: 100 * at,
              end: 100 * at + text.length,
            }),
          ),
          put(DOCUMENTS, documentKey('c', id), document),
        ],
      }
    })
    writes.underWay--
  }

  async remove(id: string): Promise<void> {
    const { begun, underWay } = this.writesOf(id)
    const receipt = await this.deletions.remove('c', id)
    // One that was written meanwhile may have come after.
    if (!(receipt instanceof Refusal) && underWay === 0 && this.writesOf(id).begun === begun) this.truth.gone.add(id)
  }

  async compact(): Promise<void> {
    const { rows, collections } = this
    const worker = {
      build: async (segment: string, chunks: readonly IndexChunk[]) =>
        void (await this.#built.build(
          segment,
          chunks.map((chunk) => ({ ...chunk, vector: meaningOf(chunk.text) })),
        )),
    }
    const newSegment = (): string => `s${++this.#segments}`
    await rewrite(
      { rows, collections, worker, newSegment },
      'c',
      (row) => row.segments.slice(0, 3),
      new AbortController().signal,
    )
  }

  async ask(): Promise<number> {
    const access: Access = uniform(this.random) < 0.3 ? 'all' : { tenant: this.pick(TENANTS) }
    const wanted = this.document()
    const filtered = uniform(this.random) < 0.3
    const goneBefore = new Set(this.truth.gone)
    // Written again while it is searched for, it may be found.
    const stays = (id: string): boolean => goneBefore.has(id) && this.truth.gone.has(id)
    const { passages } = await this.search.search('c', 'a fast car', {
      k: 10,
      mode: this.pick(SEARCH_MODES) ?? 'hybrid',
      access,
      ...(filtered ? { filter: { op: 'in', name: 'document', values: [wanted] } } : {}),
      ...(uniform(this.random) < 0.3 ? { expandTokensMax: 100 } : {}),
    })
    const told = new Set<string>()
    const versions = new Map<string, string>()
    for (const { document, text, start, end } of passages) {
      assert.ok(!stays(document), `${document} was deleted before the search began`)
      assert.ok(!filtered || document === wanted, `${document} was not asked for`)
      const tenant = tenantOf(document)
      assert.ok(access === 'all' || tenant === undefined || tenant === access.tenant, `${document} leaked`)
      assert.equal(end - start, text.length)
      for (const [part] of text.matchAll(/version \d+ part \d/g)) {
        assert.ok(!told.has(`${document} ${part}`), `${document} ${part} was told twice`)
        told.add(`${document} ${part}`)
        const [version = ''] = /version \d+/.exec(part) ?? []
        assert.equal(versions.get(document) ?? version, version, `${document} was told in two versions`)
        versions.set(document, version)
      }
    }
    return passages.length
  }
}

const tenantOf = (id: string): string | undefined => TENANTS[Number(id.slice(1)) % TENANTS.length]

async function live(seed: number): Promise<{ readonly found: number; readonly deleted: number }> {
  const world = new World(seed)
  for (let at = 0; at < DOCUMENTS_COUNT; at++) await world.write(`d${at}`)
  let [found, deleted] = [0, 0]
  const actor = async (act: () => Promise<void>, times: number): Promise<void> => {
    for (let time = 0; time < times; time++) {
      await world.pause()
      await act()
    }
  }
  await Promise.all([
    actor(() => world.write(world.document()), 12),
    actor(async () => {
      const id = world.document()
      await world.remove(id)
      if (world.truth.gone.has(id)) deleted++
    }, 12),
    actor(() => world.compact(), 6),
    ...Array.from({ length: 3 }, () =>
      actor(async () => {
        found += await world.ask()
      }, 15),
    ),
  ])
  return { found, deleted }
}

test('searches never tell of what was deleted, nothing twice, and nothing that was not asked for or is not theirs', async () => {
  let [found, deleted] = [0, 0]
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async (seed) => {
      const lived = await live(seed)
      found += lived.found
      deleted += lived.deleted
    }),
    { numRuns: 25 },
  )
  assert.ok(found > 500 && deleted > 50, `${found} passages, ${deleted} deletions: too few to say anything`)
})
