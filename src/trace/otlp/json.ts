import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { Attribute, Origin, RawEvent, RawPoint, Signal, Visitor } from '../raw.ts'

/** OTLP in JSON: protobuf's JSON with ids in hexadecimal digits, and 64-bit integers as text. */
export function readOtlpJson(signal: Signal, body: JsonObject, visitor: Visitor): void {
  const { groups, scopes, records, read } = SHAPES[signal]
  for (const group of objects(body[groups])) {
    const resource = isObject(group['resource']) ? attributesOf(group['resource']['attributes']) : []
    for (const inner of objects(group[scopes])) {
      const scope = isObject(inner['scope']) ? text(inner['scope']['name']) : ''
      const list = inner[records]
      for (const record of Array.isArray(list) ? (list as readonly Json[]) : [])
        if (isObject(record)) read(record, { resource, scope }, visitor)
        else visitor.bad('a record is no object')
    }
  }
}

interface Shape {
  readonly groups: string
  readonly scopes: string
  readonly records: string
  readonly read: (record: JsonObject, origin: Origin, visitor: Visitor) => void
}

const SHAPES: { readonly [Name in Signal]: Shape } = {
  traces: {
    groups: 'resourceSpans',
    scopes: 'scopeSpans',
    records: 'spans',
    read(record, origin, visitor) {
      const status = isObject(record['status']) ? record['status'] : {}
      visitor.span(
        {
          traceId: id(record['traceId']),
          spanId: id(record['spanId']),
          parentId: id(record['parentSpanId']),
          name: text(record['name']),
          startUs: us(record['startTimeUnixNano']),
          endUs: us(record['endTimeUnixNano']),
          status: STATUS_NAMES[text(status['code'])] ?? Number(status['code'] ?? 0),
          statusMessage: text(status['message']),
          attributes: attributesOf(record['attributes']),
          events: objects(record['events']).map(eventOf),
        },
        origin,
      )
    },
  },
  logs: {
    groups: 'resourceLogs',
    scopes: 'scopeLogs',
    records: 'logRecords',
    read(record, origin, visitor) {
      visitor.log(
        {
          traceId: id(record['traceId']),
          spanId: id(record['spanId']),
          atUs: us(record['timeUnixNano']) || us(record['observedTimeUnixNano']),
          severity: text(record['severityText']),
          eventName: text(record['eventName']),
          body: valueOf(record['body']),
          attributes: attributesOf(record['attributes']),
        },
        origin,
      )
    },
  },
  metrics: {
    groups: 'resourceMetrics',
    scopes: 'scopeMetrics',
    records: 'metrics',
    read(record, origin, visitor) {
      for (const kind of ['gauge', 'sum', 'histogram', 'exponentialHistogram']) {
        const data = record[kind]
        if (!isObject(data)) continue
        for (const one of objects(data['dataPoints']))
          visitor.point({ name: text(record['name']), ...pointOf(one) }, origin)
      }
    },
  },
}

const STATUS_NAMES: { readonly [name: string]: number } = { STATUS_CODE_OK: 1, STATUS_CODE_ERROR: 2 }

const eventOf = (event: JsonObject): RawEvent => ({
  name: text(event['name']),
  atUs: us(event['timeUnixNano']),
  attributes: attributesOf(event['attributes']),
})

function pointOf(point: JsonObject): Omit<RawPoint, 'name'> {
  const isHistogram = point['count'] !== undefined
  return {
    atUs: us(point['timeUnixNano']),
    value: Number(isHistogram ? (point['sum'] ?? 0) : (point['asDouble'] ?? point['asInt'] ?? 0)),
    count: isHistogram ? Number(point['count']) : null,
    attributes: attributesOf(point['attributes']),
  }
}

const objects = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter(isObject) : []
const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
const id = (value: Json | undefined): string => text(value).toLowerCase()
const us = (nanos: Json | undefined): number => Number(nanos ?? 0) / 1000 || 0

const attributesOf = (list: Json | undefined): Attribute[] =>
  objects(list).map(({ key, value }) => [text(key), valueOf(value)])

/** Of an AnyValue. */
function valueOf(value: Json | undefined): Json {
  if (!isObject(value)) return null
  const { stringValue, boolValue, intValue, doubleValue, arrayValue, kvlistValue } = value
  if (typeof stringValue === 'string') return stringValue
  if (typeof boolValue === 'boolean') return boolValue
  if (intValue !== undefined) return Number(intValue)
  if (doubleValue !== undefined) return Number(doubleValue)
  if (isObject(arrayValue)) return objects(arrayValue['values']).map(valueOf)
  if (isObject(kvlistValue)) return Object.fromEntries(attributesOf(kvlistValue['values']))
  return null
}
