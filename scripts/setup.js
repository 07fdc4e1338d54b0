/** Brings a checkout to the state its lockfile and sources describe: packages installed, the
 *  command linked, the console built. Runs before `npm start` and `npm test` on any Node from 20
 *  on, so it is plain JavaScript without dependencies. When nothing is stale it only hashes. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NODE_PACKAGES, findNode, isNodeNewEnough, nodeMissingMessage } from '../bin/launch.js'
import { withLock } from './lock.js'

const NODE_MAJOR_MIN = 20
/** Debian 13 brings 9.2; older ones stumble over optional packages of other platforms. */
const NPM_MAJOR_MIN = 9

const defaultRoot = dirname(dirname(fileURLToPath(import.meta.url)))
const platform = `${process.platform}-${process.arch}`

/** Something the user has to put right: told without a stack. */
class SetupError extends Error {}

/** Installs and builds what is stale. Resolves to whether it failed; the reason is on stderr. */
export async function setUp({ root = defaultRoot, force = false, buildConsole = true } = {}) {
  try {
    const lockHash = hash(readFileSync(join(root, 'package-lock.json')))
    if (!force && isFresh(root, lockHash, buildConsole)) return false
    await withLock(
      join(root, '.setup.lock'),
      () => say('Waiting for another set-up in this folder ...'),
      async () => {
        await install(root, lockHash, force)
        if (buildConsole) await buildConsoleIfStale(root, lockHash, force)
      },
    )
    return false
  } catch (error) {
    if (error instanceof SetupError) say(error.message)
    else if (['EACCES', 'EPERM', 'EROFS'].includes(error?.code))
      say(
        `The set-up is not up to date and cannot be brought up to date: ${error.message}. Make the project folder yours.`,
      )
    else say(`The set-up failed: ${error?.stack ?? error}`)
    return true
  }
}

function isFresh(root, lockHash, withConsole) {
  return isInstalled(root, lockHash) && (!withConsole || isConsoleBuilt(root, lockHash))
}

const isInstalled = (root, lockHash) => read(installStamp(root)) === `${lockHash} ${platform}`

const isConsoleBuilt = (root, lockHash) =>
  !existsSync(join(root, 'console', 'index.html')) ||
  (existsSync(join(root, 'console', 'dist', 'index.html')) && read(consoleStamp(root)) === hashConsole(root, lockHash))

// Packages

async function install(root, lockHash, force) {
  if (!force && isInstalled(root, lockHash)) return
  requireNodePackage()
  const modules = join(root, 'node_modules')
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  if (force || !matchesLock(root, lock)) {
    await runNpmCi(root, Object.keys(lock.packages).length - 1)
    if (!matchesLock(root, lock))
      throw new SetupError('npm said it was done, but packages of the lockfile are missing. Run `npm run setup` again.')
  }
  const node = findNode(root)
  if (node === undefined) throw new SetupError(nodeMissingMessage(root))
  if (!isNodeNewEnough() && (await run(node, ['--version'], root)).status !== 0) {
    throw new SetupError(
      `${node} cannot be run on this machine (another C library than glibc?). Install Node 26 or later and run this again with it.`,
    )
  }
  linkCommand(root)
  writeFileSync(join(modules, '.headworks-setup'), `${lockHash} ${platform}`)
}

function requireNodePackage() {
  if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN) {
    throw new SetupError(`This is Node ${process.versions.node}; the set-up needs ${NODE_MAJOR_MIN} or later.`)
  }
  if (NODE_PACKAGES[platform] === undefined && !isNodeNewEnough()) throw new SetupError(nodeMissingMessage(defaultRoot))
}

/** Whether every package the lockfile asks for on this platform lies there in its version. Tells
 *  an installation made by hand from one that was interrupted. */
