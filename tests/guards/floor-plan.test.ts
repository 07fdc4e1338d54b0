import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkFloorPlan } from './floor-plan.ts'
import { parseTree, readTree, root } from './modules.ts'

const PACKAGES = { present: new Set(['zod']), optional: new Set(['pg']), development: new Set(['shapes']) }

function violations(files: Record<string, string>): string[] {
  return checkFloorPlan(parseTree(new Map(Object.entries(files))), PACKAGES)
}

/** A house with nothing wrong, to plant violations in. */
const SOUND = {
  'src/base/units.ts': 'export type Units = number\nexport const units = 1',
  'src/store/rows.ts': "import type { Units } from '../base/units.ts'\nexport type Rows = Units",
  'src/retrieval/search.ts':
    "import { z } from 'zod'\nimport { units } from '../base/units.ts'\nexport type Passage = string\nexport const search = z.number(units)",
  'src/serving/pool.ts': 'export type Pool = string',
  'src/gateway/call.ts': "import { search } from '../retrieval/search.ts'\nexport const call = search",
  'src/drivers/sqlite/rows.ts':
    "import type { Rows } from '../../store/rows.ts'\nimport type { Passage } from '../../retrieval/search.ts'\nexport type SqliteRows = Rows | Passage",
  'src/drivers/memory/rows.ts': 'export const memory = 1',
  'src/main.ts':
    "import { memory } from './drivers/memory/rows.ts'\nawait import('./house/house.ts')\nconsole.log(memory)",
  'src/house/house.ts':
    "import { memory } from '../drivers/memory/rows.ts'\nimport { call } from '../gateway/call.ts'\nexport const house = [memory, call]",
  'src/gateway/call.test.ts':
    "import { memory } from '../drivers/memory/rows.ts'\nimport check from 'fast-check'\ncheck(memory)",
  'sim/world.ts': "import { memory } from '../src/drivers/memory/rows.ts'\nexport const world = memory",
}

test('the floor plan holds in this tree', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<
    'dependencies' | 'optionalDependencies' | 'peerDependencies' | 'devDependencies',
    Record<string, string>
  >
  const { dependencies, optionalDependencies, peerDependencies, devDependencies } = manifest
  const packages = {
    present: new Set(Object.keys(dependencies)),
    optional: new Set(Object.keys({ ...optionalDependencies, ...peerDependencies })),
    development: new Set(Object.keys(devDependencies)),
  }
  assert.deepEqual(checkFloorPlan(parseTree(readTree()), packages), [])
})

test('a sound house passes', () => assert.deepEqual(violations(SOUND), []))

const PLANTED: readonly (readonly [what: string, path: string, text: string, expected: RegExp])[] = [
  [
    'an upward import',
    'src/base/ids.ts',
    "import { call } from '../gateway/call.ts'\ncall()",
    /src\/base\/ids\.ts:1: base imports upwards from src\/gateway\/call\.ts/,
  ],
  [
    'an upward import of a type',
    'src/base/ids.ts',
    "\nimport type { Rows } from '../store/rows.ts'\nexport type X = Rows",
    /ids\.ts:2: base imports upwards/,
  ],
  [
    'a type named in place',
    'src/base/ids.ts',
    "export type X = import('../store/rows.ts').Rows",
    /base imports upwards/,
  ],
  ['a lazy import', 'src/base/ids.ts', "await import('../store/rows.ts')", /base imports upwards/],
  [
    'a worker started upwards',
    'src/base/ids.ts',
    "new Worker(new URL('../store/rows.ts', import.meta.url))",
    /base imports upwards/,
  ],
  [
    'a worker started upwards by either name',
    'src/base/ids.ts',
    "new URL(x ? '../store/rows.js' : '../store/rows.ts', import.meta.url)",
    /base imports upwards/,
  ],
  ['a re-export', 'src/base/ids.ts', "export * from '../store/rows.ts'", /base imports upwards/],
  [
    'a trade importing a trade',
    'src/serving/use.ts',
    "import type { Passage } from '../retrieval/search.ts'\nexport type X = Passage",
    /serving imports sideways from src\/retrieval\/search\.ts/,
  ],
  [
    'a command knowing the house',
    'src/cli/up.ts',
    "import { house } from '../house/house.ts'\nhouse()",
    /cli imports upwards/,
  ],
  [
    'a room naming a driver',
    'src/gateway/use.ts',
    "import { memory } from '../drivers/memory/rows.ts'\nmemory()",
    /only main\.ts, src\/house, sim and tests name drivers/,
  ],
  [
    'a driver importing a driver',
    'src/drivers/sqlite/queue.ts',
    "import { memory } from '../memory/rows.ts'\nmemory()",
    /the driver sqlite imports the driver/,
  ],
  [
    'a driver importing the gateway',
    'src/drivers/sqlite/queue.ts',
    "import { call } from '../../gateway/call.ts'\ncall()",
    /which is no port/,
  ],
  [
    'a driver importing values of retrieval',
    'src/drivers/sqlite/queue.ts',
    "import { search } from '../../retrieval/search.ts'\nsearch()",
    /only its types/,
  ],
  ['an import of a test', 'src/gateway/use.ts', "import './call.test.ts'", /imports the test/],
  [
    'an import from outside src',
    'src/gateway/use.ts',
    "import { world } from '../../sim/world.ts'\nworld()",
    /outside src/,
  ],
  ['a missing file', 'src/gateway/use.ts', "import './absent.ts'", /which does not exist/],
  [
    'an ending of compiled code',
    'src/gateway/use.ts',
    "import { call } from './call.js'\ncall()",
    /which does not exist/,
  ],
  [
    'a package nobody declared',
    'src/gateway/use.ts',
    "import check from 'fast-check'\ncheck()",
    /not among the dependencies/,
  ],
  [
    'a package that may be absent, loaded at the start',
    'src/drivers/memory/use.ts',
    "import pg from 'pg'\npg()",
    /may be absent/,
  ],
  [
    'a package of development, loaded when it is needed',
    'src/drivers/memory/use.ts',
    "await import('shapes')",
    /not among the dependencies/,
  ],
  ['a computed import', 'src/gateway/use.ts', 'await import(process.argv[2])', /computed at run time/],
  ['a room not on the plan', 'src/helpers/text.ts', 'export const text = 1', /src\/helpers is not a room/],
  [
    'the console knowing the gateway',
    'console/src/app.ts',
    "import { call } from '../../src/gateway/call.ts'\ncall()",
    /it may know src\/base only/,
  ],
]

for (const [what, path, text, expected] of PLANTED) {
  test(`sees ${what}`, () => {
    const found = violations({ ...SOUND, [path]: text })
    assert.equal(found.length, 1, found.join('\n'))
    assert.match(found[0] ?? '', expected)
  })
}
