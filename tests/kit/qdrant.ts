import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Schemas } from '@qdrant/js-client-rest'

/** Answers as Qdrant's documentation says Qdrant does (api.qdrant.tech, v1.17), by looking at every
 *  point. It stands in for a server where none can be had; it is no proof that a real one agrees. */

interface Point {
  readonly id: string | number
  readonly vector: readonly number[]
  readonly payload: { readonly [name: string]: unknown }
}

interface Collection {
  readonly size: number | undefined
  readonly points: Map<string | number, Point>
  threshold: number
}

interface Answer {
  readonly status: number
  readonly result?: unknown
  readonly error?: string
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const BODY_BYTES_MAX = 32 * 2 ** 20

const missing = (name: string): Answer => ({ status: 404, error: `Not found: Collection \`${name}\` doesn't exist!` })
const bad = (error: string): Answer => ({ status: 400, error })
const ok = (result: unknown): Answer => ({ status: 200, result })

export class DocumentedQdrant {
  readonly url: string
  /** Everything asked for so far, as `METHOD /path`. */
  readonly asked: string[] = []
  readonly collections = new Map<string, Collection>()
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  /** With `key`, whoever sends another `api-key` or none is turned away. */
  static async start(key?: string): Promise<DocumentedQdrant> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const qdrant = new DocumentedQdrant(server)
    server.on('request', (request, response) => {
      const tell = async (): Promise<void> => {
        const allowed = key === undefined || request.headers['api-key'] === key
        const answer = allowed ? await qdrant.#answer(request) : { status: 401, error: 'Must provide an API key' }
        const { status, result, error } = answer
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(
          JSON.stringify(status === 200 ? { time: 0.001, status: 'ok', result } : { time: 0, status: { error } }),
        )
      }
      void tell()
    })
    return qdrant
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const bytes = Buffer.concat(parts)
    if (bytes.length > BODY_BYTES_MAX) return { status: 413, error: 'Payload too large' }
    const body: unknown = bytes.length === 0 ? undefined : JSON.parse(bytes.toString())
    const { pathname } = new URL(request.url ?? '/', 'http://x')
    const method = request.method ?? ''
    this.asked.push(`${method} ${pathname}`)
    const [, , name = '', ...rest] = pathname.split('/').map(decodeURIComponent)
    const collection = this.collections.get(name)
    if (rest.length === 0 && method === 'PUT') return this.#create(name, body as Schemas['CreateCollection'])
    if (rest.length === 0 && method === 'DELETE') return ok(this.collections.delete(name))
    if (collection === undefined) return missing(name)
    return about(collection, `${method} ${rest.join('/')}`, body)
  }

  #create(name: string, body: Schemas['CreateCollection']): Answer {
    if (this.collections.has(name)) return { status: 409, error: `Wrong input: Collection \`${name}\` already exists!` }
    const { size } = (body.vectors ?? {}) as { size?: number }
    this.collections.set(name, {
      size,
      points: new Map(),
      threshold: Number(body.optimizers_config?.indexing_threshold ?? 10_000),
    })
    return ok(true)
  }
}

function about(collection: Collection, what: string, body: unknown): Answer {
  const { points } = collection
  switch (what) {
    case 'GET ':
      return ok(info(collection))
    case 'PATCH ':
      collection.threshold = Number((body as Schemas['UpdateCollection']).optimizers_config?.indexing_threshold)
      return ok(true)
    case 'PUT index':
      return ok({ operation_id: 0, status: 'completed' })
    case 'PUT points':
      return insert(collection, body as Schemas['PointInsertOperations'])
    case 'POST points/delete':
      for (const id of (body as Schemas['PointIdsList']).points) points.delete(id)
      return ok({ operation_id: 0, status: 'completed' })
    case 'POST points/count':
      return ok({ count: fitting(collection, (body as Schemas['CountRequest']).filter ?? undefined).length })
    case 'POST points/query':
      return query(collection, body as Schemas['QueryRequest'])
    case 'POST points/scroll':
      return scroll(collection, body as Schemas['ScrollRequest'])
  }
  const id = /^GET points\/(.+)$/.exec(what)?.[1]
  const point = id === undefined ? undefined : points.get(id)
  if (point === undefined) return { status: 404, error: `Not found: Point with id ${id} does not exists!` }
  return ok({ id: point.id, payload: point.payload })
}

