import { refuse, Refusal, toProblem } from '../base/errors.ts'
import type { Handler, Headers, Reply, Request } from '../base/http.ts'
import { type Json, type JsonObject, parseJson } from '../base/json.ts'
import { sendJson, sendProblem } from '../gateway/respond.ts'
import { dialectAt } from '../gateway/routes.ts'
import type { Principal, Role } from '../guard/principal.ts'

/** The control plane's router: a table of routes, which is also what `/api/openapi.json` is made
 *  from. */

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** `/api/keys/{id}`: names in braces become `params`. */
  readonly path: string
  readonly summary: string
  /** It gives work to the ingest. */
  readonly ingests?: true
  /** A GET that uses something up: HEAD does not stand for it. */
  readonly redeems?: true
  /** The body comes as it is, in `bytes`, of at most this many. Absent: it is JSON. */
  readonly rawBytesMax?: number
  /** The body is read by the route itself, from `request`, as it arrives. */
  readonly ownBody?: true
  /** `anyone`: answers without a credential. `local`: only over the control socket. */
  readonly role: Role | 'anyone' | 'local'
  readonly answer: (context: Context) => Promise<Answer | Download | Refusal> | Answer | Download | Refusal
}

export interface Context {
  readonly params: { readonly [name: string]: string }
  readonly query: URLSearchParams
  readonly body: Json
  /** Of a route that asks for them. */
  readonly bytes: Uint8Array
  readonly request: Request
  readonly requestId: string
  /** Absent on routes for `anyone`. */
  readonly principal: Principal | undefined
}

export interface Answer {
  readonly status?: number
  readonly headers?: Headers
  readonly value: Json
}

/** A file, as long as it may be. */
export interface Download {
  readonly headers: Headers
  readonly pieces: AsyncIterable<Uint8Array>
}

export const ok = (value: Json): Answer => ({ value })

/** How many entries of a list a caller wants; `cursor` names the parameter that leads to the next. */
export function limitOf(
  query: URLSearchParams,
  { default: fallback, most, cursor }: { readonly default: number; readonly most: number; readonly cursor: string },
): number | Refusal {
  const limit = Number(query.get('limit') ?? fallback)
  if (Number.isInteger(limit) && limit >= 1 && limit <= most) return limit
  return refuse('field_invalid', {
    field: 'limit',
    problem: `must be 1 to ${most}`,
    remedy: `Page with \`${cursor}\`.`,
  })
}

const BODY_BYTES_MAX = 1024 * 1024
const BODY_DEPTH_MAX = 32
const NO_BYTES = new Uint8Array()

export interface RouterDependencies {
  readonly routes: readonly Route[]
  readonly authenticate: (request: Request) => Principal | Refusal
  readonly newRequestId: () => string
}

