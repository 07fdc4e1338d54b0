import { Refusal } from '../../base/errors.ts'
import { isObject, type JsonLimits, type JsonObject, parseJson } from '../../base/json.ts'
import type { PassedOperation } from '../../engine/port.ts'
import { invalid, isCount, readModel } from './fields.ts'

/** Requests that are passed through: JSON or a form, of which nothing is read but the model's name,
 *  how many pictures are wanted, and whom it names. */

export interface PassedRequest {
  /** Below the engine's base. */
  readonly path: string
  readonly operation: PassedOperation
  readonly model: string
  readonly contentType: string
  /** Pictures, or 1. */
  readonly units: number
  /** What it says of itself. */
  readonly named: JsonObject
  /** With the engine's own name of the model. */
  bodyFor(model: string): Uint8Array
}

const PICTURES_MAX = 100
/** A model's name stands in a short part. */
const FORM_FIELD_BYTES_MAX = 1024

const OPERATIONS: readonly (readonly [beginning: string, operation: PassedOperation])[] = [
  ['/moderations', 'moderations'],
  ['/images/', 'images'],
  ['/audio/', 'audio'],
]

/** Of a path below `/v1`. */
export const passedOperation = (path: string): PassedOperation =>
  OPERATIONS.find(([beginning]) => path.startsWith(beginning))?.[1] ?? 'other'

export function readPassedRequest(
  path: string,
  contentType: string | undefined,
  bytes: Uint8Array,
  limits: JsonLimits,
): PassedRequest | Refusal {
  const operation = passedOperation(path)
  const type = contentType ?? 'application/json'
  const boundary = /^multipart\/form-data\s*;.*?\bboundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(type)
  const about = { path, operation, contentType: type }
  if (boundary !== null) return readForm(about, bytes, boundary[1] ?? boundary[2] ?? '')
  const body = parseJson(bytes, limits)
  if (body instanceof Refusal) return body
  if (!isObject(body)) return invalid('body', 'must be an object', 'Send {"model": ...}.')
  const model = readModel(body)
  if (typeof model !== 'string') return model
  const units = unitsOf(operation, body['n'] ?? 1)
  if (units instanceof Refusal) return units
  const bodyFor = (own: string): Uint8Array => Buffer.from(JSON.stringify({ ...body, model: own }))
  return { ...about, model, units, named: body, bodyFor }
}

/** RFC 7578: everything but the value of `model` is passed on byte for byte. */
function readForm(
  about: Pick<PassedRequest, 'path' | 'operation' | 'contentType'>,
  bytes: Uint8Array,
  boundary: string,
): PassedRequest | Refusal {
  const form = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const at = fieldOf(form, boundary, 'model')
  const model = readModel({ model: at === undefined ? null : form.toString('utf8', at.from, at.to) })
  if (at === undefined || typeof model !== 'string') return model instanceof Refusal ? model : readModelAgain()
  const count = fieldOf(form, boundary, 'n')
  const units = unitsOf(about.operation, count === undefined ? 1 : Number(form.toString('utf8', count.from, count.to)))
  if (units instanceof Refusal) return units
  const user = fieldOf(form, boundary, 'user')
  return {
    ...about,
    model,
    units,
    named: user === undefined ? {} : { user: form.toString('utf8', user.from, user.to) },
    bodyFor: (own) => Buffer.concat([form.subarray(0, at.from), Buffer.from(own), form.subarray(at.to)]),
  }
}

const readModelAgain = (): Refusal => invalid('model', 'must be the name of a model', 'Send a part called `model`.')

const unitsOf = (operation: PassedOperation, n: unknown): number | Refusal => {
  if (operation !== 'images') return 1
  return typeof n === 'number' && isCount(n) && n <= PICTURES_MAX
    ? n
    : invalid('n', `must be a whole number from 1 to ${PICTURES_MAX}`, 'Leave it out for one picture.')
}

/** Where the value of a short field stands. A part begins after its boundary at the start of a line. */
function fieldOf(
  form: Buffer,
  boundary: string,
  name: string,
): { readonly from: number; readonly to: number } | undefined {
  const delimiter = Buffer.from(`--${boundary}`)
  for (let at = form.indexOf(delimiter); at >= 0;) {
    const head = at + delimiter.length
    const next = form.indexOf(`\r\n--${boundary}`, head)
    const blank = form.indexOf('\r\n\r\n', head)
    if (blank < 0 || next < 0) return undefined
    const headers = blank < next ? form.toString('latin1', head, Math.min(blank, head + FORM_FIELD_BYTES_MAX)) : ''
    const isIt = new RegExp(`^content-disposition:[^\\r\\n]*;\\s*name="?${name}"?\\s*(?:;|$)`, 'im').test(headers)
    const from = blank + 4
    if (isIt && next - from <= FORM_FIELD_BYTES_MAX) return { from: Math.min(from, next), to: next }
    at = next + 2
  }
  return undefined
}
