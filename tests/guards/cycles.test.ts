import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findCycles } from './cycles.ts'
import { parseTree, readTree } from './modules.ts'

const cyclesIn = (files: Record<string, string>): string[] => findCycles(parseTree(new Map(Object.entries(files))))

test('this tree has no import cycle', () => assert.deepEqual(findCycles(parseTree(readTree())), []))

test('a diamond is no cycle', () => {
  assert.deepEqual(
    cyclesIn({
      'src/a.ts': "import './b.ts'\nimport './c.ts'",
      'src/b.ts': "import './d.ts'",
      'src/c.ts': "import './d.ts'",
      'src/d.ts': '',
    }),
    [],
  )
})

test('sees a cycle of two', () => {
  assert.deepEqual(cyclesIn({ 'src/a.ts': "import './b.ts'", 'src/b.ts': "import './a.ts'" }), [
    'src/a.ts -> src/b.ts -> src/a.ts',
  ])
})

test('sees a cycle through types alone, across folders', () => {
  const cycles = cyclesIn({
    'src/x/a.ts': "import type { B } from '../y/b.ts'\nexport type A = B",
    'src/y/b.ts': "export type B = import('./c.ts').C",
    'src/y/c.ts': "import { type A } from '../x/a.ts'\nexport type C = A",
  })
  assert.deepEqual(cycles, ['src/x/a.ts -> src/y/b.ts -> src/y/c.ts -> src/x/a.ts'])
})

test('sees a file that imports itself, and two separate cycles', () => {
  assert.equal(
    cyclesIn({ 'src/a.ts': "import './a.ts'", 'src/b.ts': "import './c.ts'", 'src/c.ts': "import('./b.ts')" }).length,
    2,
  )
})
