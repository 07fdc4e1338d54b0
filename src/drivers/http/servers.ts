import type { Listener, ListenerOptions } from './listener.ts'
import { LlhttpListener } from './llhttp-server.ts'
import { NodeHttpListener } from './server.ts'

/** A server by its name in the configuration. */

/** @param bodyTimeoutMs For headers and body to arrive; a slow sender holds a connection no longer. */
export const openListener = (
  server: 'llhttp' | 'node',
  bodyTimeoutMs: number,
  options: ListenerOptions = {},
): Listener =>
  server === 'node' ? new NodeHttpListener(bodyTimeoutMs, options) : new LlhttpListener(bodyTimeoutMs, options)
