import { STATUS_CODES } from 'node:http'
import { systemClock } from '../../base/clock.ts'
import { refuse, type Refusal, remedyOf, sentenceOf, statusOf } from '../../base/errors.ts'
import type { Request } from '../../base/http.ts'
import { newId } from '../../base/ids.ts'
import { systemRandom } from '../../base/random.ts'

/** What no server lets reach anyone, whichever parses: requests that two parties could read
 *  differently. A missing, repeated or contradicted `Host`, a repeated credential,
 *  `Transfer-Encoding` on HTTP/1.0, header names with `_`, a credential in a trailer. */

/** Headers of which a second one would be somebody else's. */
const ONCE: ReadonlySet<string> = new Set(['host', 'authorization', 'x-api-key', 'transfer-encoding', 'expect'])
const CREDENTIALS: readonly string[] = ['authorization', 'x-api-key', 'cookie']
const CREDENTIAL_IN = /authorization|x-api-key|cookie/i

export interface Head {
  /** Name, value, name, value ... */
  readonly rawHeaders: readonly string[]
  readonly isHttp10: boolean
  readonly target: string
}

/** Why two parties could read this request differently, if they could. */
export function ambiguity({ rawHeaders, isHttp10, target }: Head, peer: Request['peer']): Refusal | undefined {
  const seen: string[] = []
  let host: string | undefined
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase()
    const value = rawHeaders[at + 1] ?? ''
    if (ONCE.has(name)) {
      if (seen.includes(name)) return refuse('request_refused', { reason: `it has more than one ${name}` })
      seen.push(name)
    }
    if (name.includes('_'))
      return refuse('request_refused', { reason: `the header name "${name.slice(0, 64)}" has an underscore` })
    if (name === 'host') host = value
    else if (name === 'transfer-encoding') {
      if (isHttp10) return refuse('request_refused', { reason: 'HTTP/1.0 has no transfer-encoding' })
      if (value.toLowerCase() !== 'chunked')
        return refuse('request_refused', { reason: 'its transfer-encoding is another than chunked' })
    } else if (name === 'trailer' && CREDENTIAL_IN.test(value))
      return refuse('request_refused', { reason: 'a credential is announced as a trailer' })
  }
  if (peer === 'network' && !isHttp10 && host === undefined)
    return refuse('request_refused', { reason: 'it has no Host' })
  if (target.startsWith('/')) return undefined
  if (!URL.canParse(target)) return refuse('request_refused', { reason: 'its target is neither a path nor a URL' })
  const named = new URL(target)
  const matches = peer === 'network' && /^https?:$/.test(named.protocol) && named.host === host
  return matches ? undefined : refuse('request_refused', { reason: 'its target names another host than Host does' })
}

/** The path and query of a target that is a path or a URL. */
export function pathOf(target: string): string {
  if (target.startsWith('/')) return target
  const { pathname, search } = new URL(target)
  return pathname + search
}

/** The credential that a trailer carries, if one does. */
export const credentialIn = (has: (name: string) => boolean): string | undefined => CREDENTIALS.find(has)

export const refusalText = (refusal: Refusal): string =>
  JSON.stringify({
    error: {
      message: `${sentenceOf(refusal)} ${remedyOf(refusal)}`,
      type: statusOf(refusal) < 500 ? 'invalid_request_error' : 'server_error',
      param: null,
      code: refusal.code,
    },
  })

/** A whole answer, for where there is nothing to answer through; the connection is closed after it. */
export function refusalBytes(refusal: Refusal): string {
  const body = refusalText(refusal)
  const status = `${statusOf(refusal)} ${STATUS_CODES[statusOf(refusal)] ?? ''}`
  return `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\nx-request-id: ${requestId()}\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

/** For what is answered before anybody gave it an id. */
export const requestId = (): string => newId('req', systemClock, systemRandom)
