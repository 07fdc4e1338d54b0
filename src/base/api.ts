import type { Json } from './json.ts'
import type { Headers } from './http.ts'

/** Headworks' own HTTP interface as its command line sees it: over the control socket, where no
 *  key is needed, or over the network with one. */
export interface ApiClient {
  /** Where it talks to, for messages. */
  readonly address: string
  /** One exchange. Answers of any status resolve. Rejects with a `Fault`: `server_absent` when
   *  nothing listens, `stream_broken` when the connection breaks. */
  request(method: ApiMethod, path: string, body?: Json, headers?: Headers): Promise<ApiAnswer>
  /** A streamed POST: the `data:` payloads of its events, without the closing `[DONE]`. An answer
   *  that is no event stream arrives as one payload: its body. Rejects as `request` does, and with
   *  `stream_broken` when the connection ends before `[DONE]`. */
  stream(
    path: string,
    body: Json,
    more?: { readonly signal?: AbortSignal; readonly headers?: Headers },
  ): AsyncIterable<string>
  /** The body of a GET, piece by piece as it comes; an answer whose status is not 200, whole. Rejects,
   *  also between pieces, as `request` does. */
  download(path: string): Promise<ApiAnswer | AsyncIterable<Uint8Array>>
}

export type ApiMethod = 'GET' | 'POST' | 'DELETE'

export interface ApiAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON. Throws a `Fault` (`internal`) when it is none. */
  json(): Json
}
