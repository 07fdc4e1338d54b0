import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { put, remove, table, type Change, type Key, type Range, type Rows } from '../rows.ts'

/** Random operations against a list that is searched from end to end. */

const RUNS = 40
const STEPS_MAX = 25

interface Known {
  readonly key: Key
  readonly row: number
}

/** Few keys, so that operations meet; parts that differ where encodings go wrong. */
const part = fc.constantFrom('', 'a', 'b', 'a\u0001', '\u0001', '\ud800', '\ud83d\ude00', '\ue000', 'é')
const key = fc.array(part, { minLength: 1, maxLength: 3 })

/** `seen`: only if the key is as we know it; `stale`: with a version it never had. */
const change = fc.record({
  op: fc.constantFrom('put', 'remove'),
  key,
  row: fc.nat(999),
  compare: fc.constantFrom('any', 'any', 'seen', 'absent', 'stale'),
})
const range = fc.record(
  {
    prefix: fc.array(part, { maxLength: 2 }),
    after: key,
    limit: fc.integer({ min: 1, max: 6 }),
    reverse: fc.boolean(),
  },
  { requiredKeys: ['limit'] },
)
const step = fc.oneof(
  fc.array(change, { minLength: 1, maxLength: 5 }).map((changes) => ({ kind: 'commit' as const, changes })),
  range.map((within) => ({ kind: 'scan' as const, within })),
  key.map((one) => ({ kind: 'get' as const, key: one })),
)
type Drawn = typeof change extends fc.Arbitrary<infer Value> ? Value : never

export function rowsLaws(rows: () => Rows): void {
  test('any sequence of operations answers as a plain list would', async () => {
    let run = 0
    const law = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: STEPS_MAX, size: 'max' }), async (steps) => {
      const into = table<number>(`law-${run++}`)
      let known: Known[] = []
      for (const one of steps) {
        if (one.kind === 'commit') {
          const versions = await rows().getMany(
            into,
            one.changes.map((drawn) => drawn.key),
          )
          const changes = one.changes.map((drawn, at) => changeOf(into.name, drawn, versions[at]?.version ?? 0))
          const expected = applied(known, one.changes, changes)
          assert.equal(await rows().commit(changes), expected !== undefined)
          known = expected ?? known
        } else if (one.kind === 'scan') {
          const found = await rows().scan(into, one.within)
          assert.deepEqual(
            found.map(({ key: at, row }) => ({ key: at, row })),
            scanned(known, one.within),
          )
        } else {
          const found = await rows().get(into, one.key)
          assert.deepEqual(found?.row, known.find((other) => compare(other.key, one.key) === 0)?.row)
        }
      }
      const all = await rows().scan(into, { limit: 1_000 })
      assert.deepEqual(
        all.map(({ key: at, row }) => ({ key: at, row })),
        scanned(known, { limit: 1_000 }),
      )
    })
    await fc.assert(law, { numRuns: RUNS })
  })
}

const STALE = 999_999_999

function changeOf(into: string, drawn: Drawn, seen: number): Change {
  const version = { any: undefined, seen, absent: 0, stale: STALE }[drawn.compare]
  return drawn.op === 'put' ? put(table(into), drawn.key, drawn.row, version) : remove(table(into), drawn.key, version)
}

/** The list after the changes; undefined where one does not hold. A version that was seen before
 *  the commit no longer holds once an earlier change of it touched the key. */
function applied(known: readonly Known[], drawn: readonly Drawn[], changes: readonly Change[]): Known[] | undefined {
  let list = [...known]
  for (const [at, one] of drawn.entries()) {
    const there = list.some((other) => compare(other.key, one.key) === 0)
    const version = changes[at]?.version
    const wasPut = drawn.slice(0, at).some((before) => before.op === 'put' && compare(before.key, one.key) === 0)
    if (version === 0 && there) return undefined
    if (version !== undefined && version !== 0 && (version === STALE || !there || wasPut)) return undefined
    list = list.filter((other) => compare(other.key, one.key) !== 0)
    if (one.op === 'put') list.push({ key: one.key, row: one.row })
  }
  return list
}

function scanned(known: readonly Known[], { prefix = [], after, limit, reverse = false }: Range): Known[] {
  const direction = reverse ? -1 : 1
  const within = known.filter((one) => prefix.every((wanted, at) => one.key[at] === wanted))
  const beyond = within.filter((one) => after === undefined || compare(one.key, after) * direction > 0)
  return beyond.toSorted((a, b) => compare(a.key, b.key) * direction).slice(0, limit)
}

function compare(a: Key, b: Key): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const [left = '', right = ''] = [a[at], b[at]]
    if (left !== right) return left < right ? -1 : 1
  }
  return a.length - b.length
}
