import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './modules.ts'
import { inTree, runTool } from './tool.ts'

const KNIP = 'knip/bin/knip.js'
const PARAMETERS = ['--no-progress', '--reporter', 'compact']
const config = readFileSync(join(root, 'knip.json'), 'utf8')
const tsconfig = readFileSync(join(root, 'tsconfig.json'), 'utf8')

test('this tree has no unused file, export or dependency, and names every one it uses', () => {
  const { status, output } = runTool(KNIP, PARAMETERS)
  assert.equal(status, 0, output)
})

const SOUND = {
  'knip.json': config,
  'tsconfig.json': tsconfig,
  'package.json': JSON.stringify({
    name: 'planted',
    version: '1.0.0',
    type: 'module',
    dependencies: { zod: '4.6.7' },
    devDependencies: { '@types/node': '26.6.6', typescript: '7.0.2' },
  }),
  'src/main.ts': "import { z } from 'zod'\nimport { used } from './used.ts'\nprocess.title = z.string().parse(used)\n",
  'src/used.ts': "export const used = 'used'\n",
}

const check = (planted: { readonly [path: string]: string }) =>
  inTree({ ...SOUND, ...planted }, (folder) =>
    runTool(KNIP, [...PARAMETERS, '--include', 'files,exports,types,dependencies,unlisted,unresolved'], folder),
  )

const PLANTED = [
  ['an unused file', { 'src/unused.ts': 'export const a = 1\n' }, /Unused files[^]*src\/unused\.ts/],
  [
    'an unused export',
    { 'src/used.ts': "export const used = 'used'\nexport const unused = 1\n" },
    /Unused exports[^]*src\/used\.ts: unused/,
  ],
  [
    'an unused type',
    { 'src/used.ts': "export const used = 'used'\nexport interface Unused {}\n" },
    /Unused exported types[^]*Unused/,
  ],
  [
    'an unused dependency',
    { 'src/main.ts': "import { used } from './used.ts'\nprocess.title = used\n" },
    /Unused dependencies[^]*zod/,
  ],
  [
    'a dependency not named',
    { 'src/used.ts': "import { parse } from 'yaml'\nexport const used: string = parse('a')\n" },
    /Unlisted dependencies[^]*yaml/,
  ],
] as const

test('a tree without dead code passes', () => {
  const { status, output } = check({})
  assert.equal(status, 0, output)
})

for (const [what, planted, expected] of PLANTED) {
  test(`sees ${what}`, () => {
    const { status, output } = check(planted)
    assert.equal(status, 1, output)
    assert.match(output, expected)
  })
}
