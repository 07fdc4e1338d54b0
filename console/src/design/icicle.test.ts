import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { gathered, neighbourOf, partOf, partsOf, rectsOf, REST, type Leaf, type Part } from './icicle.ts'

const LEAVES: Leaf[] = [
  { names: ['web', 'ann', 'chat'], value: 40 },
  { names: ['web', 'ann', 'docs'], value: 20 },
  { names: ['web', 'bob', 'chat'], value: 20 },
  { names: ['ops', 'cy', 'chat'], value: 15 },
  { names: ['ops', 'dan', 'chat'], value: 3 },
  { names: ['ops', 'eve', 'chat'], value: 2 },
  { names: ['idle', 'fay', 'chat'], value: 0 },
]

const told = (rects: ReturnType<typeof rectsOf>) =>
  rects.map(
    ({ part, level, from, to, branch }) => `${level} ${part.name} ${from.toFixed(2)}-${to.toFixed(2)} ${branch}`,
  )

test('parts stand beside what they are parts of, the largest first; nothing has no place', () => {
  assert.deepEqual(told(rectsOf(partsOf(LEAVES, 3), 3)), [
    '0 web 0.00-0.80 0',
    '0 ops 0.80-1.00 1',
    '1 ann 0.00-0.60 0',
    '1 bob 0.60-0.80 0',
    '1 cy 0.80-0.95 1',
    '1 dan 0.95-0.98 1',
    '1 eve 0.98-1.00 1',
    '2 chat 0.00-0.40 0',
    '2 docs 0.40-0.60 0',
    '2 chat 0.60-0.80 0',
    '2 chat 0.80-0.95 1',
    '2 chat 0.95-0.98 1',
    '2 chat 0.98-1.00 1',
  ])
})

test('parts too small to be read stand together, and are opened by going there', () => {
  const whole = partsOf(LEAVES, 3)
  const shown = rectsOf(gathered(whole, 4), 3)
  const rest = shown.find(({ part }) => part.isRest)
  assert.deepEqual([rest?.part.value, rest?.level, rest?.part.children.length], [5, 1, 2])
  assert.equal(shown.filter(({ level }) => level === 2).length, 4, 'what stands for several is not opened here')
  assert.equal(partOf(whole, ['ops', 'cy'], 0.04)?.value, 15)
  assert.equal(partOf(whole, ['gone'], 0.04), undefined)
  assert.equal(partOf(whole, ['idle'], 0.3)?.value, 0, 'what is small, or nothing, is found by its own name')
  assert.deepEqual(
    partOf(whole, ['ops', REST], 0.2)?.children.map(({ name }) => name),
    ['dan', 'eve'],
  )
})

test('a single small part stays itself', () => {
  const [only] = gathered(
    partsOf(
      [
        { names: ['a'], value: 99 },
        { names: ['b'], value: 1 },
      ],
      1,
    ),
    5,
  ).children.slice(1)
  assert.deepEqual([only?.name, only?.isRest], ['b', undefined])
})

test('columns never overlap, and children fill their parent', () => {
  const leaf = fc.record({
    names: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 3, maxLength: 3 }),
    value: fc.nat(1e6),
  })
  fc.assert(
    fc.property(fc.array(leaf, { maxLength: 40 }), fc.double({ min: 0, max: 0.3, noNaN: true }), (leaves, least) => {
      const whole = partsOf(leaves, 3)
      const rects = rectsOf(gathered(whole, least * whole.value), 3)
      for (let level = 0; level < 3; level++) {
        const column = rects.filter((rect) => rect.level === level)
        column.forEach(({ from, to }, at) => {
          assert.ok(to > from && to < 1 + 1e-9)
          assert.ok(at === 0 || from >= (column[at - 1]?.to ?? 0) - 1e-9, 'overlap')
        })
      }
      const sum = (part: Part): void => {
        if (part.children.length > 0)
          assert.equal(
            part.children.reduce((all, child) => all + child.value, 0),
            part.value,
          )
        part.children.forEach(sum)
      }
      sum(gathered(whole, least * whole.value))
    }),
  )
})

test('arrow keys: to the parent, to the first child, up and down the column, and no further', () => {
  const rects = rectsOf(partsOf(LEAVES, 3), 3)
  const name = (at: number): string | undefined => rects[at]?.part.name
  const go = (...keys: string[]): string | undefined => name(keys.reduce((at, key) => neighbourOf(rects, at, key), 0))
  assert.deepEqual(
    [go('ArrowRight'), go('ArrowRight', 'ArrowDown'), go('ArrowRight', 'ArrowDown', 'ArrowLeft'), go('End')],
    ['ann', 'bob', 'web', 'ops'],
  )
  assert.deepEqual([go('ArrowUp'), go('ArrowLeft'), go('End', 'ArrowDown'), go('x')], ['web', 'web', 'ops', 'web'])
  assert.equal(neighbourOf([], 0, 'ArrowDown'), 0)
})
