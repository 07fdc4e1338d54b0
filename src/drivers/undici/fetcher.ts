import { lookup, type LookupAddress } from 'node:dns'
import { lookup as resolveName } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate } from 'node:zlib'
import ipaddr from 'ipaddr.js'
import { Agent, type Dispatcher } from 'undici'
import type { Clock } from '../../base/clock.ts'
import { fault, reasonOf, refuse, type Refusal } from '../../base/errors.ts'
import type { Fetched, Fetcher, FetchOptions } from '../../base/fetcher.ts'
import type { Headers } from '../../base/http.ts'

const REDIRECTS_MAX = 5
const CONNECT_MS = 10_000
const HEADERS_MS = 30_000
/** Between two pieces of a body. */
const SILENCE_MS = 30_000
/** For one answer, redirects included. */
const TOTAL_MS = 300_000
/** Connections to one host. */
const CONNECTIONS_MAX = 8
const USER_AGENT = 'Headworks'

export interface FetcherOptions {
  readonly clock: Clock
  /** Lower case; called although their addresses are not public. */
  readonly privateHosts: ReadonlySet<string>
}

export class GuardedFetcher implements Fetcher {
  readonly #options: FetcherOptions
  readonly #agent: Agent

  constructor(options: FetcherOptions) {
    this.#options = options
    this.#agent = new Agent({
      connections: CONNECTIONS_MAX,
      headersTimeout: HEADERS_MS,
      bodyTimeout: SILENCE_MS,
      // What is connected to is what was looked up, so that a name cannot change its mind in between.
      connect: { timeout: CONNECT_MS, lookup: guardedLookup((host) => this.#isAllowed(host)) },
    })
  }

  async get(url: string, options: FetchOptions): Promise<Fetched | Refusal> {
    const end = new AbortController()
    const abort = (): void => end.abort()
    options.signal.addEventListener('abort', abort, { once: true })
    const timer = this.#options.clock.after(TOTAL_MS, abort)
    try {
      if (options.signal.aborted) abort()
      return await this.#follow(new URL(url), options, end.signal)
    } catch (thrown) {
      if (options.signal.aborted) throw fault('stopping', {})
      if (thrown instanceof NotPublic) return thrown.refusal
      throw fault('source_unavailable', { source: url, reason: causeOf(thrown) }, thrown)
    } finally {
      timer.cancel()
      options.signal.removeEventListener('abort', abort)
    }
  }

  async check(host: string): Promise<Refusal | undefined> {
    if (this.#isAllowed(host)) return undefined
    try {
      const addresses = await resolveName(bare(host), { all: true })
      return addresses.every(({ address }) => isPublic(address)) ? undefined : notPublic(host)
    } catch (thrown) {
      throw fault('source_unavailable', { source: host, reason: reasonOf(thrown) }, thrown)
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy()
  }

  #isAllowed(host: string): boolean {
    return this.#options.privateHosts.has(bare(host).toLowerCase())
  }

  async #follow(first: URL, options: FetchOptions, signal: AbortSignal): Promise<Fetched | Refusal> {
    let url = first
    for (let redirects = 0; ; redirects++) {
      if (url.protocol !== 'http:' && url.protocol !== 'https:')
        return unreadable(first, `it leads to ${url.protocol}, which is neither http nor https`)
      // An address in a URL is connected to without being looked up.
      if (isIP(bare(url.hostname)) !== 0 && !this.#isAllowed(url.hostname) && !isPublic(bare(url.hostname)))
        return notPublic(url.hostname)
      const answer = await this.#ask(url, options, signal, redirects === 0)
      const { location } = answer.headers
      if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined)
        return await this.#read(url, answer, options.bytesMax)
      answer.body.destroy()
      answer.body.on('error', () => {}) // Of the body that nobody reads.
      if (redirects >= REDIRECTS_MAX) return unreadable(first, `it leads through more than ${REDIRECTS_MAX} redirects`)
      const next = URL.parse(location, url)
      if (next === null) return unreadable(first, 'it leads to what is no URL')
      if (options.mayFollow !== undefined && !(await options.mayFollow(next)))
        return unreadable(first, 'it leads to where robots.txt does not allow us')
      url = next
    }
  }

  async #ask(url: URL, { headers = {} }: FetchOptions, signal: AbortSignal, isFirst: boolean): Promise<Answer> {
    const {
      statusCode,
      headers: received,
      body,
    } = await this.#agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: 'GET',
      headers: {
        'user-agent': USER_AGENT,
        accept: '*/*',
        'accept-encoding': 'gzip, br, deflate',
        // Credentials and conditions are the first host's and the first page's.
        ...(isFirst ? (headers as Record<string, string>) : {}),
      },
      signal,
    })
    return { status: statusCode, headers: joined(received), body }
  }

  async #read(url: URL, { status, headers, body }: Answer, bytesMax: number): Promise<Fetched | Refusal> {
    const tooLarge = (): Refusal => refuse('document_too_large', { limitBytes: bytesMax, detail: '' })
    const pieces: Buffer[] = []
    let length = 0
    for await (const piece of body as AsyncIterable<Buffer>) {
      length += piece.length
      if (length > bytesMax) return tooLarge() // Leaving the loop closes the connection.
      pieces.push(piece)
    }
    try {
      const bytes = await decoded(Buffer.concat(pieces), headers['content-encoding'], bytesMax)
      return { url: url.href, status, headers, bytes }
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return tooLarge()
      return unreadable(url, `its compression is broken (${reasonOf(thrown)})`)
    }
  }
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Dispatcher.ResponseData['body']
}

class NotPublic extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super('not a public address')
    this.refusal = refusal
  }
}

/** Only addresses that the wide world has: not this machine, not its network, not the cloud's metadata. */
function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  // An IPv4 address in the clothes of IPv6 is what it is underneath.
  return ipaddr.process(address).range() === 'unicast'
}

/** Answers with public addresses alone, in the order of the system's resolver. */
function guardedLookup(isAllowed: (host: string) => boolean): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, [])
      const fit = isAllowed(host) ? addresses : addresses.filter(({ address }) => isPublic(address))
      const [first] = fit
      if (first === undefined) return callback(new NotPublic(notPublic(host)), [])
      if (options.all === true) callback(null, fit satisfies LookupAddress[])
      else callback(null, first.address, first.family)
    })
  }
}

const notPublic = (host: string): Refusal =>
  refuse('source_unreadable', {
    source: host,
    reason: 'its address is not public; `ingest.privateHosts` allows single hosts',
  })

const unreadable = (url: URL, reason: string): Refusal => refuse('source_unreadable', { source: url.href, reason })

const bare = (host: string): string => host.replace(/^\[|\]$/g, '')

const unzip = { gzip: promisify(gunzip), deflate: promisify(inflate), br: promisify(brotliDecompress) }

async function decoded(bytes: Buffer, encoding: string | undefined, bytesMax: number): Promise<Uint8Array> {
  const name = encoding?.trim().toLowerCase().replace(/^x-/, '')
  if (name === undefined || name === '' || name === 'identity' || bytes.length === 0) return bytes
  if (name !== 'gzip' && name !== 'deflate' && name !== 'br') throw new Error(`unknown encoding ${name.slice(0, 40)}`)
  return await unzip[name](bytes, { maxOutputLength: bytesMax })
}

function joined(headers: Record<string, string | string[] | undefined>): Headers {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  )
}

function causeOf(thrown: unknown): string {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown
  return reasonOf(cause).slice(0, 200)
}
