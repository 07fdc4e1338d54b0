/** What stands in the path elsewhere, each started in front of the same upstream: nginx and HAProxy from
 *  the system's packages, `@portkey-ai/gateway` from a folder where it was installed. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { cpuMs } from './processes.ts'

export interface Proxy {
  readonly name: string
  readonly address: string
  readonly headers: { readonly [name: string]: string }
  cpuMs(): number
  stop(): Promise<void>
}

/** Those that are there; of the others, why not. */
export async function startProxies(upstream: string, print: (line: string) => void): Promise<Proxy[]> {
  const found: Proxy[] = []
  for (const [name, start] of Object.entries({ nginx, HAProxy, Portkey })) {
    const started = await start(upstream)
    if (typeof started === 'string') print(`${name} is not compared: ${started}`)
    else found.push(started)
  }
  return found
}

const nginx = (upstream: string): Promise<Proxy | string> =>
  started('nginx', process.env['BENCH_NGINX'] ?? 'nginx', '-v', 'nginx.conf', (port, folder) => ({
    config: `worker_processes 1; daemon off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${folder}/${one};`).join(' ')}
  upstream model { server ${upstream}; keepalive 64; }
  server {
    listen 127.0.0.1:${port};
    keepalive_requests 1000000;
    location / { proxy_pass http://model; proxy_http_version 1.1; proxy_set_header connection ""; proxy_buffering off; }
  }
}`,
    words: ['-p', folder, '-e', `${folder}/error.log`, '-c', `${folder}/nginx.conf`],
    children: true,
  }))

const HAProxy = (upstream: string): Promise<Proxy | string> =>
  started('HAProxy', process.env['BENCH_HAPROXY'] ?? 'haproxy', '-v', 'haproxy.cfg', (port, folder) => ({
    config: `global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend in
  bind 127.0.0.1:${port}
  default_backend model
backend model
  server one ${upstream}
`,
    words: ['-db', '-f', `${folder}/haproxy.cfg`],
    children: false,
  }))

/** @see https://www.npmjs.com/package/@portkey-ai/gateway */
const Portkey = (upstream: string): Promise<Proxy | string> => {
  const folder = process.env['BENCH_PORTKEY']
  const entry = join(folder ?? '', 'node_modules/@portkey-ai/gateway/build/start-server.js')
  if (folder === undefined || !existsSync(entry))
    return Promise.resolve('BENCH_PORTKEY names no folder in which @portkey-ai/gateway is installed')
  const headers = {
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': `http://${upstream}/v1`,
    authorization: 'Bearer none',
  }
  return started('Portkey', process.execPath, '-v', 'none', (port) => ({
    config: '',
    words: [entry, '--headless', `--port=${port}`],
    children: false,
    headers,
  }))
}

interface Setting {
  readonly config: string
  readonly words: readonly string[]
  /** The work is done by processes of its own. */
  readonly children: boolean
  readonly headers?: { readonly [name: string]: string }
}

async function started(
  name: string,
  program: string,
  probe: string,
  file: string,
  setting: (port: number, folder: string) => Setting,
): Promise<Proxy | string> {
  if (spawnSync(program, [probe]).error !== undefined) return `there is no ${program}`
  const folder = await mkdtemp(join(tmpdir(), 'headworks-bench-'))
  const port = await freePort()
  const { config, words, children, headers = {} } = setting(port, folder)
  await writeFile(join(folder, file), config)
  const child = spawn(program, words, { stdio: 'ignore' })
  const address = `127.0.0.1:${port}`
  if (!(await answers(port))) {
    await ended(child)
    return `${program} does not listen`
  }
  return {
    name,
    address,
    headers,
    cpuMs: () => all(child.pid ?? 0, children).reduce((sum, pid) => sum + cpuMs(pid), 0),
    async stop() {
      await ended(child)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function all(pid: number, children: boolean): number[] {
  if (!children) return [pid]
  const found = spawnSync('cat', [`/proc/${pid}/task/${pid}/children`])
    .stdout.toString()
    .trim()
  return [
    pid,
    ...found
      .split(' ')
      .filter((one) => one !== '')
      .map(Number),
  ]
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => void server.close(resolve))
  return port
}

const ATTEMPTS = 100
const ATTEMPT_MS = 50

async function answers(port: number): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await new Promise<boolean>(
      (resolve) => void socket.once('connect', () => resolve(true)).once('error', () => resolve(false)),
    )
    socket.destroy()
    if (isOpen) return true
    await pause(ATTEMPT_MS)
  }
  return false
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const over = new Promise((resolve) => void child.once('exit', resolve))
  child.kill('SIGTERM')
  await over
}
