import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './modules.ts'
import { inTree, runTool } from './tool.ts'

const LINT = 'oxlint/bin/oxlint'
const rules = readFileSync(join(root, '.oxlintrc.json'), 'utf8')
const tsconfig = readFileSync(join(root, 'tsconfig.json'), 'utf8')

test('this tree has no lint error', () => {
  const { status, output } = runTool(LINT, ['--format', 'unix'])
  assert.equal(status, 0, output)
})

const lint = (text: string) =>
  inTree({ '.oxlintrc.json': rules, 'tsconfig.json': tsconfig, 'src/a.ts': text }, (folder) =>
    runTool(LINT, ['--format', 'unix'], folder),
  )

test('a sound file passes', () => {
  const { status, output } = lint(
    "import { test } from 'node:test'\nvoid Promise.resolve()\ntest('a', async () => {})\nawait Promise.resolve()\n",
  )
  assert.equal(status, 0, output)
})

const PLANTED = [
  ['no-floating-promises', 'async function f(): Promise<void> {}\nf()\nexport {}\n'],
  ['no-misused-promises', 'const f = async (): Promise<boolean> => true\nif (f()) process.title\nexport {}\n'],
  ['await-thenable', 'await 5\nexport {}\n'],
  ['no-explicit-any', 'export const a: any = 5\n'],
  ['no-non-null-assertion', 'export const a = (process.title as string | undefined)!\n'],
  [
    'switch-exhaustiveness-check',
    "export function f(x: 'a' | 'b'): void {\n  switch (x) {\n    case 'a':\n      process.title = x\n  }\n}\n",
  ],
  ['no-unused-vars', 'const a = 5\nexport {}\n'],
] as const

for (const [rule, text] of PLANTED) {
  test(`sees ${rule}`, () => {
    const { status, output } = lint(text)
    assert.equal(status, 1, output)
    assert.match(output, new RegExp(`src/a\\.ts:.*${rule}`))
  })
}