function matchesLock(root, lock) {
  const modules = join(root, 'node_modules')
  if (!existsSync(join(modules, '.package-lock.json'))) return false
  return Object.entries(lock.packages).every(([path, wanted]) => {
    if (path === '' || wanted.link) return true
    const fits =
      (wanted.os ?? [process.platform]).includes(process.platform) &&
      (wanted.cpu ?? [process.arch]).includes(process.arch)
    if (wanted.optional && (!fits || wanted.libc !== undefined)) return true
    try {
      return JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')).version === wanted.version
    } catch {
      // Packages that npm leaves out by itself (a bundled one's optional parts) have no entry in its
      // own record either.
      return wanted.optional === true && !(path in hiddenLock(modules))
    }
  })
}

function hiddenLock(modules) {
  return JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8')).packages ?? {}
}

async function runNpmCi(root, packages) {
  // What is there may be half of something: no run may take it for whole while npm replaces it.
  rmSync(join(root, 'node_modules', '.headworks-setup'), { force: true })
  rmSync(join(root, 'node_modules', '.package-lock.json'), { force: true })
  const npm = findNpm()
  await requireNpm(npm, root)
  const cache = temporaryCache()
  try {
    const started = performance.now()
    say(`Installing up to ${packages} packages as package-lock.json says (once; needs the network) ...`)
    const parameters = [
      'ci',
      '--ignore-scripts',
      '--include=dev',
      '--include=optional',
      '--no-audit',
      '--no-fund',
      '--fetch-retry-mintimeout=1000',
      '--fetch-retry-maxtimeout=8000',
    ]
    if (cache !== undefined) parameters.push(`--cache=${cache}`)
    const { status, stderr } = await run(npm.command, [...npm.before, ...parameters], root, {
      shell: npm.shell,
      ticking: true,
    })
    if (status !== 0) throw new SetupError(explainNpm(stderr, status))
    say(`Installed in ${seconds(started)} s.`)
  } finally {
    if (cache !== undefined) rmSync(cache, { recursive: true, force: true })
  }
}

/** The npm that called us, else the one on the PATH. */
function findNpm() {
  const path = process.env.npm_execpath ?? ''
  if (basename(path) === 'npm-cli.js' && existsSync(path)) {
    const node = process.env.npm_node_execpath
    return { command: node !== undefined && existsSync(node) ? node : process.execPath, before: [path], shell: false }
  }
  const shell = process.platform === 'win32'
  return { command: shell ? 'npm.cmd' : 'npm', before: [], shell }
}

async function requireNpm(npm, root) {
  const { status, stdout } = await run(npm.command, [...npm.before, '--version'], root, { shell: npm.shell })
  if (status === null)
    throw new SetupError('There is no npm on the PATH. Install it (Debian: apt-get install npm) and run this again.')
  const version = stdout.trim()
  if (Number.parseInt(version, 10) < NPM_MAJOR_MIN) {
    throw new SetupError(
      `This is npm ${version}; the set-up needs ${NPM_MAJOR_MIN} or later. Run \`npm install -g npm\`, or install a newer Node.`,
    )
  }
}

/** npm keeps its cache in the home folder. Where there is none to write, it gets one for this run. */
function temporaryCache() {
  if (process.env.npm_config_cache !== undefined) return undefined
  try {
    if (homedir() === '') throw new Error('no home folder')
    accessSync(homedir(), constants.W_OK)
    return undefined
  } catch {
    return mkdtempSync(join(tmpdir(), 'headworks-npm-'))
  }
}

function explainNpm(stderr, status) {
  const remedies = [
    [
      /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT/,
      'The package registry cannot be reached. The set-up needs the network this once; behind a proxy, set `npm config set https-proxy`.',
    ],
    [
      /EINTEGRITY/,
      'A package is not the one the lockfile names, so it was not installed. Look at what serves your packages (`npm config get registry`).',
    ],
    [/ENOSPC/, 'The disk is full. Free about 600 MB and run this again.'],
    [/EACCES|EPERM|EROFS/, 'A folder cannot be written. Make the project folder and the npm cache yours.'],
    [/EUSAGE/, 'package.json and package-lock.json do not agree. Run `npm install --ignore-scripts` and commit both.'],
  ]
  const remedy = remedies.find(([pattern]) => pattern.test(stderr))?.[1] ?? 'Run `npm ci --ignore-scripts` to see more.'
  const tail = stderr.trim().split('\n').slice(-12).join('\n')
  return `${tail}\n\nThe packages could not be installed (npm ended with ${status ?? 'a signal'}). ${remedy}`
}

