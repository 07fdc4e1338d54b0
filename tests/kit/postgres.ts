import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chownSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** A Postgres with pgvector of its own, for tests and benchmarks, from the installation that
 *  `HEADWORKS_TEST_POSTGRES` names: a folder with `bin/initdb`. */

const installation = process.env['HEADWORKS_TEST_POSTGRES']

/** Why there is none, for tests to be skipped with. */
export const withoutPostgres: string | false =
  installation === undefined
    ? 'HEADWORKS_TEST_POSTGRES names no folder with bin/initdb of a Postgres that has pgvector 0.8: pip install -r tests/clients/postgres.txt'
    : false

/** Postgres refuses to run as root. */
const NOBODY = 65_534
const START_MS_MAX = 30_000
const USER = 'headworks'

export class PostgresServer {
  readonly url: string
  readonly #folder: string
  readonly #process: ChildProcess

  private constructor(folder: string, url: string, server: ChildProcess) {
    this.#folder = folder
    this.url = url
    this.#process = server
  }

  /** Listens on a socket in a temporary folder only. `settings` as of `postgresql.conf`. */
  static async start(settings: { readonly [name: string]: string } = {}): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'headworks-postgres-'))
    const isRoot = process.getuid?.() === 0
    const program = isRoot ? readable(folder, installation ?? '') : (installation ?? '')
    const as = isRoot ? { uid: NOBODY, gid: NOBODY } : {}
    const data = join(folder, 'data')
    const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', LD_LIBRARY_PATH: join(program, 'lib') }
    const options = { cwd: folder, env, ...as }
    execFileSync(
      join(program, 'bin', 'initdb'),
      ['-D', data, '-U', USER, '--auth=trust', '--encoding=UTF8', '--no-locale', '--no-sync'],
      { ...options, stdio: 'ignore' },
    )
    const all = { listen_addresses: '', unix_socket_directories: folder, ...settings }
    const server = spawn(
      join(program, 'bin', 'postgres'),
      ['-D', data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...options, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    await ready(server)
    return new PostgresServer(folder, `postgres:///postgres?host=${encodeURIComponent(folder)}&user=${USER}`, server)
  }

  /** The server's own process; each connection has a child of it. */
  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** At once: nothing in it is wanted any more. */
  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#process.once('exit', resolve))
    if (this.#process.exitCode === null && this.#process.kill('SIGINT')) await gone
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** A copy that a user without rights can read, in a folder of theirs, together with the libraries
 *  that a Python package keeps beside itself. */
function readable(folder: string, from: string): string {
  chownSync(folder, NOBODY, NOBODY)
  const to = join(folder, 'program')
  if (!existsSync(join(from, 'bin', 'initdb'))) throw new Error(`${from} holds no bin/initdb`)
  cpSync(from, to, { recursive: true, verbatimSymlinks: true })
  const packages = dirname(dirname(from))
  for (const name of readdirSync(packages).filter((one) => one.endsWith('.libs')))
    cpSync(join(packages, name), join(to, 'lib'), { recursive: true })
  return to
}

function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    const timer = setTimeout(() => reject(new Error(`Postgres did not start: ${said}`)), START_MS_MAX)
    const end = (settle: () => void): void => {
      clearTimeout(timer)
      settle()
    }
    server.once('exit', (code) => end(() => reject(new Error(`Postgres ended with ${code}: ${said}`))))
    server.stderr?.on('data', (bytes: Buffer) => {
      said = (said + bytes.toString()).slice(-4_000)
      if (said.includes('ready to accept connections')) end(resolve)
    })
  })
}
