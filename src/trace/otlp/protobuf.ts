import { PbfReader } from 'pbf'
import type { Json } from '../../base/json.ts'
import { reasonOf } from '../../base/errors.ts'
import type { Attribute, Origin, RawEvent, RawLog, RawPoint, RawSpan, Signal, Visitor } from '../raw.ts'

/** OTLP in protobuf (opentelemetry-proto 1.x), read field by field into rows: objects of generated
 *  classes would cost more than all the rest. Numbers of fields stand as in the .proto files. */

/** Lists within lists within one attribute; what lies deeper is left out. */
const DEPTH_MAX = 8

/** Throws where the body is no protobuf at all. A record that is not readable is told as `bad`. */
export function readProtobuf(signal: Signal, body: Buffer, visitor: Visitor): void {
  const pbf = new PbfReader(body)
  const one = RECORDS[signal]
  for (let field = pbf.nextField(); field !== 0; field = pbf.nextField()) {
    if (field === 1) resourceGroup(new Reading(pbf, body, visitor), one, endOf(pbf))
    else pbf.skip(pbf.type)
  }
}

type ReadRecord = (reading: Reading, origin: Origin, end: number) => void

class Reading {
  readonly pbf: PbfReader
  readonly body: Buffer
  readonly visitor: Visitor

  constructor(pbf: PbfReader, body: Buffer, visitor: Visitor) {
    this.pbf = pbf
    this.body = body
    this.visitor = visitor
  }

  /** The bytes of this field as hexadecimal digits. */
  hex(): string {
    const { pbf } = this
    const end = endOf(pbf)
    const text = this.body.toString('hex', pbf.pos, end)
    pbf.pos = end
    return text
  }
}

/** Where the message that begins here ends. Throws where that is beyond the body. */
function endOf(pbf: PbfReader): number {
  const length = pbf.readVarint()
  const end = pbf.pos + length
  if (end > pbf.length) throw new RangeError('a message is longer than the body')
  return end
}

/** Buffer's own decoder; what is no UTF-8 becomes U+FFFD. */
function readText(pbf: PbfReader): string {
  const end = endOf(pbf)
  const text = (pbf.buf as Buffer).toString('utf8', pbf.pos, end)
  pbf.pos = end
  return text
}

/** ResourceSpans, ResourceLogs and ResourceMetrics have one shape, and so have the groups by scope. */
function resourceGroup(reading: Reading, one: ReadRecord, end: number): void {
  const { pbf } = reading
  let resource: readonly Attribute[] = []
  const groups: number[] = []
  for (let field = pbf.nextField(end); field !== 0; field = pbf.nextField(end)) {
    if (field === 1) resource = resourceOf(pbf, endOf(pbf))
    else if (field === 2) {
      // The resource may come after what it belongs to.
      const groupEnd = endOf(pbf)
      groups.push(pbf.pos, groupEnd)
      pbf.pos = groupEnd
    } else pbf.skip(pbf.type)
  }
  for (let i = 0; i < groups.length; i += 2) {
    pbf.pos = groups[i] ?? end
    scopeGroup(reading, resource, one, groups[i + 1] ?? end)
  }
  pbf.pos = end
}

function scopeGroup(reading: Reading, resource: readonly Attribute[], one: ReadRecord, end: number): void {
  const { pbf } = reading
  let origin: Origin = { resource, scope: '' }
  for (let field = pbf.nextField(end); field !== 0; field = pbf.nextField(end)) {
    if (field === 1) origin = { resource, scope: scopeOf(pbf, endOf(pbf)) }
    else if (field === 2) {
      const recordEnd = endOf(pbf)
      try {
        one(reading, origin, recordEnd)
      } catch (thrown) {
        reading.visitor.bad(reasonOf(thrown).slice(0, 100))
      }
      pbf.pos = recordEnd
    } else pbf.skip(pbf.type)
  }
}

