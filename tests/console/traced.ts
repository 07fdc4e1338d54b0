import { setTimeout as sleep } from 'node:timers/promises'
import type { SentSpan } from '../../src/trace/contract/store.ts'
import { ADMIN_KEY, startHouse } from '../kit/house.ts'
import { chance } from '../kit/metered.ts'
import { protobufOf } from '../kit/otlp.ts'

/** The real program with traces in it: its own requests, hundreds of another program's, of which the
 *  slow ones are of one model and one user, and one that is very large. */

export interface TracedHouse {
  readonly url: string
  readonly admin: string
  /** Of the trace that is very large. */
  readonly largeId: string
  /** A request that the house answered itself. */
  readonly requestId: string
  close(): Promise<void>
}

const TRACES = 400
/** Every so many are slow. */
const SLOW_EVERY = 8
const SPANS_OF_ONE_BODY = 5_000
const POLL_MS = 50
const POLLS_MAX = 400
const HOUR_US = 3_600_000_000

const hex = (number: number, digits: number): string => number.toString(16).padStart(digits, '0')

/** Several hours of one service. */
function shopSpans(nowUs: number): SentSpan[] {
  return Array.from({ length: TRACES }, (_, at): SentSpan[] => {
    const isSlow = at % SLOW_EVERY === 0
    const traceId = hex(at + 1, 32)
    const startUs = nowUs - Math.round(6 * HOUR_US * chance(`${at} when`)) - 60_000_000
    const durationUs = Math.round((isSlow ? 6e6 : 1.5e5) * (0.5 + 3 * chance(`${at} long`) ** 2))
    const model = isSlow && at % 16 === 0 ? 'large-preview' : 'small'
    const attributes = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': model,
      'gen_ai.usage.input_tokens': 300 + (at % 90),
      'gen_ai.usage.output_tokens': 40 + (at % 30),
    }
    const user = isSlow ? 'ada' : `user-${at % 7}`
    const isFailed = at % 50 === 8
    return [
      {
        traceId,
        spanId: hex(at + 1, 16),
        name: 'answer ticket',
        startUs,
        endUs: startUs + durationUs,
        attributes: { 'user.id': user },
      },
      {
        traceId,
        spanId: hex(at + 1 + TRACES, 16),
        parentId: hex(at + 1, 16),
        name: 'chat',
        startUs: startUs + durationUs / 10,
        endUs: startUs + durationUs * 0.9,
        attributes,
        ...(isFailed && { status: 2, message: 'the model timed out' }),
      },
    ]
  }).flat()
}

function largeSpans(traceId: string, count: number, startUs: number): SentSpan[] {
  const idOf = (at: number): string => hex(at + 1_000_000, 16)
  return Array.from({ length: count }, (_, at) => ({
    traceId,
    spanId: idOf(at),
    ...(at > 0 && { parentId: idOf(at % 10 === 1 ? 0 : at - (at % 10 || 10) + 1) }),
    name: at === 0 ? 'crawl' : `step ${at}`,
    startUs: startUs + at * 20,
    endUs: at === 0 ? startUs + count * 20 + 5_000 : startUs + at * 20 + 3_000,
    attributes: {},
  }))
}

/** `largeSpans`: how many the large one has. */
export async function serveTraced(largeCount: number): Promise<TracedHouse> {
  const house = await startHouse({
    documents: { 'keys.md': '# Keys\n\nA key lets a program in. Keys are made and rotated by administrators.\n' },
    config: { budgets: [{ id: 'house', scope: 'global', limit: { usd: 20 }, window: 'month' }] },
  })
  const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' }
  const largeId = hex(0xabcdef, 32)
  const nowUs = Date.now() * 1000
  const spans = [...shopSpans(nowUs), ...largeSpans(largeId, largeCount, nowUs - 2 * HOUR_US)]
  for (let at = 0; at < spans.length; at += SPANS_OF_ONE_BODY) {
    const body = protobufOf(spans.slice(at, at + SPANS_OF_ONE_BODY)) as Uint8Array<ArrayBuffer>
    const type = { ...headers, 'content-type': 'application/x-protobuf' }
    const sent = await fetch(`${house.url}/v1/traces`, { method: 'POST', headers: type, body })
    if (!sent.ok) throw new Error(await sent.text())
  }
  const question = { model: 'docs', user: 'ada', messages: [{ role: 'user', content: 'Who makes keys?' }] }
  const init = { method: 'POST', headers, body: JSON.stringify(question) }
  const answer = await fetch(`${house.url}/v1/chat/completions`, init)
  const requestId = answer.headers.get('x-request-id') ?? ''
  await answer.text()
  for (let polls = 0; polls < POLLS_MAX; polls++) {
    const large = (await (await fetch(`${house.url}/api/traces/${largeId}?limit=1`, { headers })).json()) as {
      total?: number
    }
    const own = (await (await fetch(`${house.url}/api/traces/${requestId}`, { headers })).json()) as { total?: number }
    if (large.total === largeCount && (own.total ?? 0) > 0)
      return { url: house.url, admin: ADMIN_KEY, largeId, requestId, close: () => house.stop() }
    await sleep(POLL_MS)
  }
  await house.stop()
  throw new Error('the traces did not come')
}
