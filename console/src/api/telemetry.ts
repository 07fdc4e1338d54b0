import type { Fetch } from './chat.ts'
import { get, read } from './exchange.ts'
import type { Result } from './problem.ts'
import { isRecord, numberOf } from './shape.ts'
import type { Percentiles } from './usage.ts'

/** Figures over requests of the house itself, in one sum for a span of time. */

export interface Latency {
  readonly totalMs: Percentiles
  readonly firstTokenMs: Percentiles
}

const NOTHING: Percentiles = { n: 0, p50: undefined, p95: undefined, p99: undefined }

/** Of the requests that began between two instants. */
export async function latencyOf(fetch: Fetch, fromMs: number, toMs: number): Promise<Result<Latency>> {
  const query = new URLSearchParams({
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    kind: 'request',
    steps: 'false',
  })
  return read(await get(fetch, `/api/telemetry/series?${query}`), 'series', readLatency)
}

function readLatency(body: unknown): Latency | undefined {
  if (!isRecord(body) || !Array.isArray(body['points'])) return undefined
  const point: unknown = body['points'][0]
  if (!isRecord(point)) return { totalMs: NOTHING, firstTokenMs: NOTHING }
  return { totalMs: percentilesOf(point['durationMs']), firstTokenMs: percentilesOf(point['firstTokenMs']) }
}

function percentilesOf(value: unknown): Percentiles {
  if (!isRecord(value)) return NOTHING
  return {
    n: numberOf(value['n']) ?? 0,
    p50: numberOf(value['p50']),
    p95: numberOf(value['p95']),
    p99: numberOf(value['p99']),
  }
}