function info({ points, threshold, size = 0 }: Collection): object {
  const isIndexed = threshold > 0 && (points.size * size * 4) / 1024 >= threshold
  return {
    status: 'green',
    optimizer_status: 'ok',
    indexed_vectors_count: isIndexed ? points.size : 0,
    points_count: points.size,
    segments_count: 1,
  }
}

function insert({ points, size }: Collection, body: Schemas['PointInsertOperations']): Answer {
  const given: { id: string | number; vector: unknown; payload?: unknown }[] =
    'batch' in body
      ? body.batch.ids.map((id, at) => ({
          id,
          vector: (body.batch.vectors as number[][])[at],
          payload: body.batch.payloads?.[at],
        }))
      : body.points
  for (const { id, vector, payload } of given) {
    if (typeof id === 'number' ? !Number.isSafeInteger(id) || id < 0 : !UUID.test(id))
      return bad(`value ${id} is not a valid point ID, valid values are either an unsigned integer or a UUID`)
    const numbers = Array.isArray(vector) ? (vector as number[]) : []
    if (numbers.length !== (size ?? 0))
      return bad(`Wrong input: Vector dimension error: expected dim: ${size ?? 0}, got ${numbers.length}`)
    const length = Math.hypot(...numbers)
    points.set(id, { id, vector: numbers.map((one) => one / length), payload: (payload ?? {}) as Point['payload'] })
  }
  return ok({ operation_id: 0, status: 'completed' })
}

function query(collection: Collection, { query: asked, limit, filter }: Schemas['QueryRequest']): Answer {
  if (!Array.isArray(asked) || asked.length !== collection.size)
    return bad(`Wrong input: Vector dimension error: expected dim: ${collection.size}`)
  const wanted = asked as number[]
  const length = Math.hypot(...wanted)
  const scored = fitting(collection, filter ?? undefined).map(({ id, vector }) => ({
    id,
    version: 0,
    score: vector.reduce((sum, one, at) => sum + one * (wanted[at] ?? 0), 0) / length,
  }))
  return ok({ points: scored.sort((a, b) => b.score - a.score).slice(0, limit ?? 10) })
}

function scroll({ points }: Collection, { limit, offset }: Schemas['ScrollRequest']): Answer {
  const sorted = [...points.values()].sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1))
  const from = offset == null ? 0 : sorted.findIndex(({ id }) => id === offset)
  const page = sorted.slice(from, from + (limit ?? 10))
  return ok({
    points: page.map(({ id, payload }) => ({ id, payload })),
    next_page_offset: sorted[from + page.length]?.id ?? null,
  })
}

const fitting = ({ points }: Collection, filter: Schemas['Filter'] | undefined): Point[] =>
  [...points.values()].filter((point) => filter === undefined || fits(filter, point))

type Condition = Schemas['Filter'] | Schemas['Condition']

const listed = (conditions: Condition | readonly Condition[] | null | undefined): readonly Condition[] =>
  conditions == null ? [] : Array.isArray(conditions) ? (conditions as readonly Condition[]) : [conditions as Condition]

/** A clause that is absent or empty asks for nothing. */
function fits(condition: Condition, point: Point): boolean {
  if ('key' in condition) {
    const { match } = condition
    const values = (point.payload[condition.key] ?? []) as readonly unknown[]
    if (match != null && 'any' in match) return (match.any as unknown[]).some((value) => values.includes(value))
    if (match != null && 'value' in match) return values.includes(match.value)
    throw new Error(`no such match: ${JSON.stringify(match)}`)
  }
  const { must, should, must_not: mustNot } = condition as Schemas['Filter']
  const alternatives = listed(should)
  return (
    listed(must).every((one) => fits(one, point)) &&
    (alternatives.length === 0 || alternatives.some((one) => fits(one, point))) &&
    !listed(mustNot).some((one) => fits(one, point))
  )
}
