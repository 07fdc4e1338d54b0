/** What the packages may be: pinned, without install scripts, under permissive licences, and
 *  fetched from wherever the user's npm fetches. */

export interface Manifest {
  readonly [group: string]: unknown
}

export interface Locked {
  readonly version?: string
  readonly resolved?: string
  readonly integrity?: string
  readonly license?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly hasInstallScript?: boolean
  readonly os?: readonly string[]
  readonly cpu?: readonly string[]
  readonly libc?: readonly string[]
  readonly optionalDependencies?: { readonly [name: string]: string }
}

export interface Lock {
  readonly lockfileVersion: number
  readonly packages: { readonly [path: string]: Locked }
}

const GROUPS = ['dependencies', 'devDependencies', 'optionalDependencies']
const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/
const PERMISSIVE = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'Unlicense',
  'Zlib',
])

export function checkPackages(manifest: Manifest, lock: Lock): string[] {
  const found: string[] = []
  if (lock.lockfileVersion !== 3) found.push(`package-lock.json has version ${lock.lockfileVersion}, not 3`)
  for (const group of GROUPS) {
    const locked = (lock.packages[''] as Manifest | undefined)?.[group]
    if (JSON.stringify(manifest[group]) !== JSON.stringify(locked))
      found.push(`package-lock.json does not have the ${group} of package.json`)
    for (const [name, version] of Object.entries(manifest[group] ?? {})) {
      if (!EXACT.test(String(version))) found.push(`${name}: pin it exactly, not as ${String(version)}`)
    }
  }
  for (const [path, locked] of Object.entries(lock.packages))
    if (path !== '') found.push(...checkLocked(path.replace(/^.*node_modules\//, ''), locked))
  for (const [owner, { optionalDependencies = {} }] of Object.entries(lock.packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      const isLocked = `node_modules/${name}` in lock.packages || `${owner}/node_modules/${name}` in lock.packages
      if (!isLocked) found.push(`${name}: no entry, so that npm ci refuses the lockfile; \`npm run lock\` adds it`)
    }
  }
  return found
}

/** The registry at hand did not have them when the lockfile was made, which only a checkout has: what is
 *  published is installed without it. */
const UNHASHED = new Set([
  '@duckdb/node-bindings-darwin-arm64',
  '@duckdb/node-bindings-darwin-x64',
  '@duckdb/node-bindings-linux-arm64',
  '@duckdb/node-bindings-linux-arm64-musl',
  '@duckdb/node-bindings-win32-arm64',
  '@duckdb/node-bindings-win32-x64',
  '@lancedb/lancedb-linux-arm64-gnu',
])

function checkLocked(name: string, locked: Locked): string[] {
  const found: string[] = []
  if (locked.resolved !== undefined)
    found.push(`${name}: the lockfile names the host it came from (omit-lockfile-registry-resolved)`)
  if (locked.integrity === undefined && !isForeignTool(locked) && !UNHASHED.has(name))
    found.push(`${name}: no integrity hash`)
  // fsevents and its like build on macOS only, where they are optional too.
  const runsHere = locked.optional !== true || (locked.os ?? ['linux']).includes('linux')
  if (locked.hasInstallScript === true && runsHere) found.push(`${name}: has an install script`)
  if (locked.dev !== true && !isPermissive(locked.license))
    found.push(`${name}: the licence ${locked.license ?? '(none)'} is not on the list`)
  return found
}

/** A development tool's build for another platform than those of CI and of most developers, which
 *  the registry at hand did not have when the lockfile was made. */
function isForeignTool({ dev, optional, os = [], cpu = [], libc = [] }: Locked): boolean {
  const isCommon = os.includes('linux') && ['x64', 'arm64'].some((one) => cpu.includes(one)) && !libc.includes('musl')
  return dev === true && optional === true && os.length > 0 && !isCommon
}

/** An SPDX expression: one of the alternatives, or all of what is joined, must be on the list. */
function isPermissive(licence = ''): boolean {
  const alternatives = licence.replace(/[()]/g, '').split(' OR ')
  return alternatives.some((all) => all.split(' AND ').every((one) => PERMISSIVE.has(one)))
}
