import type { Handler, Headers, HttpListener, HttpServer, Request } from '../../base/http.ts'
import type { Log } from '../../base/log.ts'
import type { CertificateFiles } from './certificate.ts'

export interface ListenerOptions {
  /** On every answer. */
  readonly headers?: Headers
  /** TLS, and nothing else, is spoken. */
  readonly tls?: CertificateFiles
  readonly log?: Log
  /** Of a socket's file; its owner's alone unless said. */
  readonly socketMode?: number
  /** What another process answers in our stead, and the socket it listens on. */
  readonly elsewhere?: { readonly isTheirs: (request: Request) => boolean; readonly socketPath: string }
}

export interface Listener extends HttpListener {
  /** @param peer Who is at the other end: of a socket file, its owner, unless others speak through
   *  it. */
  listen(address: string, handler: Handler, peer?: Request['peer']): Promise<HttpServer>
  /** Accepts on an address that another process has bound (`bindAddress`). */
  listenOn(handle: unknown, handler: Handler): Promise<HttpServer>
}
