import type { Json, JsonObject } from '../base/json.ts'
import type { TraceSummary } from '../trace/port.ts'
import type { SpanRow } from '../trace/span.ts'

/** Traces and spans as the API shows them: instants in ISO 8601, durations in milliseconds, money as a
 *  decimal string of nano-USD. */

export const isoOf = (us: number): string => new Date(us / 1000).toISOString()
const msOf = (us: number | null): number | null => (us === null ? null : us / 1000)
const nanoOf = (nano: number | null): string | null => (nano === null ? null : String(nano))

export const summaryJson = (trace: TraceSummary): JsonObject => ({
  id: trace.requestId || trace.traceId,
  traceId: trace.traceId,
  at: isoOf(trace.startUs),
  service: trace.service,
  name: trace.name,
  tenant: trace.tenant,
  user: trace.user,
  session: trace.session,
  workflow: trace.workflow,
  prompt: trace.prompt,
  model: trace.model,
  status: trace.errors > 0 ? 'error' : 'ok',
  durationMs: msOf(trace.durationUs),
  firstTokenMs: msOf(trace.firstTokenUs),
  spans: trace.spans,
  errors: trace.errors,
  inputTokens: trace.inputTokens,
  outputTokens: trace.outputTokens,
  costNanoUsd: nanoOf(trace.costNanoUsd),
  probability: trace.probability,
})

export function spanJson({ startUs, durationUs, firstTokenUs, costNanoUsd, attributes, ...rest }: SpanRow): JsonObject {
  return {
    ...rest,
    at: isoOf(startUs),
    startUs,
    durationMs: msOf(durationUs),
    firstTokenMs: msOf(firstTokenUs),
    costNanoUsd: nanoOf(costNanoUsd),
    attributes: JSON.parse(attributes) as Json,
  }
}