function resourceOf(pbf: PbfReader, end: number): Attribute[] {
  const attributes: Attribute[] = []
  for (let field = pbf.nextField(end); field !== 0; field = pbf.nextField(end)) {
    if (field === 1) attributes.push(attribute(pbf, endOf(pbf)))
    else pbf.skip(pbf.type)
  }
  return attributes
}

function scopeOf(pbf: PbfReader, end: number): string {
  let name = ''
  for (let field = pbf.nextField(end); field !== 0; field = pbf.nextField(end)) {
    if (field === 1) name = readText(pbf)
    else pbf.skip(pbf.type)
  }
  return name
}

function attribute(pbf: PbfReader, end: number): Attribute {
  let name = ''
  let value: Json = null
  for (let field = pbf.nextField(end); field !== 0; field = pbf.nextField(end)) {
    if (field === 1) name = readText(pbf)
    else if (field === 2) value = anyValue(pbf, endOf(pbf), 0)
    else pbf.skip(pbf.type)
  }
  return [name, value]
}

function anyValue(pbf: PbfReader, end: number, depth: number): Json {
  let value: Json = null
  for (let field = pbf.nextField(end); field !== 0; field = pbf.nextField(end)) {
    if (field === 1) value = readText(pbf)
    else if (field === 2) value = pbf.readBoolean()
    else if (field === 3) value = pbf.readVarint(true)
    else if (field === 4) value = pbf.readDouble()
    else if (field === 5 && depth < DEPTH_MAX) value = arrayValue(pbf, endOf(pbf), depth + 1)
    else if (field === 6 && depth < DEPTH_MAX) value = listValue(pbf, endOf(pbf), depth + 1)
    else pbf.skip(pbf.type)
  }
  return typeof value === 'number' && !Number.isFinite(value) ? null : value
}

function arrayValue(pbf: PbfReader, end: number, depth: number): Json[] {
  const values: Json[] = []
  for (let field = pbf.nextField(end); field !== 0; field = pbf.nextField(end)) {
    if (field === 1) values.push(anyValue(pbf, endOf(pbf), depth))
    else pbf.skip(pbf.type)
  }
  return values
}

function listValue(pbf: PbfReader, end: number, depth: number): Json {
  const entries: [string, Json][] = []
  for (let field = pbf.nextField(end); field !== 0; field = pbf.nextField(end)) {
    if (field !== 1) {
      pbf.skip(pbf.type)
      continue
    }
    const entryEnd = endOf(pbf)
    let name = ''
    let value: Json = null
    for (let inner = pbf.nextField(entryEnd); inner !== 0; inner = pbf.nextField(entryEnd)) {
      if (inner === 1) name = readText(pbf)
      else if (inner === 2) value = anyValue(pbf, endOf(pbf), depth)
      else pbf.skip(pbf.type)
    }
    entries.push([name, value])
  }
  return Object.fromEntries(entries)
}

/** Nanoseconds in 64 bits; a double keeps them to a quarter of a microsecond. */
const readUs = (pbf: PbfReader): number => pbf.readFixed64() / 1000

function span(reading: Reading, origin: Origin, end: number): void {
  const { pbf } = reading
  let [traceId, spanId, parentId, name, statusMessage] = ['', '', '', '', '']
  let [startUs, endUs, status] = [0, 0, 0]
  const attributes: Attribute[] = []
  const events: RawEvent[] = []
  for (let field = pbf.nextField(end); field !== 0; field = pbf.nextField(end)) {
    if (field === 9) attributes.push(attribute(pbf, endOf(pbf)))
    else if (field === 1) traceId = reading.hex()
    else if (field === 2) spanId = reading.hex()
    else if (field === 4) parentId = reading.hex()
    else if (field === 5) name = readText(pbf)
    else if (field === 7) startUs = readUs(pbf)
    else if (field === 8) endUs = readUs(pbf)
    else if (field === 11) events.push(event(pbf, endOf(pbf)))
    else if (field === 15) {
      const statusEnd = endOf(pbf)
      for (let inner = pbf.nextField(statusEnd); inner !== 0; inner = pbf.nextField(statusEnd)) {
        if (inner === 2) statusMessage = readText(pbf)
        else if (inner === 3) status = pbf.readVarint()
        else pbf.skip(pbf.type)
      }
    } else pbf.skip(pbf.type)
  }
  const found: RawSpan = { traceId, spanId, parentId, name, startUs, endUs, status, statusMessage, attributes, events }
  reading.visitor.span(found, origin)
}

