import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTree, readTree } from './modules.ts'
import { checkBarrels, checkDrawers, checkModuleState, checkRoomShares, findLong } from './shape.ts'

const parse = (files: Record<string, string>) => parseTree(new Map(Object.entries(files)))
const ofLines = (count: number): string => 'f()\n'.repeat(count - 1)

test('this tree has no room above a quarter of its lines', () =>
  assert.deepEqual(checkRoomShares(parseTree(readTree(['src']))), []))

test('sees a room above a quarter, and counts no tests', () => {
  const files = {
    'src/a/a.ts': ofLines(30),
    'src/b/b.ts': ofLines(25),
    'src/c/c.ts': ofLines(25),
    'src/drivers/d/d.ts': ofLines(20),
    'src/b/b.test.ts': ofLines(99),
  }
  assert.deepEqual(checkRoomShares(parse(files)), ['src/a has 30 of 100 lines, more than a quarter'])
})

test('this tree has no barrels and no drawers', () => {
  const files = readTree()
  assert.deepEqual(checkBarrels(parseTree(files)), [])
  assert.deepEqual(checkDrawers(files.keys()), [])
})

test('sees a barrel', () => {
  assert.equal(
    checkBarrels(
      parse({
        'src/a.ts':
          "export * from './b.ts'\nexport { c } from './c.ts'\nexport type { D } from './d.ts'\nexport const e = 1",
      }),
    ).length,
    3,
  )
})

test('sees a drawer', () => {
  assert.equal(
    checkDrawers([
      'src/base/utils.ts',
      'src/helpers/a.ts',
      'console/src/types.ts',
      'src/base/units.ts',
      'src/commonplace.ts',
    ]).length,
    3,
  )
})

test('long files and functions are told', () => {
  for (const line of findLong(parseTree(readTree(['src', 'console', 'sim', 'bench', 'tests', 'scripts', 'bin']))))
    console.log(`  long: ${line}`)
  assert.deepEqual(findLong(parse({ 'src/a.ts': ofLines(401), 'src/b.ts': `const f = () => {\n${ofLines(70)}\n}` })), [
    'src/a.ts: 401 lines',
    'src/b.ts:1: a function of 72 lines',
  ])
})

test('this tree has no state of a module', () => assert.deepEqual(checkModuleState(parseTree(readTree(['src']))), []))

test('sees state of a module, exported or not', () => {
  const text = 'let a = 1\nexport let b = 2\nconst c = 3\nfunction f() { let d = 4; return d }\n'
  assert.deepEqual(
    checkModuleState(parse({ 'src/base/a.ts': text })).map((line) => line.split(' ', 1)[0]),
    ['src/base/a.ts:1:', 'src/base/a.ts:2:'],
  )
})
