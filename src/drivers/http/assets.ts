import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { Headers } from '../../base/http.ts'

/** The built console as answers. Every file is read once, on the first request, and answered
 *  from a map by its exact name: a path that is not in the map reaches no disk, so there is
 *  nothing to traverse. */

export interface Asset {
  readonly status: 200 | 304 | 503
  readonly headers: Headers
  readonly bytes: Uint8Array
}

/** Answers a GET or HEAD of `target` (path and query, as sent). Undefined: nothing is there. */
export type Assets = (target: string, request: Headers) => Asset | undefined

const FILES_MAX = 500
const FILE_BYTES_MAX = 8_388_608

const TYPES: { readonly [extension: string]: string } = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.json': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
}

/** Everything from this origin, nothing inline, no markup made from strings. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const SAFETY: Headers = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
}

/** Names under this folder carry a hash of their content, so they never change. */
const HASHED = '/assets/'
const IMMUTABLE = 'public, max-age=31536000, immutable'
const REVALIDATE = 'no-cache'

/** A client route: plain segments without a dot, outside the folders that belong to the server. */
const ROUTE = /^\/(?!(?:api|v1|assets|metrics)(?:\/|$))(?:[\w-]+(?:\/[\w~%-]+)*\/?)?$/

interface Encoded {
  readonly bytes: Uint8Array
  readonly etag: string
}

interface File {
  readonly type: string
  readonly cache: string
  readonly plain: Encoded
  /** Made by the build beside the file it compresses. */
  readonly gzip: Encoded | undefined
}

/** Serves the folder that `vite build console` writes. Routes answer 503, saying how to build,
 *  until it exists; then it is held in memory for the life of the process. */
export function openAssets(folder: string): Assets {
  let files: ReadonlyMap<string, File> | undefined
  return (target, request) => {
    files ??= readFolder(folder)
    const path = pathOf(target)
    const isRoute = ROUTE.test(path)
    const file = files?.get(path) ?? (isRoute ? files?.get('/index.html') : undefined)
    if (file !== undefined) return answer(file, request)
    return isRoute && files === undefined ? UNBUILT : undefined
  }
}

const UNBUILT: Asset = {
  status: 503,
  headers: { ...SAFETY, 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' },
  bytes: Buffer.from(
    'The console has not been built.\nBuild it with `npx vite build console` and load this page again.\n',
  ),
}

function pathOf(target: string): string {
  const end = target.search(/[?#]/)
  return end < 0 ? target : target.slice(0, end)
}

function answer(file: File, request: Headers): Asset {
  const { bytes, etag } = (acceptsGzip(request['accept-encoding']) ? file.gzip : undefined) ?? file.plain
  const headers: Headers = { ...SAFETY, etag, 'cache-control': file.cache, vary: 'accept-encoding' }
  if (matches(request['if-none-match'], etag)) return { status: 304, headers, bytes: new Uint8Array(0) }
  return {
    status: 200,
    headers: {
      ...headers,
      'content-type': file.type,
      'content-length': String(bytes.length),
      ...(bytes === file.gzip?.bytes && { 'content-encoding': 'gzip' }),
    },
    bytes,
  }
}

/** RFC 9110, 12.5.3: listed (or `*`) and not with a weight of zero. */
function acceptsGzip(header: string | undefined): boolean {
  if (header === undefined) return false
  const weights = new Map<string, boolean>()
  for (const part of header.toLowerCase().split(',')) {
    const [coding = '', ...parameters] = part.split(';').map((piece) => piece.trim())
    weights.set(coding, !parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter)))
  }
  return weights.get('gzip') ?? weights.get('*') ?? false
}

/** RFC 9110, 13.1.2: the weak comparison. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header
    .split(',')
    .some((candidate) => candidate.trim() === '*' || candidate.trim().replace(/^W\//, '') === etag)
}

/** Undefined while there is no complete build. */
function readFolder(folder: string): ReadonlyMap<string, File> | undefined {
  const raw = new Map<string, Buffer>()
  collect(folder, '', raw)
  if (!raw.has('/index.html')) return undefined
  const files = new Map<string, File>()
  for (const [path, bytes] of raw) {
    const type = TYPES[extname(path)]
    if (type === undefined) continue
    const gzip = raw.get(`${path}.gz`)
    files.set(path, {
      type,
      cache: path.startsWith(HASHED) ? IMMUTABLE : REVALIDATE,
      plain: { bytes, etag: etagOf(bytes) },
      gzip: gzip === undefined ? undefined : { bytes: gzip, etag: etagOf(gzip) },
    })
  }
  return files
}

function collect(folder: string, prefix: string, into: Map<string, Buffer>): void {
  for (const entry of list(folder)) {
    const path = `${prefix}/${entry.name}`
    const full = join(folder, entry.name)
    if (entry.isDirectory()) collect(full, path, into)
    else if (entry.isFile() && into.size < FILES_MAX && statSync(full).size <= FILE_BYTES_MAX)
      into.set(path, readFileSync(full))
  }
}

function list(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

const etagOf = (bytes: Uint8Array): string => `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
