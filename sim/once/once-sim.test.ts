import assert from 'node:assert/strict'
import { test } from 'node:test'
import { put, remove, type Rows } from '../../src/store/rows.ts'
import { ONCE_INVARIANTS, type Plant, World } from './world.ts'

const SEEDS = 600
/** Seeds in which a planted fault must be found. */
const PLANTED_SEEDS = 500

type Planted = { readonly plant: Plant; readonly breaks: (typeof ONCE_INVARIANTS)[number] }

const forgetting =
  (table: string) =>
  (rows: Rows): Rows => ({
    get: async (from, key) => (from.name === table ? undefined : rows.get(from, key)),
    getMany: (from, keys) => rows.getMany(from, keys),
    scan: (from, range) => rows.scan(from, range),
    commit: (changes) =>
      rows.commit(
        changes.map((one) =>
          one.op === 'put' ? put({ name: one.table }, one.key, one.row) : remove({ name: one.table }, one.key),
        ),
      ),
    close: () => rows.close(),
  })

const PLANTS: { readonly [name: string]: Planted } = {
  'a claim that nobody sees': { plant: { rows: forgetting('idempotent_claims') }, breaks: 'one call at a time' },
  'an answer that is not kept': {
    plant: { rows: forgetting('idempotent_answers') },
    breaks: 'what was answered stays the answer',
  },
  'bodies that are not told apart': {
    plant: { fingerprint: () => 'same' },
    breaks: 'nobody reads what was not said',
  },
  'an answer kept for whatever is asked': {
    plant: {
      rows: (rows) => ({
        ...forgetting('')(rows),
        get: async (from, key) => {
          const stored = await rows.get(from, key)
          const row = stored?.row as { fingerprint?: string; body?: string } | undefined
          if (stored === undefined || row?.fingerprint === undefined) return stored
          const other = row.fingerprint === 'one' ? 'two' : 'one'
          const body = row.body?.replaceAll(row.fingerprint, other)
          return { ...stored, row: { ...stored.row, fingerprint: other, body } }
        },
      }),
    },
    breaks: 'another body is refused',
  },
  'a caller whose leaving is not told': {
    plant: {
      reply: (reply) => ({
        head: (status, headers) => reply.head(status, headers),
        write: (bytes) => reply.write(bytes),
        end: (bytes) => reply.end(bytes),
        abort: () => reply.abort(),
        onDrain: (listener) => reply.onDrain(listener),
        onGone() {},
        get headSent() {
          return reply.headSent
        },
      }),
    },
    breaks: 'nobody works for those who left',
  },
  'an end that is swallowed': {
    plant: {
      reply: (reply) => ({
        head: (status, headers) => reply.head(status, headers),
        write: (bytes) => reply.write(bytes),
        end() {},
        abort: () => reply.abort(),
        onDrain: (listener) => reply.onDrain(listener),
        onGone: (listener) => reply.onGone(listener),
        get headSent() {
          return reply.headSent
        },
      }),
    },
    breaks: 'who does not leave hears an end',
  },
  'a timer that cannot be cancelled': {
    plant: {
      clock: (clock) => ({
        monotonicMs: () => clock.monotonicMs(),
        wallMs: () => clock.wallMs(),
        after: (delayMs, task) => (clock.after(delayMs, task), { cancel() {} }),
      }),
    },
    breaks: 'no timer is left',
  },
}

test(`${SEEDS} seeds: one call at a time, one answer, and nobody is kept waiting`, async () => {
  const seen = { answered: 0, refused: 0, failed: 0, left: 0, cut: 0, calls: 0, replayed: 0 }
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new World(seed)
    const { violation } = await world.run()
    assert.equal(violation, undefined, `seed ${seed} breaks "${violation?.invariant}": ${violation?.detail}`)
    for (const name of Object.keys(seen) as (keyof typeof seen)[]) seen[name] += world.seen[name]
  }
  for (const [situation, count] of Object.entries(seen)) assert.ok(count > 25, `${situation}: ${count}`)
})

for (const [name, { plant, breaks }] of Object.entries(PLANTS))
  test(`sees ${name}`, async () => {
    const found = new Set<string>()
    for (let seed = 1; seed <= PLANTED_SEEDS && !found.has(breaks); seed++) {
      const { violation } = await new World(seed, plant).run()
      if (violation !== undefined) found.add(violation.invariant)
    }
    assert.ok(found.has(breaks), `saw ${[...found].join(', ')}`)
  })

test('every invariant has a fault that breaks it', () => {
  const broken = new Set<string>(Object.values(PLANTS).map(({ breaks }) => breaks))
  assert.deepEqual(
    ONCE_INVARIANTS.filter((one) => !broken.has(one)),
    [],
  )
})
