/** A small checkout with the real launcher and set-up. Its only packages are a stand-in for Vite
 *  and one for the platform's Node, which npm installs from files: no test needs the network. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { NODE_PACKAGES } from '../../bin/launch.js'

const project = dirname(dirname(import.meta.dirname))

/** The Node the user started npm with: on most machines older than the one the tests run under. */
export const hostNode = process.env['npm_node_execpath'] ?? process.execPath

const NODE_PACKAGE = findNodePackage()

function findNodePackage(): string {
  const found = Object.entries(NODE_PACKAGES).find(([platform]) => platform === `${process.platform}-${process.arch}`)
  if (found === undefined) throw new Error('These tests know no Node package for this platform.')
  return found[1]
}

const VITE = `import fs from 'node:fs'
const text = fs.readFileSync('console/src/app.ts', 'utf8')
if (text.includes('broken')) { console.error('app.ts:1: broken'); process.exit(1) }
fs.mkdirSync('console/dist.next', { recursive: true })
fs.writeFileSync('console/dist.next/index.html', text)
`

interface Packed {
  readonly name: string
  readonly version: string
  readonly integrity: string
  /** Absent when a registry has it. */
  readonly resolved?: string
  readonly optional?: boolean
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export class Checkout {
  readonly folder: string

  constructor() {
    this.folder = join(mkdtempSync(join(tmpdir(), 'headworks-setup-')), 'a folder with späces')
    mkdirSync(this.folder)
    for (const path of ['bin', 'scripts/setup.js', 'scripts/lock.js', 'scripts/run.js'])
      cpSync(join(project, path), join(this.folder, path), { recursive: true })
    this.lock('1.0.0')
  }

  remove(): void {
    rmSync(dirname(this.folder), { recursive: true, force: true })
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true })
    writeFileSync(join(this.folder, path), text)
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), 'utf8')
  }

  /** Makes the lockfile ask for this version of the stand-in for Vite, which copies
   *  `console/src/app.ts` to its output and fails when that says `broken`. */
  lock(version: string): void {
    const vite = this.#pack('vite', version, 'bin/vite.js', VITE)
    const node = this.#pack(NODE_PACKAGE, '26.0.0', 'bin/node', `#!/bin/sh\nexec '${process.execPath}' "$@"\n`)
    this.#writeManifests([vite, { ...node, optional: true }])
  }

  /** Asks for a package that only a registry has. */
  lockFromRegistry(): void {
    this.#writeManifests([{ name: 'vite', version: '9.9.9', integrity: `sha512-${'A'.repeat(86)}==` }])
  }

  /** What npm would fetch, as a file of the checkout. */
  #pack(name: string, version: string, path: string, text: string): Packed {
    const source = mkdtempSync(join(tmpdir(), 'headworks-package-'))
    mkdirSync(join(source, 'package', 'bin'), { recursive: true })
    writeFileSync(
      join(source, 'package', 'package.json'),
      JSON.stringify({ name, version, license: 'MIT', type: 'module' }),
    )
    writeFileSync(join(source, 'package', path), text, { mode: 0o755 })
    const file = `${name}-${version}.tgz`
    const { status, stderr } = spawnSync('tar', ['-czf', join(this.folder, file), '-C', source, 'package'], {
      encoding: 'utf8',
    })
    rmSync(source, { recursive: true })
    if (status !== 0) throw new Error(stderr)
    const integrity = `sha512-${createHash('sha512')
      .update(readFileSync(join(this.folder, file)))
      .digest('base64')}`
    return { name, version, resolved: `file:${file}`, integrity }
  }

  #writeManifests(packages: readonly Packed[]): void {
    const wanted = packages.map(({ name, version, resolved }) => [name, resolved ?? version])
    const manifest = {
      name: 'checkout',
      version: '1.0.0',
      type: 'module',
      license: 'MIT',
      optionalDependencies: Object.fromEntries(wanted.slice(1)),
      devDependencies: Object.fromEntries(wanted.slice(0, 1)),
    }
    const locked = packages.map(({ name, ...rest }) => [
      `node_modules/${name}`,
      { ...rest, ...(rest.optional ? {} : { dev: true }), license: 'MIT' },
    ])
    this.write('package.json', JSON.stringify(manifest))
    this.write(
      'package-lock.json',
      JSON.stringify({
        name: 'checkout',
        version: '1.0.0',
        lockfileVersion: 3,
        requires: true,
        packages: { '': manifest, ...Object.fromEntries(locked) },
      }),
    )
  }

  start(
    parameters: readonly string[],
    environment: NodeJS.ProcessEnv = {},
    node = hostNode,
  ): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
    const child = spawn(node, [...parameters], {
      cwd: this.folder,
      env: { ...outerEnvironment(), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = { stdout: '', stderr: '' }
    child.stdout.on('data', (bytes: Buffer) => (output.stdout += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (output.stderr += bytes.toString()))
    const ended = new Promise<Ended>((resolve) =>
      child.on('close', (code, signal) => resolve({ code, signal, ...output })),
    )
    return { child, ended }
  }

  setUp(environment: NodeJS.ProcessEnv = {}, node = hostNode): Promise<Ended> {
    return this.start(['scripts/setup.js'], environment, node).ended
  }
}

/** As a user's shell has it: npm's settings for the run of these tests do not reach the checkout,
 *  save for which npm it is. */
function outerEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_config_(local_prefix|prefix|global)|npm_package_|npm_lifecycle_|NODE_TEST_CONTEXT|NODE_COMPILE_CACHE|INIT_CWD)/.test(
        name,
      ),
  )
  return Object.fromEntries(kept)
}
