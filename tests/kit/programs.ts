/** Servers that Debian packages, started for a test and ended with it. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './house.ts'

const READY_MS_MAX = 30_000
const POLL_MS = 50
/** Some of them refuse to run as root: `nobody` then does it. */
const NOBODY = 65_534

export interface RunningProgram {
  readonly port: number
  stop(): Promise<void>
}

function programs(name: string, folders: readonly string[]): string | undefined {
  const places = [...folders, ...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/bin']
  return places.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

const NATS = programs('nats-server', [])
export const skipNats: string | false =
  NATS === undefined ? 'there is no nats-server: apt-get install nats-server' : false

/** @param folder Where it keeps its streams; of an earlier one, to go on. */
export async function startNats(folder: string, port?: number): Promise<RunningProgram> {
  const own = port ?? (await freePort())
  const child = spawn(NATS ?? '', ['-js', '-sd', folder, '-a', '127.0.0.1', '-p', String(own)], { stdio: 'ignore' })
  await until(() => accepts(own), own)
  return { port: own, stop: () => end(child, 'SIGKILL') }
}

const PROMETHEUS = programs('prometheus', [])
export const skipPrometheus: string | false =
  PROMETHEUS === undefined ? 'there is no prometheus: apt-get install prometheus' : false

/** @param folder Holds its `prometheus.yml`, and what it keeps. */
export async function startPrometheus(folder: string): Promise<RunningProgram> {
  const port = await freePort()
  const words = [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--enable-feature=exemplar-storage',
  ]
  const child = spawn(PROMETHEUS ?? '', words, { stdio: 'ignore' })
  const isReady = async (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  await until(isReady, port)
  return { port, stop: () => end(child, 'SIGKILL') }
}

const POSTGRES = '/usr/lib/postgresql'
const POSTGRES_BIN = existsSync(POSTGRES)
  ? readdirSync(POSTGRES)
      .map((version) => join(POSTGRES, version, 'bin'))
      .find((folder) => existsSync(join(folder, 'initdb')))
  : undefined
export const skipPostgres: string | false =
  POSTGRES_BIN === undefined ? 'there is no PostgreSQL: apt-get install postgresql' : false

export async function startPostgres(): Promise<RunningProgram & { readonly url: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'headworks-postgres-'))
  const own = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  if ('uid' in own) chownSync(folder, NOBODY, NOBODY)
  const bin = POSTGRES_BIN ?? ''
  execFileSync(join(bin, 'initdb'), ['-D', folder, '-U', 'tester', '--auth=trust', '--no-sync'], {
    ...own,
    cwd: folder,
    stdio: 'pipe',
  })
  const port = await freePort()
  const words = ['-D', folder, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-F']
  const child = spawn(join(bin, 'postgres'), words, { ...own, cwd: folder, stdio: 'ignore' })
  // It listens before it answers.
  const isReady = async (): Promise<boolean> =>
    spawnSync(join(bin, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port)]).status === 0
  await until(isReady, port)
  return {
    port,
    url: `postgres://tester@127.0.0.1:${port}/postgres`,
    async stop() {
      await end(child, 'SIGINT')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function until(isReady: () => Promise<boolean>, port: number): Promise<void> {
  for (let waited = 0; !(await isReady()); waited += POLL_MS) {
    if (waited > READY_MS_MAX) throw new Error(`nothing answers on ${port}`)
    await sleep(POLL_MS)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await gone
}
