/** The real programs under measurement, each in a process of its own. */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

export const KEY = 'hw_key-for-measuring'

export interface Program {
  readonly address: string
  readonly pid: number
  /** From the start of the process to its readiness. */
  readonly readyMs: number
  /** Of this process alone, its children apart. */
  cpuMs(): number
  /** Its children that play this role. */
  children(role: string): readonly number[]
  rssBytes(): Promise<number>
  /** Established at its address. */
  connections(): Promise<number>
  stop(): Promise<void>
}

export interface HouseSetting {
  /** Lines of headworks.yaml. */
  readonly config?: string
  /** Keep the data of an earlier run; otherwise a fresh folder that is removed at the end. */
  readonly data?: string
  /** Of Node, for the house and its processes. */
  readonly nodeOptions?: string
}

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

export const startUpstream = (): Promise<Program> => startModel('bench/upstream.ts')

/** A server of hashed embeddings. */
export const startEmbedder = (dimension: number): Promise<Program> => startModel('bench/embedder.ts', String(dimension))

async function startModel(path: string, ...more: readonly string[]): Promise<Program> {
  const began = performance.now()
  const child = spawn(process.execPath, [at(path), ...more], { stdio: ['pipe', 'pipe', 'inherit'] })
  const port = (await output(child, /^(\d+)\n/))[1]
  return program(child, `127.0.0.1:${port}`, performance.now() - began, async () => {})
}

/** Starts `headworks up` on a free port and waits until it listens and has read its sources. */
export async function startHouse(setting: HouseSetting = {}): Promise<Program> {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-bench-'))
  const config = join(folder, 'headworks.yaml')
  await writeFile(config, setting.config ?? '')
  const began = performance.now()
  const child = spawn(process.execPath, [at('src/main.ts'), 'up'], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...process.env,
      HEADWORKS_CONFIG: config,
      HEADWORKS_DATA: setting.data ?? join(folder, 'data'),
      HEADWORKS_LISTEN: '127.0.0.1:0',
      HEADWORKS_ADMIN_KEY: KEY,
      ...(setting.nodeOptions === undefined ? {} : { NODE_OPTIONS: setting.nodeOptions }),
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? at('node_modules/.cache/headworks/compile'),
      NO_COLOR: '1',
    },
  })
  const address = (await output(child, /listening on http:\/\/([\d.:]+)/))[1] ?? ''
  const readyMs = performance.now() - began
  await output(child, /Ctrl-C stops it/)
  return program(child, address, readyMs, () => rm(folder, { recursive: true, force: true }))
}

type Running = ChildProcessByStdio<Writable, Readable, null>

const seen = new WeakMap<Running, { text: string }>()

function output(child: Running, wanted: RegExp): Promise<RegExpExecArray> {
  const so = seen.get(child) ?? { text: '' }
  seen.set(child, so)
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const match = wanted.exec(so.text)
      if (match === null) return
      child.stdout.off('data', take)
      resolve(match)
    }
    const take = (bytes: Buffer): void => {
      so.text += bytes.toString()
      look()
    }
    child.stdout.on('data', take)
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${so.text}`)))
    look()
  })
}

function program(child: Running, address: string, readyMs: number, clean: () => Promise<void>): Program {
  const pid = child.pid ?? 0
  child.stdout.resume()
  return {
    address,
    pid,
    readyMs,
    cpuMs: () => cpuMs(pid),
    children: (role) =>
      readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
        .split(' ')
        .filter((child) => child !== '')
        .filter((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes(`--role\0${role}\0`))
        .map(Number),
    rssBytes: () => rssBytes(pid),
    connections: () => connectionsAt(Number(address.split(':').at(-1))),
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.stdin.end()
      child.kill('SIGTERM')
      await ended
      await clean()
    },
  }
}

export async function rssBytes(pid: number): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
}

/** Established connections accepted on a port of this machine (/proc/net/tcp). */
async function connectionsAt(port: number): Promise<number> {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/))
  return lines.filter(([, address, , state]) => address?.endsWith(local) === true && state === '01').length
}

/** CPU time of all threads, to the nanosecond (/proc/pid/task/tid/schedstat): the ticks of
 *  /proc/pid/stat are too coarse for a round. */
export function cpuMs(pid: number): number {
  const tasks = `/proc/${pid}/task`
  const ns = readdirSync(tasks).map((tid) => Number(readFileSync(`${tasks}/${tid}/schedstat`, 'utf8').split(' ', 1)[0]))
  return ns.reduce((sum, one) => sum + one, 0) / 1e6
}

/** Asks over kept-alive connections. */
export class Caller {
  readonly #agent = new Agent({ keepAlive: true })

  /** Resolves to the milliseconds to the whole answer, and to its text. Rejects on any status but 200. */
  async ask(address: string, path: string, body: string): Promise<{ readonly ms: number; readonly text: string }> {
    const { status, ms, text } = await this.send(address, 'POST', path, body)
    if (status !== 200) throw new Error(`${status}: ${text}`)
    return { ms, text }
  }

  /** `firstMs`: to the first bytes of the body. */
  send(
    address: string,
    method: string,
    path: string,
    body: string,
    type = 'application/json',
  ): Promise<{ readonly status: number; readonly ms: number; readonly firstMs: number; readonly text: string }> {
    const [host, port] = address.split(':')
    const began = performance.now()
    return new Promise((resolve, reject) => {
      const headers = {
        'content-type': type,
        authorization: `Bearer ${KEY}`,
        'content-length': Buffer.byteLength(body),
      }
      const asked = request({ host, port, path, method, headers, agent: this.#agent }, (answer) => {
        let text = ''
        let firstMs = 0
        answer.on('data', (bytes: Buffer) => {
          if (text === '') firstMs = performance.now() - began
          text += bytes.toString()
        })
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, ms: performance.now() - began, firstMs, text }),
        )
        answer.on('error', reject)
      })
      asked.on('error', reject)
      asked.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
