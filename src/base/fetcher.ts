import type { Refusal } from './errors.ts'
import type { Headers } from './http.ts'

/** Fetching what others name. The addresses of a house are not reached that way: only public ones are
 *  called, and hosts that the configuration allows. */
export interface Fetcher {
  /** GET, with redirects followed. Any status is an answer. Refused: `source_unreadable` where the URL,
   *  or one it leads to, may not be called; `document_too_large`. Rejects with a `Fault`
   *  (`source_unavailable`) where nothing answers. */
  get(url: string, options: FetchOptions): Promise<Fetched | Refusal>
  /** Why the host may not be called by another program, as far as names tell now. */
  check(host: string): Promise<Refusal | undefined>
}

export interface FetchOptions {
  readonly headers?: Headers
  /** Of the body, also once it is decompressed. */
  readonly bytesMax: number
  readonly signal: AbortSignal
  /** Asked before a redirect is followed. */
  readonly mayFollow?: (url: URL) => Promise<boolean>
}

export interface Fetched {
  /** Where the redirects led. */
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly bytes: Uint8Array
}
