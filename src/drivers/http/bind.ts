import { lookup } from 'node:dns/promises'
import * as net from 'node:net'
import { getSystemErrorName } from 'node:util'
import { fault } from '../../base/errors.ts'
import { addressText, listenFault, parseAddress } from './address.ts'

/** A TCP address that this process binds and others accept on. Connections that nobody has
 *  accepted yet wait in it, whoever of the others dies. */
export interface BoundAddress {
  /** The address really bound, `host:port`. */
  readonly address: string
  /** To be handed to another process over Node's IPC, for `NodeHttpListener.listenOn`. */
  readonly handle: unknown
  close(): void
}

/** What Node's own `cluster` shares a port by. A `net.Server` cannot be bound without accepting,
 *  and whoever binds here must not accept. */
interface TcpHandle {
  getsockname(into: object): number
  close(): void
}

type CreateServerHandle = (host: string, port: number, family: 4 | 6) => TcpHandle | number

/** Rejects with a `Fault`: `port_in_use`, `address_invalid`. */
export async function bindAddress(address: string): Promise<BoundAddress> {
  const target = parseAddress(address)
  if (target.path !== undefined) throw fault('address_invalid', { address, reason: 'it is not host:port' })
  const create = (net as unknown as { readonly _createServerHandle?: CreateServerHandle })._createServerHandle
  if (create === undefined) throw fault('internal', { reason: 'this Node shares no port between processes' })
  const found = await lookup(target.host).catch((error: NodeJS.ErrnoException) => {
    throw listenFault(address, error)
  })
  const handle = create(found.address, target.port, found.family === 6 ? 6 : 4)
  if (typeof handle === 'number') throw listenFault(address, systemError(handle))
  const bound = {} as { address: string; port: number; family: string }
  // An address in use is told here: binding puts it off.
  const failed = handle.getsockname(bound)
  if (failed === 0) return { address: addressText(bound), handle, close: () => handle.close() }
  handle.close()
  throw listenFault(address, systemError(failed))
}

function systemError(errno: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(errno)
  return Object.assign(new Error(code), { code })
}
