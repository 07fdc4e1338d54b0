import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './modules.ts'
import { inTree, runTool } from './tool.ts'

const COMPILER = 'typescript/bin/tsc'
const tsconfig = readFileSync(join(root, 'tsconfig.json'), 'utf8')

for (const project of ['.', 'console']) {
  test(`the types of ${project} hold`, () => {
    const { status, output } = runTool(COMPILER, ['-p', project, '--noEmit', '--pretty', 'false'])
    assert.equal(status, 0, output)
  })
}

const compile = (text: string) =>
  inTree(
    {
      'package.json': '{ "type": "module" }',
      'tsconfig.json': tsconfig,
      'src/a.ts': text,
      'src/b.ts': 'export interface B {}\n',
    },
    (folder) => runTool(COMPILER, ['-p', '.', '--noEmit', '--pretty', 'false'], folder),
  )

test('a sound file passes', () => {
  const { status, output } = compile("import type { B } from './b.ts'\nexport const b: B = process\n")
  assert.equal(status, 0, output)
})

const PLANTED = [
  ['a wrong type', 'export const a: number = "five"\n', 'TS2322'],
  ['an unchecked index', 'export const first = (list: string[]): string => list[0]\n', 'TS2322'],
  ['undefined for an optional property', 'export const a: { b?: string } = { b: undefined }\n', 'TS2375'],
  ['an enum, which Node cannot strip', 'export enum A { B }\n', 'TS1294'],
  ['a type imported as a value', "import { B } from './b.ts'\nexport type C = B\n", 'TS1484'],
] as const

for (const [what, text, code] of PLANTED) {
  test(`sees ${what}`, () => {
    const { status, output } = compile(text)
    assert.notEqual(status, 0)
    assert.match(output, new RegExp(`src/a\\.ts.*${code}`))
  })
}
