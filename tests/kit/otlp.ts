/** Makes bodies of OTLP as the clients do: spans by the thousand, in protobuf and in JSON. */
import { PbfWriter } from 'pbf'
import type { Json, JsonObject } from '../../src/base/json.ts'
import type { SentSpan } from '../../src/trace/contract/store.ts'

const hex = (text: string): Uint8Array => Buffer.from(text, 'hex')
const nanos = (us: number): bigint => BigInt(Math.round(us)) * 1000n

function fixed64(pbf: PbfWriter, field: number, value: bigint): void {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  pbf.writeTag(field, 1)
  pbf.writeFixed32(bytes.readUInt32LE(0))
  pbf.writeFixed32(bytes.readUInt32LE(4))
}

function writeValue(value: Json, pbf: PbfWriter): void {
  if (typeof value === 'string') pbf.writeStringField(1, value)
  else if (typeof value === 'boolean') pbf.writeBooleanField(2, value)
  else if (Number.isInteger(value)) pbf.writeVarintField(3, value as number)
  else if (typeof value === 'number') pbf.writeDoubleField(4, value)
  else if (Array.isArray(value))
    pbf.writeMessage(
      5,
      (list, inner) => {
        for (const one of list) inner.writeMessage(1, writeValue, one)
      },
      value as Json[],
    )
}

function writeAttributes(pbf: PbfWriter, field: number, attributes: JsonObject | undefined): void {
  for (const [name, value] of Object.entries(attributes ?? {}))
    pbf.writeMessage(
      field,
      (_, inner) => {
        inner.writeStringField(1, name)
        inner.writeMessage(2, writeValue, value ?? null)
      },
      undefined,
    )
}

function writeSpan(span: SentSpan, pbf: PbfWriter): void {
  pbf.writeBytesField(1, hex(span.traceId))
  pbf.writeBytesField(2, hex(span.spanId))
  if (span.parentId !== undefined) pbf.writeBytesField(4, hex(span.parentId))
  pbf.writeStringField(5, span.name)
  fixed64(pbf, 7, nanos(span.startUs))
  fixed64(pbf, 8, nanos(span.endUs))
  writeAttributes(pbf, 9, span.attributes)
  for (const { name, atUs, attributes } of span.events ?? [])
    pbf.writeMessage(
      11,
      (_, inner) => {
        fixed64(inner, 1, nanos(atUs))
        inner.writeStringField(2, name)
        writeAttributes(inner, 3, attributes)
      },
      undefined,
    )
  if (span.status !== undefined)
    pbf.writeMessage(
      15,
      (_, inner) => {
        if (span.message !== undefined) inner.writeStringField(2, span.message)
        inner.writeVarintField(3, span.status ?? 0)
      },
      undefined,
    )
}

/** An ExportTraceServiceRequest. */
export function protobufOf(spans: readonly SentSpan[], resource: JsonObject = { 'service.name': 'shop' }): Uint8Array {
  const pbf = new PbfWriter()
  pbf.writeMessage(
    1,
    (_, group) => {
      group.writeMessage(1, (__, inner) => writeAttributes(inner, 1, resource), undefined)
      group.writeMessage(
        2,
        (__, scope) => {
          for (const span of spans) scope.writeMessage(2, writeSpan, span)
        },
        undefined,
      )
    },
    undefined,
  )
  return pbf.finish()
}

const jsonValue = (value: Json | undefined): JsonObject => {
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'number') return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
  if (Array.isArray(value)) return { arrayValue: { values: (value as Json[]).map(jsonValue) } }
  return { stringValue: String(value) }
}
const jsonAttributes = (attributes: JsonObject = {}): JsonObject[] =>
  Object.entries(attributes).map(([key, value]) => ({ key, value: jsonValue(value) }))

/** The same in JSON. */
export function otlpJsonOf(spans: readonly SentSpan[], resource: JsonObject = { 'service.name': 'shop' }): Uint8Array {
  const shown = spans.map((span) => ({
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentId ?? '',
    name: span.name,
    startTimeUnixNano: String(nanos(span.startUs)),
    endTimeUnixNano: String(nanos(span.endUs)),
    attributes: jsonAttributes(span.attributes),
    events: (span.events ?? []).map(({ name, atUs, attributes }) => ({
      name,
      timeUnixNano: String(nanos(atUs)),
      attributes: jsonAttributes(attributes),
    })),
    status: { code: span.status ?? 0, ...(span.message === undefined ? {} : { message: span.message }) },
  }))
  const body = {
    resourceSpans: [{ resource: { attributes: jsonAttributes(resource) }, scopeSpans: [{ spans: shown }] }],
  }
  return Buffer.from(JSON.stringify(body))
}

/** Traces of one agent each: a root, and under it searches and calls of a model. Made by their number
 *  alone, so that who sent them knows them again. */
export function agentSpans(from: number, traces: number, startUs: number, spansPerTrace = 8): SentSpan[] {
  const spans: SentSpan[] = []
  for (let trace = from; trace < from + traces; trace++) {
    const stem = (Math.imul(trace, 2_654_435_761) >>> 0).toString(16).padStart(8, '0')
    const traceId = `${stem}${trace.toString(16).padStart(24, '0').slice(0, 10)}${stem.slice(0, 6)}${trace.toString(16).padStart(8, '0')}`
    const beginUs = startUs + trace * 1000
    for (let at = 0; at < spansPerTrace; at++) spans.push(agentSpan(trace, at, traceId, stem, beginUs))
  }
  return spans
}

const MODELS = ['gpt-4o-mini', 'gpt-4o', 'claude-sonnet-4-5', 'gpt-4.1']

function agentSpan(trace: number, at: number, traceId: string, stem: string, beginUs: number): SentSpan {
  const idOf = (n: number): string =>
    `${stem}${(trace & 0xffffff).toString(16).padStart(6, '0')}${n.toString(16).padStart(2, '0')}`
  const noise = (trace * 7919 + at * 104_729) % 1_000
  const durationUs = (at === 0 ? 900_000 : 40_000) + noise * (at === 0 ? 2_000 : 300)
  const isFailed = trace % 97 === 0 && at === 2
  const of: JsonObject =
    at === 0
      ? {
          'gen_ai.operation.name': 'invoke_agent',
          'user.id': `user-${trace % 1_000}`,
          'session.id': `s-${trace % 5_000}`,
        }
      : at % 2 === 1
        ? {
            'gen_ai.operation.name': 'chat',
            'gen_ai.provider.name': 'openai',
            'gen_ai.request.model': MODELS[trace % MODELS.length] ?? '',
            'gen_ai.usage.input_tokens': 200 + noise,
            'gen_ai.usage.output_tokens': 20 + (noise % 180),
            'gen_ai.response.finish_reasons': ['stop'],
          }
        : { 'db.system': 'vector', 'db.collection': `handbook-${trace % 7}`, 'retrieval.top_k': 8 }
  return {
    traceId,
    spanId: idOf(at),
    ...(at === 0 ? {} : { parentId: idOf(0) }),
    name: at === 0 ? 'answer ticket' : at % 2 === 1 ? 'chat' : `search handbook-${trace % 7}`,
    startUs: beginUs + at * 50_000,
    endUs: beginUs + at * 50_000 + durationUs,
    attributes: of,
    ...(isFailed ? { status: 2, message: `index ${trace} timed out` } : {}),
  }
}
