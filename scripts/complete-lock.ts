/** Adds to package-lock.json the builds for other platforms that npm left out because the registry
 *  at hand did not have them. Without those entries `npm ci` refuses the lockfile; with them every
 *  platform installs what it needs. Run after `npm install`: `npm run lock`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

interface Entry {
  readonly version?: string
  readonly dev?: boolean
  readonly license?: string
  readonly optionalDependencies?: { readonly [name: string]: string }
}

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const PROCESSORS = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64']

/** The platform in a name such as `@oxlint/binding-linux-x64-musl`. */
function platformOf(name: string): { os: string[]; cpu: string[]; libc?: string[] } | undefined {
  const words = name.split(/[/-]/)
  const os = SYSTEMS.find((system) => words.includes(system))
  const cpu = PROCESSORS.find((processor) => words.includes(processor))
  if (os === undefined || cpu === undefined) return undefined
  const last = words.at(-1) ?? ''
  const libc =
    os === 'linux' ? (last.startsWith('musl') ? 'musl' : last.startsWith('gnu') ? 'glibc' : undefined) : undefined
  return { os: [os], cpu: [cpu], ...(libc === undefined ? {} : { libc: [libc] }) }
}

const path = join(dirname(import.meta.dirname), 'package-lock.json')
const lock = JSON.parse(readFileSync(path, 'utf8')) as { packages: { [path: string]: Entry } }
let added = 0
for (const [owner, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`
    const platform = platformOf(name)
    if (lock.packages[key] !== undefined || lock.packages[`${owner}/${key}`] !== undefined || platform === undefined)
      continue
    const { dev, license } = entry
    lock.packages[key] = {
      version,
      ...platform,
      ...(dev ? { dev } : {}),
      ...(license === undefined ? {} : { license }),
      optional: true,
    } as Entry
    added++
  }
}
const [root, ...others] = Object.entries(lock.packages)
const sorted = others.sort(([a], [b]) => a.localeCompare(b, 'en'))
writeFileSync(
  path,
  `${JSON.stringify({ ...lock, packages: Object.fromEntries(root === undefined ? sorted : [root, ...sorted]) }, null, 2)}\n`,
)
console.log(`${added} builds for other platforms added to package-lock.json.`)