function event(pbf: PbfReader, end: number): RawEvent {
  let name = ''
  let atUs = 0
  const attributes: Attribute[] = []
  for (let field = pbf.nextField(end); field !== 0; field = pbf.nextField(end)) {
    if (field === 1) atUs = readUs(pbf)
    else if (field === 2) name = readText(pbf)
    else if (field === 3) attributes.push(attribute(pbf, endOf(pbf)))
    else pbf.skip(pbf.type)
  }
  return { name, atUs, attributes }
}

function log(reading: Reading, origin: Origin, end: number): void {
  const { pbf } = reading
  let [traceId, spanId, severity, eventName] = ['', '', '', '']
  let [atUs, observedUs] = [0, 0]
  let body: Json = null
  const attributes: Attribute[] = []
  for (let field = pbf.nextField(end); field !== 0; field = pbf.nextField(end)) {
    if (field === 1) atUs = readUs(pbf)
    else if (field === 3) severity = readText(pbf)
    else if (field === 5) body = anyValue(pbf, endOf(pbf), 0)
    else if (field === 6) attributes.push(attribute(pbf, endOf(pbf)))
    else if (field === 9) traceId = reading.hex()
    else if (field === 10) spanId = reading.hex()
    else if (field === 11) observedUs = readUs(pbf)
    else if (field === 12) eventName = readText(pbf)
    else pbf.skip(pbf.type)
  }
  const found: RawLog = { traceId, spanId, atUs: atUs || observedUs, severity, eventName, body, attributes }
  reading.visitor.log(found, origin)
}

/** Gauge, sum, histogram and exponential histogram: the fields of a metric that hold points. */
const POINTS: { readonly [field: number]: { readonly attributes: number; readonly isHistogram: boolean } } = {
  5: { attributes: 7, isHistogram: false },
  7: { attributes: 7, isHistogram: false },
  9: { attributes: 9, isHistogram: true },
  10: { attributes: 1, isHistogram: true },
}

function metric(reading: Reading, origin: Origin, end: number): void {
  const { pbf, visitor } = reading
  let name = ''
  const points: Omit<RawPoint, 'name'>[] = []
  for (let field = pbf.nextField(end); field !== 0; field = pbf.nextField(end)) {
    const shape = POINTS[field]
    if (field === 1) name = readText(pbf)
    else if (shape !== undefined) {
      const dataEnd = endOf(pbf)
      for (let inner = pbf.nextField(dataEnd); inner !== 0; inner = pbf.nextField(dataEnd)) {
        if (inner === 1) points.push(point(pbf, endOf(pbf), shape))
        else pbf.skip(pbf.type)
      }
    } else pbf.skip(pbf.type)
  }
  for (const one of points) visitor.point({ name, ...one }, origin)
}

function point(
  pbf: PbfReader,
  end: number,
  shape: { readonly attributes: number; readonly isHistogram: boolean },
): Omit<RawPoint, 'name'> {
  let [atUs, value] = [0, 0]
  let count: number | null = null
  const attributes: Attribute[] = []
  for (let field = pbf.nextField(end); field !== 0; field = pbf.nextField(end)) {
    if (field === shape.attributes) attributes.push(attribute(pbf, endOf(pbf)))
    else if (field === 3) atUs = readUs(pbf)
    else if (field === 4 && shape.isHistogram) count = pbf.readFixed64()
    else if (field === 4 || (field === 5 && shape.isHistogram)) value = pbf.readDouble()
    else if (field === 6 && !shape.isHistogram) value = pbf.readSFixed64()
    else pbf.skip(pbf.type)
  }
  return { atUs, value, count, attributes }
}

const RECORDS: { readonly [Name in Signal]: ReadRecord } = { traces: span, logs: log, metrics: metric }
