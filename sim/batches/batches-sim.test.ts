import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BATCHES, type BatchRow, isOver, PROGRESS, type ProgressRow, RESULTS } from '../../src/batch/batch.ts'
import { put, type Rows } from '../../src/store/rows.ts'
import { BATCH_INVARIANTS, type Plant, World } from './world.ts'

const SEEDS = 300
/** Seeds in which a planted fault must be found. */
const PLANTED_SEEDS = 150

type Planted = { readonly plant: Plant; readonly breaks: (typeof BATCH_INVARIANTS)[number] }

/** What is written to one table, changed. */
const writing =
  (table: string, change: (row: unknown) => unknown) =>
  (rows: Rows): Rows => ({
    get: (from, key) => rows.get(from, key),
    getMany: (from, keys) => rows.getMany(from, keys),
    scan: (from, range) => rows.scan(from, range),
    commit: (changes) =>
      rows.commit(
        changes.flatMap((one) => {
          if (one.op !== 'put' || one.table !== table) return [one]
          const row = change(one.row)
          return row === undefined ? [] : [put({ name: table }, one.key, row)]
        }),
      ),
    close: () => rows.close(),
  })

const PLANTS: { readonly [name: string]: Planted } = {
  'results that are not written': {
    plant: { rows: writing(RESULTS.name, () => undefined) },
    breaks: 'every line is told of once',
  },
  'counts that forget the tokens': {
    plant: { rows: writing(PROGRESS.name, (row) => ({ ...(row as ProgressRow), outputTokens: 0 })) },
    breaks: 'what is told is what was charged',
  },
  'more in flight than told': { plant: { parallel: 9 }, breaks: 'no more at once than there may be' },
  'results that a new process does not see': {
    plant: {
      rows: (rows) => ({
        ...writing('', (row) => row)(rows),
        scan: async (from, range) =>
          from.name === RESULTS.name && range.after !== undefined ? [] : rows.scan(from, range),
      }),
    },
    breaks: 'a line is asked again only for cause',
  },
  'an end that is not written': {
    plant: { rows: writing(BATCHES.name, (row) => (isOver((row as BatchRow).state) ? undefined : row)) },
    breaks: 'every batch ends',
  },
  'results that stay': {
    plant: {
      rows: (rows) => ({
        ...writing('', (row) => row)(rows),
        commit: (changes) => rows.commit(changes.filter(({ op, table }) => op === 'put' || table !== RESULTS.name)),
      }),
    },
    breaks: 'nothing is left over',
  },
}

test(`batches keep every promise under ${SEEDS} seeds`, async () => {
  const seen = { crashes: 0, faults: 0, completed: 0, expired: 0, cancelled: 0, calls: 0 }
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new World(seed)
    const { violation } = await world.run()
    assert.equal(violation, undefined, `seed ${seed}: ${violation?.invariant}: ${violation?.detail}`)
    for (const name of Object.keys(seen) as (keyof typeof seen)[]) seen[name] += world.seen[name]
  }
  const { completed, expired, cancelled, crashes, faults } = seen
  for (const count of [completed, expired, cancelled, crashes, faults]) assert.ok(count > 10, JSON.stringify(seen))
})

test('the same seed is the same run', async () => {
  const hashOf = async (): Promise<number> => (await new World(7).run()).hash
  assert.equal(await hashOf(), await hashOf())
})

for (const [what, { plant, breaks }] of Object.entries(PLANTS))
  test(`a planted fault is found: ${what}`, async () => {
    const found = new Set<string>()
    for (let seed = 1; seed <= PLANTED_SEEDS && !found.has(breaks); seed++) {
      const { violation } = await new World(seed, plant).run()
      if (violation !== undefined) found.add(violation.invariant)
    }
    assert.ok(found.has(breaks), `found: ${[...found].join()}`)
  })

test('every promise has a plant that breaks it', () => {
  const planted = new Set(Object.values(PLANTS).map(({ breaks }) => breaks))
  assert.deepEqual(
    BATCH_INVARIANTS.filter((one) => !planted.has(one)),
    [],
  )
})