/** Makes `npx headworks` work in the checkout without asking the network. */
function linkCommand(root) {
  const folder = join(root, 'node_modules', '.bin')
  mkdirSync(folder, { recursive: true })
  if (process.platform === 'win32') {
    writeFileSync(join(folder, 'headworks.cmd'), '@node "%~dp0\\..\\..\\bin\\headworks.js" %*\r\n')
    return
  }
  const link = join(folder, 'headworks')
  const target = join(root, 'bin', 'headworks.js')
  if (!existsSync(link) || realpathSync(link) !== realpathSync(target)) {
    rmSync(link, { force: true })
    symlinkSync('../../bin/headworks.js', link)
  }
  if ((lstatSync(target).mode & 0o111) === 0) chmodSync(target, 0o755)
}

// Console

async function buildConsoleIfStale(root, lockHash, force) {
  if (!force && isConsoleBuilt(root, lockHash)) return
  if (!existsSync(join(root, 'console', 'index.html'))) return
  const started = performance.now()
  const wanted = hashConsole(root, lockHash)
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  const node = findNode(root)
  if (node === undefined) throw new SetupError(nodeMissingMessage(root))
  // Built beside and moved, so that an interrupted build is never served.
  const { status, stdout, stderr } = await run(
    node,
    [vite, 'build', 'console', '--outDir', 'dist.next', '--emptyOutDir', '--logLevel', 'warn'],
    root,
  )
  if (status !== 0)
    throw new SetupError(
      `${stdout}${stderr}\nThe console could not be built. Correct the file named above and run this again.`,
    )
  const folder = join(root, 'console')
  rmSync(join(folder, 'dist.old'), { recursive: true, force: true })
  if (existsSync(join(folder, 'dist'))) renameSync(join(folder, 'dist'), join(folder, 'dist.old'))
  renameSync(join(folder, 'dist.next'), join(folder, 'dist'))
  rmSync(join(folder, 'dist.old'), { recursive: true, force: true })
  writeFileSync(consoleStamp(root), wanted)
  say(`Built the console in ${seconds(started)} s.`)
}

function hashConsole(root, lockHash) {
  const hashing = createHash('sha256').update(lockHash)
  const visit = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) {
        if (!/^(dist.*|node_modules|\..*)$/.test(entry.name)) visit(path)
      } else if (!/\.test\.tsx?$/.test(entry.name)) {
        hashing.update(`\0${path.slice(root.length)}\0`).update(readFileSync(path))
      }
    }
  }
  visit(join(root, 'console'))
  return hashing.digest('hex')
}

// Small things

const installStamp = (root) => join(root, 'node_modules', '.headworks-setup')
const consoleStamp = (root) => join(root, 'node_modules', '.headworks-console')
const hash = (bytes) => createHash('sha256').update(bytes).digest('hex')
const seconds = (startedMs) => ((performance.now() - startedMs) / 1000).toFixed(1)
const say = (line) => process.stderr.write(`${line}\n`)

function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Runs a program to its end. `status` is null when it could not be started or a signal ended it. */
function run(command, parameters, cwd, { shell = false, ticking = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, parameters, { cwd, shell, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr']) child[name].on('data', (bytes) => (output[name] += bytes))
    const started = performance.now()
    const ticker =
      ticking && process.stderr.isTTY
        ? setInterval(() => process.stderr.write(`\r  ${seconds(started)} s `), 500)
        : undefined
    const stop = (signal) => {
      child.kill(signal)
      process.exit(130)
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, stop)
    const done = (status) => {
      clearInterval(ticker)
      if (ticker !== undefined) process.stderr.write('\r')
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeListener(signal, stop)
      resolve({ status, ...output })
    }
    child.once('error', () => done(null))
    child.once('close', done)
  })
}

if (
  process.argv[1] !== undefined &&
  existsSync(process.argv[1]) &&
  realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)
) {
  if (await setUp({ force: process.argv.includes('--force') })) process.exitCode = 1
}
