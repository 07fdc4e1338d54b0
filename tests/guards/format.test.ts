import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './modules.ts'
import { inTree, runTool } from './tool.ts'

const FORMATTER = 'oxfmt/bin/oxfmt'
const style = readFileSync(join(root, '.oxfmtrc.json'), 'utf8')

test('this tree is formatted (npm run format)', () => {
  const { status, output } = runTool(FORMATTER, ['--list-different'])
  assert.equal(status, 0, output)
})

const check = (text: string) =>
  inTree({ '.oxfmtrc.json': style, 'src/a.ts': text }, (folder) =>
    runTool(FORMATTER, ['--list-different', 'src'], folder),
  )

test('a formatted file passes', () => assert.equal(check("export const a = 'b'\n").status, 0))

for (const text of ['export const a = "b"\n', "export const a = 'b';\n", "export const  a = 'b'\n"]) {
  test(`sees ${JSON.stringify(text)}`, () => {
    const { status, output } = check(text)
    assert.equal(status, 1)
    assert.match(output, /src\/a\.ts/)
  })
}
