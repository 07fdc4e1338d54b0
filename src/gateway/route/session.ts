import type { Headers } from '../../base/http.ts'
import { isObject, type JsonObject } from '../../base/json.ts'
import type { Asker } from './request.ts'

/** Which conversation a request is part of, where it says so. A name routes and does nothing else: it needs
 *  no leave. */

const HEADER = 'x-headworks-session'

export function sessionIn(headers: Headers): Pick<Asker, 'session'> {
  const session = headers[HEADER]?.trim()
  return session === undefined || session === '' ? {} : { session }
}

/** By OpenAI's `prompt_cache_key`, or `metadata.session_id`. */
export function sessionOf({ prompt_cache_key: key, metadata }: JsonObject): Pick<Asker, 'session'> {
  const session = isObject(metadata) ? (metadata['session_id'] ?? key) : key
  return typeof session === 'string' && session !== '' ? { session } : {}
}
