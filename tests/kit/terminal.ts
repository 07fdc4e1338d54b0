import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ApiAnswer, ApiClient } from '../../src/base/api.ts'
import { fault, type Refusal } from '../../src/base/errors.ts'
import type { Headers } from '../../src/base/http.ts'
import type { Json } from '../../src/base/json.ts'
import { runCli } from '../../src/cli/cli.ts'
import type { Probes } from '../../src/cli/checks.ts'
import type { CliContext, Output } from '../../src/cli/context.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Clock } from '../../src/base/clock.ts'
import { priceLoader } from '../../src/house/prices.ts'

/** A terminal, and a house that answers as told, for tests of the command line. */

export class Screen implements Output {
  text = ''
  readonly isTerminal: boolean
  readonly columns: number

  constructor(isTerminal = false, columns = 80) {
    this.isTerminal = isTerminal
    this.columns = columns
  }

  write(text: string): void {
    this.text += text
  }
}

/** A clock whose waits are over at once: time is what was waited for. */
function hastyClock(): Clock {
  let nowMs = 0
  return {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    after(delayMs, task) {
      let live = true
      queueMicrotask(() => {
        if (!live) return
        nowMs += delayMs
        task()
      })
      return { cancel: () => void (live = false) }
    },
  }
}

export interface Asked {
  readonly method: string
  readonly path: string
  readonly body: Json | undefined
  readonly headers?: Headers
}

type Told = { readonly status: number; readonly body: Json } | Error
type Reply = (asked: Asked) => Told

/** Answers by `METHOD /path`; a list is used up one by one, its last answer stays. `STREAM /path`
 *  gives events. */
export class ToldApi implements ApiClient {
  readonly address = '/data/control.sock'
  readonly asked: Asked[] = []
  readonly #answers: { [route: string]: Json | Told | readonly (Json | Told)[] | Reply }

  constructor(answers: { [route: string]: Json | Told | readonly (Json | Told)[] | Reply }) {
    this.#answers = answers
  }

  async request(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: Json,
    headers: Headers = {},
  ): Promise<ApiAnswer> {
    this.asked.push(asking(method, path, body, headers))
    const told = this.#answers[`${method} ${path}`]
    const one = Array.isArray(told) ? ((told.length > 1 ? (told as unknown[]).shift() : told[0]) as Json | Told) : told
    const answer = typeof one === 'function' ? one({ method, path, body }) : one
    if (answer instanceof Error) throw answer
    if (answer === undefined) throw fault('internal', { reason: `the test tells nothing for ${method} ${path}` })
    const { status, body: value } = isTold(answer) ? answer : { status: 200, body: answer as Json }
    return { status, headers: {}, text: JSON.stringify(value), json: () => value }
  }

  /** `DOWNLOAD /path`: the text of the file; else as `request`. */
  async download(path: string): Promise<ApiAnswer | AsyncIterable<Uint8Array>> {
    const told = this.#answers[`DOWNLOAD ${path}`]
    if (typeof told !== 'string') return this.request('GET', path)
    this.asked.push({ method: 'DOWNLOAD', path, body: undefined })
    return (async function* () {
      yield new TextEncoder().encode(told)
    })()
  }

  async *stream(path: string, body: Json, { headers = {} }: { headers?: Headers } = {}): AsyncGenerator<string> {
    this.asked.push(asking('STREAM', path, body, headers))
    const told = this.#answers[`STREAM ${path}`]
    if (told instanceof Error) throw told
    for (const event of told as readonly (Json | Error)[]) {
      if (event instanceof Error) throw event
      yield typeof event === 'string' ? event : JSON.stringify(event)
    }
  }
}

const asking = (method: string, path: string, body: Json | undefined, headers: Headers): Asked => ({
  method,
  path,
  body,
  ...(Object.keys(headers).length === 0 ? {} : { headers }),
})

const isTold = (answer: unknown): answer is { readonly status: number; readonly body: Json } =>
  typeof answer === 'object' && answer !== null && 'status' in answer && 'body' in answer

export interface Setting {
  readonly api?: ApiClient | Refusal | Error
  readonly env?: { readonly [name: string]: string }
  readonly yaml?: string
  /** Further files by path; `yaml` is the text of any other. */
  readonly files?: { readonly [path: string]: string }
  /** Takes what commands save, by path. */
  readonly saved?: Map<string, string>
  readonly stdout?: Screen
  readonly stderr?: Screen
  readonly probes?: Partial<Probes>
  readonly stopped?: AbortSignal
  readonly startHouse?: CliContext['startHouse']
}

const healthyProbes: Probes = {
  nodeVersion: '26.10.0',
  platform: 'linux-x64',
  platformPackage: async () => '26.10.0',
  memoryFreeBytes: async () => 8e9,
  diskFreeBytes: async () => 50e9,
  durableWriteMs: async () => 1.5,
  folder: async () => ({ writable: true, mode: 0o700 }),
  lockHolder: async () => undefined,
  listening: async () => 'nobody',
  engines: ({ config }) => Object.keys(config.engines).map((name) => ({ name, models: async () => [name] })),
  gateways: async () => [{ node: 'gateway-0', pid: 1, restarts: 0, deployments: [] }],
  store: async () => ({ collections: 1, documents: 12, chunks: 345, damage: [] }),
}

/** Runs one command line and hands back what the user sees. */
export async function type(line: readonly string[], setting: Setting = {}) {
  const stdout = setting.stdout ?? new Screen()
  const stderr = setting.stderr ?? new Screen()
  const context: CliContext = {
    stdout,
    stderr,
    env: setting.env ?? {},
    cwd: '/house',
    clock: hastyClock(),
    version: '0.1.0',
    loadConfig: () =>
      loadConfig({
        readFile: async (path) => {
          const text = setting.files?.[path] ?? setting.yaml
          return text === undefined ? undefined : new TextEncoder().encode(text)
        },
        env: setting.env ?? {},
        cwd: '/house',
        docsFolder: '/app/docs',
      }),
    loadPrices: priceLoader(join(import.meta.dirname, '../../catalogue/prices.json'), readFile),
    connect: async () => {
      const api = setting.api ?? fault('server_absent', { address: '/data/control.sock' })
      if (api instanceof Error) throw api
      return api
    },
    saveFile: async (path, pieces) => {
      const saved: Uint8Array[] = []
      for await (const piece of pieces) saved.push(piece)
      setting.saved?.set(path, Buffer.concat(saved).toString())
      return saved.reduce((sum, { length }) => sum + length, 0)
    },
    startHouse: setting.startHouse ?? (() => Promise.reject(fault('internal', { reason: 'the test starts no house' }))),
    probes: { ...healthyProbes, ...setting.probes },
    stopped: setting.stopped ?? new AbortController().signal,
  }
  const exit = await runCli(line, context)
  return { exit, out: stdout.text, err: stderr.text }
}