export function controlPlane({ routes, authenticate, newRequestId }: RouterDependencies): Handler {
  const compiled = routes.map((route) => ({ route, pattern: patternOf(route.path) }))

  return (request, reply) => {
    const requestId = newRequestId()
    answer(request, requestId, reply).catch((thrown: unknown) => {
      if (reply.headSent) reply.abort()
      else sendProblem(reply, requestId, toProblem(thrown), dialectAt(request.target))
    })
  }

  async function answer(request: Request, requestId: string, reply: Reply): Promise<void> {
    const dialect = dialectAt(request.target)
    const [path = '', search = ''] = request.target.split('?', 2)
    const matching = compiled.filter(({ pattern }) => pattern.test(path))
    // What GET would say, without its body (RFC 9110, 9.3.2), which the server leaves out.
    const found = matching.find(
      ({ route }) =>
        route.method === request.method || (request.method === 'HEAD' && route.method === 'GET' && !route.redeems),
    )
    if (found === undefined) {
      const allowed = matching.map(({ route }) => route.method).join(', ')
      const details = { method: request.method, path }
      return sendProblem(
        reply,
        requestId,
        allowed === '' ? refuse('path_unknown', details) : refuse('method_not_allowed', { ...details, allowed }),
      )
    }
    const principal = admit(found.route, request)
    if (principal instanceof Refusal) return sendProblem(reply, requestId, principal, dialect)
    const { rawBytesMax, ownBody = false } = found.route
    const bytes = rawBytesMax === undefined ? NO_BYTES : await request.body(rawBytesMax)
    const body = rawBytesMax === undefined && !ownBody ? await bodyOf(request) : null
    if (body instanceof Refusal) return sendProblem(reply, requestId, body, dialect)
    const params = paramsOf(found.pattern, path)
    const query = new URLSearchParams(search)
    if (params === undefined || [...Object.values(params), ...query.values()].some((text) => text.includes('\0')))
      return sendProblem(reply, requestId, refuse('path_unknown', { method: request.method, path }))
    const result = await found.route.answer({
      params,
      query,
      body,
      bytes,
      request,
      requestId,
      principal,
    })
    if (result instanceof Refusal) return sendProblem(reply, requestId, result, dialect)
    if ('pieces' in result) return sendPieces(reply, requestId, result)
    sendJson(reply, requestId, result.status ?? 200, result.value, { 'cache-control': 'no-store', ...result.headers })
  }

  function admit(route: Route, request: Request): Principal | Refusal | undefined {
    if (route.role === 'anyone') return undefined
    const principal = authenticate(request)
    if (principal instanceof Refusal) return principal
    const action = `use ${route.method} ${route.path}`
    if (route.role === 'local' && request.peer !== 'local')
      return refuse('not_allowed', { action, role: 'owner of the data folder' })
    if (route.role !== 'admin') return principal
    if (principal.role !== 'admin') return refuse('not_allowed', { action, role: 'admin' })
    const isWhole = principal.bindings.tenant === undefined || APART.test(route.path)
    return isWhole ? principal : refuse('not_allowed', { action, role: 'admin that is bound to no tenant' })
  }
}

/** Where tenants are kept apart. Everything else that administrators do is done to the house as a whole: who
 *  is bound to a tenant could make itself a key that is not, or read what others asked. */
const APART = /^\/(?:v1\/|api\/(?:collections|ingests)(?:\/|$))/

/** As fast as the caller takes it. What fails before the first piece is still an answer in JSON. */
async function sendPieces(reply: Reply, requestId: string, { headers, pieces }: Download): Promise<void> {
  let isGone = false
  let go = (): void => {}
  reply.onGone(() => {
    isGone = true
    go()
  })
  reply.onDrain(() => go())
  for await (const piece of pieces) {
    if (!reply.headSent) reply.head(200, { 'x-request-id': requestId, 'cache-control': 'no-store', ...headers })
    if (isGone) return
    if (!reply.write(piece) && !isGone) await new Promise<void>((resolve) => (go = resolve))
  }
  reply.end()
}

async function bodyOf(request: Request): Promise<Json | Refusal> {
  if (request.method !== 'POST') return null
  const bytes = await request.body(BODY_BYTES_MAX)
  return bytes.length === 0 ? {} : parseJson(bytes, { bytesMax: BODY_BYTES_MAX, depthMax: BODY_DEPTH_MAX })
}

const patternOf = (path: string): RegExp =>
  new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`)

function paramsOf(pattern: RegExp, path: string): { [name: string]: string } | undefined {
  const groups = pattern.exec(path)?.groups ?? {}
  try {
    return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]))
  } catch {
    return undefined
  }
}

/** OpenAPI 3.1 of the table. */
export function openApi(routes: readonly Route[], version: string): JsonObject {
  const paths: Record<string, Record<string, Json>> = {}
  for (const { method, path, summary, role } of routes) {
    const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    }))
    const operation: JsonObject = {
      summary,
      'x-headworks-role': role,
      ...(role === 'anyone' ? { security: [] } : {}),
      ...(parameters.length > 0 ? { parameters } : {}),
      ...(method === 'POST'
        ? { requestBody: { content: { 'application/json': { schema: { type: 'object' } } } } }
        : {}),
      responses: {
        '200': { description: 'Done.', content: { 'application/json': {} } },
        default: { description: 'Refused: {"error": {...}}.' },
      },
    }
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Headworks control plane', version },
    components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    security: [{ key: [] }],
    paths,
  }
}
