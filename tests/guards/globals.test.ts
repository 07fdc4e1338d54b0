import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkGlobals } from './globals.ts'
import { parseTree, readTree } from './modules.ts'

const check = (text: string, path = 'src/gateway/a.ts'): string[] => checkGlobals(parseTree(new Map([[path, text]])))

test('this tree takes clock, chance, network and disk as arguments', () =>
  assert.deepEqual(checkGlobals(parseTree(readTree(['src', 'sim']))), []))

const PLANTED: readonly (readonly [text: string, named: string])[] = [
  ['const t = Date.now()', 'Date.now'],
  ["const t = Date['now']()", 'Date.now'],
  ['const t = new Date()', 'new Date()'],
  ['const t = Date()', 'new Date()'],
  ['const t = performance.now()', 'performance'],
  ['const r = Math.random()', 'Math.random'],
  ['const pick = Math.random', 'Math.random'],
  ['setTimeout(() => {}, 5)', 'setTimeout'],
  ['const wait = setTimeout', 'setTimeout'],
  ['f({ setTimeout })', 'setTimeout'],
  ['setInterval(() => {}, 5)', 'setInterval'],
  ['setImmediate(() => {})', 'setImmediate'],
  ['globalThis.setTimeout(f, 1)', 'globalThis'],
  ["await fetch('x')", 'fetch'],
  ['const id = crypto.randomUUID()', 'crypto'],
  ["console.log('x')", 'console'],
  ['const home = process.env.HOME', 'process.env'],
  ['const { HOME } = process.env', 'process.env'],
  ['process.exit(1)', 'process.exit'],
  ['const s = AbortSignal.timeout(5)', 'AbortSignal.timeout'],
  ["import { readFile } from 'node:fs/promises'", 'node:fs/promises'],
  ["import fs from 'node:fs'", 'node:fs'],
  ["import { connect } from 'node:net'", 'node:net'],
  ["const http = await import('node:http')", 'node:http'],
  ["import { request } from 'undici'", 'undici'],
  ["import { setTimeout as sleep } from 'node:timers/promises'", 'node:timers/promises'],
  ["import { createHash, randomBytes } from 'node:crypto'", 'randomBytes'],
  ["import crypto from 'node:crypto'", 'all of it'],
]

for (const [text, named] of PLANTED) {
  test(`sees ${text}`, () => {
    const found = check(`\n${text}`)
    assert.equal(found.length, 1, found.join('\n'))
    assert.ok(found[0]?.startsWith(`src/gateway/a.ts:2: ${named}: `), found[0] ?? '')
  })
}

const ALLOWED = [
  'const t = new Date(wallMs).toISOString()',
  'const t = clock.monotonicMs()',
  'const o = { fetch: 1, setTimeout: 2 }',
  'client.fetch()',
  'const f = (fetch: () => void) => fetch()',
  'const { console } = options\nconsole.log()',
  "import { createHash } from 'node:crypto'",
  "import type { Server } from 'node:http'",
  'type F = typeof fetch',
  'class A { fetch() {} }',
  'const pid = process.pid',
]

for (const text of ALLOWED) test(`allows ${text}`, () => assert.deepEqual(check(text), []))

test('drivers, base, the house, main.ts and tests may', () => {
  for (const path of [
    'src/drivers/undici/client.ts',
    'src/base/clock.ts',
    'src/house/house.ts',
    'src/main.ts',
    'src/gateway/a.test.ts',
    'src/store/contract/rows.ts',
  ])
    assert.deepEqual(check('Date.now()', path), [])
})

test('the command line may print, but not read the clock', () => {
  assert.deepEqual(check('console.log(1)', 'src/cli/up.ts'), [])
  assert.equal(check('Date.now()', 'src/cli/up.ts').length, 1)
})

test('the simulator may do neither', () => {
  assert.equal(check('Date.now()', 'sim/world.ts').length, 1)
  assert.deepEqual(check('console.log(process.env)', 'sim/world.ts'), [])
  assert.deepEqual(check('Date.now()', 'sim/run.ts'), [])
})
