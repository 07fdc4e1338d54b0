import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { type SpanRow, STATUSES } from '../span.ts'

/** Rows as an ExportTraceServiceRequest in OTLP's JSON, by OpenTelemetry's names for what they say:
 *  what comes back in reads as the same rows, contents that were never kept apart. */
export function otlpOf(spans: readonly SpanRow[]): JsonObject {
  const services = Map.groupBy(spans, ({ service }) => service)
  return {
    resourceSpans: [...services].map(([service, own]) => ({
      resource: { attributes: [attribute('service.name', service)] },
      scopeSpans: [{ scope: { name: 'headworks' }, spans: own.map(spanOf) }],
    })),
  }
}

/** OTLP's kinds: 1 internal, 2 server, 3 client. */
const SPAN_KIND = { request: 2, generation: 3, embedding: 3, rerank: 3 } as const

function spanOf(span: SpanRow): JsonObject {
  const { traceId, spanId, parentId, name, startUs, durationUs, status, error } = span
  return {
    traceId,
    spanId,
    ...(parentId === '' ? {} : { parentSpanId: parentId }),
    name,
    kind: (SPAN_KIND as { readonly [kind: string]: number })[span.kind] ?? 1,
    startTimeUnixNano: `${startUs}000`,
    endTimeUnixNano: `${startUs + durationUs}000`,
    attributes: attributesOf(span),
    status: { code: STATUSES.indexOf(status), ...(error === '' ? {} : { message: error }) },
  }
}

function attributesOf(span: SpanRow): JsonObject[] {
  const input = sum(span.inputTokens, span.cachedInputTokens, span.cacheWriteTokens)
  const output = sum(span.outputTokens, span.reasoningTokens)
  const named: readonly (readonly [string, Json])[] = [
    ['gen_ai.operation.name', span.operation],
    ['gen_ai.provider.name', span.provider],
    ['gen_ai.response.model', span.model],
    ['user.id', span.user],
    ['gen_ai.conversation.id', span.session],
    ['gen_ai.workflow.name', span.workflow],
    ['gen_ai.prompt.name', span.prompt],
    ['gen_ai.response.finish_reasons', span.finishReason === '' ? '' : [span.finishReason]],
    ['gen_ai.usage.input_tokens', input],
    ['gen_ai.usage.cache_read.input_tokens', span.cachedInputTokens],
    ['gen_ai.usage.cache_creation.input_tokens', span.cacheWriteTokens],
    ['gen_ai.usage.output_tokens', output],
    ['gen_ai.usage.reasoning.output_tokens', span.reasoningTokens],
    ['gen_ai.response.time_to_first_chunk', span.firstTokenUs === null ? null : span.firstTokenUs / 1e6],
    ['headworks.tenant', span.tenant],
    ['headworks.deployment', span.deployment],
    ['headworks.cost_nanousd', span.costNanoUsd],
    ['headworks.probability', span.probability === 1 ? null : span.probability],
  ]
  const rest: unknown = JSON.parse(span.attributes)
  return [...named, ...Object.entries(isObject(rest) ? rest : {})].flatMap(([name, value]) =>
    value === '' || value === null || value === undefined ? [] : [attribute(name, value)],
  )
}

const sum = (...parts: readonly (number | null)[]): number | null =>
  parts.every((part) => part === null) ? null : parts.reduce<number>((total, part) => total + (part ?? 0), 0)

const attribute = (key: string, value: Json): JsonObject => ({ key, value: valueOf(value) })

function valueOf(value: Json): JsonObject {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'number') return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
  if (Array.isArray(value)) return { arrayValue: { values: (value as Json[]).map(valueOf) } }
  return { stringValue: JSON.stringify(value) }
}
