import { type Problem, refuse, Refusal, remedyOf, sentenceOf, statusOf, toProblem } from '../base/errors.ts'
import type { Handler, Reply, Request } from '../base/http.ts'
import { retryHeaders } from '../gateway/surface/dialect.ts'
import type { Principal } from '../guard/principal.ts'
import { exportAnswer, statusAnswer } from '../trace/otlp/answer.ts'
import type { TelemetryStore } from '../trace/port.ts'
import type { Signal } from '../trace/raw.ts'

/** `/v1/traces`, `/v1/logs` and `/v1/metrics`: OTLP over HTTP (opentelemetry-proto, OTLP 1.x), as any
 *  OpenTelemetry exporter sends it. What is answered with 200 is on the disk. */

const SIGNALS: ReadonlyMap<string, Signal> = new Map([
  ['/v1/traces', 'traces'],
  ['/v1/logs', 'logs'],
  ['/v1/metrics', 'metrics'],
])

/** What of `/v1` is telemetry, and is answered here and not by a gateway. */
export const isOfTelemetry = (target: string): boolean => SIGNALS.has(target.split('?', 1)[0] ?? '')

/** Of one body, as it is sent. */
const DELIVERY_BYTES_MAX = 16 * 1024 * 1024

const MEDIA_TYPES = { json: 'application/json', protobuf: 'application/x-protobuf' } as const
type Encoding = keyof typeof MEDIA_TYPES
const COMPRESSIONS: readonly string[] = ['', 'identity', 'gzip', 'deflate']

/** What an exporter tries again (OTLP, "Retryable Response Codes"); our other codes for a trouble that
 *  passes are said as this one. */
const UNAVAILABLE = 503
const RETRY_AFTER_SECONDS = 2

export interface OtlpDependencies {
  readonly store: Pick<TelemetryStore, 'take'>
  readonly authenticate: (request: Request) => Principal | Refusal
  readonly newRequestId: () => string
}

export function otlpHandler(dependencies: OtlpDependencies): Handler {
  return (request, reply) => {
    const requestId = dependencies.newRequestId()
    const encoding = encodingOf(request)
    answer(dependencies, request, encoding).then(
      (said) => {
        if (said instanceof Uint8Array) send(reply, requestId, 200, encoding ?? 'json', said)
        else decline(reply, requestId, encoding ?? 'json', said)
      },
      (thrown: unknown) => {
        if (reply.headSent) reply.abort()
        else decline(reply, requestId, encoding ?? 'json', toProblem(thrown))
      },
    )
  }
}

async function answer(
  { store, authenticate }: OtlpDependencies,
  request: Request,
  encoding: Encoding | undefined,
): Promise<Uint8Array | Problem> {
  const principal = authenticate(request)
  if (principal instanceof Refusal) return principal
  const [path = ''] = request.target.split('?', 1)
  const signal = SIGNALS.get(path)
  if (signal === undefined) return refuse('path_unknown', { method: request.method, path })
  if (request.method !== 'POST') return refuse('method_not_allowed', { path, method: request.method, allowed: 'POST' })
  if (encoding === undefined)
    return refuse('field_invalid', {
      field: 'content-type',
      problem: 'is not one of OTLP',
      remedy: `Send ${MEDIA_TYPES.protobuf} or ${MEDIA_TYPES.json}.`,
    })
  const compression = (request.headers['content-encoding'] ?? '').trim().toLowerCase()
  if (!COMPRESSIONS.includes(compression))
    return refuse('field_invalid', {
      field: 'content-encoding',
      problem: 'is not known here',
      remedy: 'Send gzip, deflate, or no compression.',
    })
  const bytes = await request.body(DELIVERY_BYTES_MAX)
  const tenant = principal.bindings.tenant ?? ''
  return exportAnswer(signal, await store.take({ signal, encoding, compression, bytes, tenant }), encoding)
}

function encodingOf({ headers }: Request): Encoding | undefined {
  const type = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase()
  return type === MEDIA_TYPES.json ? 'json' : type === MEDIA_TYPES.protobuf ? 'protobuf' : undefined
}

function decline(reply: Reply, requestId: string, encoding: Encoding, problem: Problem): void {
  const status = statusOf(problem)
  const isPassing = status >= 500
  const retry = isPassing ? { 'retry-after': String(RETRY_AFTER_SECONDS) } : retryHeaders(problem)
  const message = `${sentenceOf(problem)} ${remedyOf(problem)}`
  send(reply, requestId, isPassing ? UNAVAILABLE : status, encoding, statusAnswer(message, encoding), retry)
}

function send(
  reply: Reply,
  requestId: string,
  status: number,
  encoding: Encoding,
  body: Uint8Array,
  headers: { readonly [name: string]: string | undefined } = {},
): void {
  reply.head(status, { 'content-type': MEDIA_TYPES[encoding], 'x-request-id': requestId, ...headers })
  reply.end(body)
}
