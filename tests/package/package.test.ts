/** The package as users get it: packed, checked, installed into an empty folder, run. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../guards/modules.ts'

/** The Node and npm of the machine, where these tests were started by npm. */
const hostNode = process.env['npm_node_execpath'] ?? process.execPath
const npmPath = process.env['npm_execpath'] ?? ''

interface Packed {
  readonly filename: string
  readonly files: readonly { readonly path: string; readonly size: number }[]
  readonly unpackedSize: number
}

/** Compiled and packed, the program stays small; what makes it large is the data of a mistake. */
const UNPACKED_BYTES_MAX = 8 * 1024 * 1024

async function run(program: string, parameters: readonly string[], cwd: string, environment: NodeJS.ProcessEnv = {}) {
  const env = {
    ...process.env,
    NODE_TEST_CONTEXT: undefined,
    NODE_COMPILE_CACHE: undefined,
    npm_config_local_prefix: undefined,
    ...environment,
  }
  return await promisify(execFile)(program, [...parameters], { cwd, env, maxBuffer: 16 * 1024 * 1024 })
}

const npm = (parameters: readonly string[], cwd: string) =>
  basename(npmPath) === 'npm-cli.js' ? run(hostNode, [npmPath, ...parameters], cwd) : run('npm', parameters, cwd)

suite('the package', () => {
  let folder: string
  let packed: Packed
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'headworks-package-'))
    // Built in a copy, so that the tests leave no dist/ behind.
    const copy = join(folder, 'source')
    for (const entry of readdirSync(root)) {
      if (!['node_modules', '.git', 'dist', '.headworks'].includes(entry))
        cpSync(join(root, entry), join(copy, entry), { recursive: true })
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction')
    await run(process.execPath, ['scripts/build.ts'], copy)
    const { stdout } = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], copy)
    ;[packed = { filename: '', files: [], unpackedSize: 0 }] = JSON.parse(stdout) as Packed[]
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  test('holds the program, the console and the documents, and nothing else', () => {
    const paths = packed.files.map(({ path }) => path)
    for (const wanted of [
      'bin/headworks.js',
      'bin/launch.js',
      'dist/main.js',
      'console/dist/index.html',
      'catalogue/prices.json',
      'LICENSE',
      'README.md',
    ])
      assert.ok(paths.includes(wanted), `${wanted} is missing`)
    assert.ok(
      paths.some((path) => /^docs\/.*\.md$/.test(path)),
      'the handbook is missing',
    )
    const strange = paths.filter(
      (path) =>
        !/^(bin|dist|console\/dist|docs|catalogue)\/|^(LICENSE|NOTICE|README\.md|CHANGELOG\.md|package\.json)$/.test(
          path,
        ) || /\.(test|bench|fuzz)\.|\/contract\/|\.ts$/.test(path),
    )
    assert.deepEqual(strange, [])
    assert.ok(packed.unpackedSize < UNPACKED_BYTES_MAX, `${packed.unpackedSize} bytes`)
  })

  test('publint finds nothing', async () => {
    const { publint } = await import('publint')
    const { formatMessage } = await import('publint/utils')
    await run('tar', ['-xzf', packed.filename], folder)
    const { messages, pkg } = await publint({ pkgDir: join(folder, 'package'), pack: false, strict: true })
    assert.deepEqual(
      messages.map((message) => formatMessage(message, pkg, { color: false })),
      [],
    )
  })

  test('installs into an empty folder without scripts, and runs on the machine’s Node', async () => {
    const user = join(folder, 'a user')
    mkdirSync(user)
    await npm(['init', '--yes'], user)
    await npm(
      ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', join(folder, packed.filename)],
      user,
    )
    const command = join(user, 'node_modules', 'headworks', 'bin', 'headworks.js')
    const { stdout } = await run(hostNode, [command, 'version'], user)
    assert.match(stdout, /\d+\.\d+\.\d+/)
    const { stdout: help } = await run(hostNode, [command, '--help'], user)
    assert.match(help, /^ +up +Start Headworks/m)
    const { stdout: prices } = await run(hostNode, [command, 'prices', 'gpt-4.1-mini', '--json'], user)
    const { version, prices: found } = JSON.parse(prices) as { version: string; prices: { model: string }[] }
    assert.match(version, /^\d{4}-\d\d-\d\d\.[0-9a-f]{8}$/)
    assert.deepEqual(
      found.map(({ model }) => model),
      ['gpt-4.1-mini'],
    )
  })
})
