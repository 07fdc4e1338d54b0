/** A client that costs as little as possible, run as a process of its own: `node bench/load.ts` and one
 *  argument, a `Load` in JSON. Prints a `Loaded` in JSON. */
import { connect, type Socket } from 'node:net'

export interface Load {
  readonly address: string
  readonly path: string
  readonly headers: { readonly [name: string]: string }
  readonly body: string
  readonly connections: number
  readonly requests: number
  /** Arrivals a second, independent of the answers (Poisson), each timed from when it was due. Absent:
   *  every connection asks again at once. */
  readonly perSecond?: number
}

export interface Loaded {
  readonly failed: number
  /** The beginning of an answer that failed. */
  readonly failure: string
  readonly seconds: number
  /** To the whole answer, in milliseconds, sorted. */
  readonly latenciesMs: readonly number[]
}

async function run(load: Load): Promise<Loaded> {
  const request = requestOf(load)
  const latenciesMs: number[] = []
  let failed = 0
  let failure = ''
  let left = load.requests
  const began = performance.now()
  const idle: Client[] = []
  /** Due and not sent, for want of a connection. */
  const due: number[] = []
  const finished = Promise.withResolvers<void>()
  const done = (dueMs: number, failedWith: string): void => {
    latenciesMs.push(performance.now() - dueMs)
    if (failedWith !== '') failed++
    failure ||= failedWith
    if (latenciesMs.length === load.requests) finished.resolve()
  }
  const free = (client: Client): void => {
    if (load.perSecond === undefined) {
      if (left-- > 0) client.ask(performance.now())
      return
    }
    const waiting = due.shift()
    if (waiting === undefined) idle.push(client)
    else client.ask(waiting)
  }
  const clients = Array.from({ length: load.connections }, () => new Client(load.address, request, done, free))
  await Promise.all(clients.map((client) => client.ready))
  for (const client of clients) free(client)
  if (load.perSecond !== undefined) {
    let atMs = performance.now()
    const arrive = (): void => {
      for (; left > 0 && atMs <= performance.now(); left--) {
        const client = idle.pop()
        if (client === undefined) due.push(atMs)
        else client.ask(atMs)
        atMs += (-Math.log(1 - Math.random()) * 1000) / (load.perSecond ?? 1)
      }
      if (left > 0) setTimeout(arrive, Math.max(0, atMs - performance.now()))
    }
    arrive()
  }
  await finished.promise
  for (const client of clients) client.close()
  return {
    failed,
    failure,
    seconds: (performance.now() - began) / 1000,
    latenciesMs: latenciesMs.sort((a, b) => a - b),
  }
}

class Client {
  readonly ready: Promise<void>
  readonly #socket: Socket
  readonly #request: Buffer
  #dueMs = 0
  #text = ''

  constructor(
    address: string,
    request: Buffer,
    done: (dueMs: number, failedWith: string) => void,
    free: (client: Client) => void,
  ) {
    const [host, port] = address.split(':')
    this.#request = request
    this.#socket = connect({ host: host ?? '', port: Number(port), noDelay: true })
    this.ready = new Promise((resolve, reject) => void this.#socket.once('connect', resolve).once('error', reject))
    this.#socket.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1')
      if (!isWhole(this.#text)) return
      const failedWith = this.#text.startsWith('HTTP/1.1 200') ? '' : this.#text.slice(0, 500)
      this.#text = ''
      done(this.#dueMs, failedWith)
      free(this)
    })
  }

  ask(dueMs: number): void {
    this.#dueMs = dueMs
    this.#socket.write(this.#request)
  }

  close(): void {
    this.#socket.destroy()
  }
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return false
  const length = /content-length: (\d+)/i.exec(text.slice(0, end))?.[1]
  return length === undefined ? text.endsWith('0\r\n\r\n') : text.length >= end + 4 + Number(length)
}

function requestOf({ address, path, headers, body }: Load): Buffer {
  const lines = Object.entries({ host: address, 'content-length': String(Buffer.byteLength(body)), ...headers })
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
  )
}

process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2] ?? '') as Load)))
