import { createHmac } from 'node:crypto'
import type { Headers } from '../../base/http.ts'

/** The headers by which a receiver knows a message and its sender (Standard Webhooks, "Signature
 *  scheme"): HMAC-SHA-256 over `id.timestamp.body`, in base 64. A secret that begins with `whsec_` is
 *  base 64, as the specification writes them; any other is taken as it is. */
export function signed(id: string, atMs: number, body: string, secret: string | undefined): Headers {
  const timestamp = Math.floor(atMs / 1000).toString()
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp }
  if (secret === undefined) return headers
  const key = secret.startsWith(PREFIX) ? Buffer.from(secret.slice(PREFIX.length), 'base64') : Buffer.from(secret)
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { ...headers, 'webhook-signature': `v1,${signature}` }
}

const PREFIX = 'whsec_'
