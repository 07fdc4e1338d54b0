import { crc32 } from 'node:zlib'
import type { JsonObject } from '../../src/base/json.ts'

/** One message of AWS's event stream encoding. */
export function eventMessage(headers: { readonly [name: string]: string }, payload: JsonObject | string): Buffer {
  const encoded = Buffer.concat(
    Object.entries(headers).map(([name, value]) => {
      const head = Buffer.alloc(1 + name.length + 3)
      head[0] = name.length
      head.write(name, 1)
      head[1 + name.length] = 7
      head.writeUInt16BE(Buffer.byteLength(value), 2 + name.length)
      return Buffer.concat([head, Buffer.from(value)])
    }),
  )
  const body = Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload))
  const length = 12 + encoded.length + body.length + 4
  const prelude = Buffer.alloc(12)
  prelude.writeUInt32BE(length, 0)
  prelude.writeUInt32BE(encoded.length, 4)
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8)
  const message = Buffer.concat([prelude, encoded, body])
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32(message))
  return Buffer.concat([message, checksum])
}

export const bedrockEvent = (type: string, payload: JsonObject = {}): Buffer =>
  eventMessage({ ':message-type': 'event', ':event-type': type, ':content-type': 'application/json' }, payload)
