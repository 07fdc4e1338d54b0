import { type Fault, fault, reasonOf } from '../../base/errors.ts'

/** What can be listened on: `host:port`, or the path of a socket, with `unix:` before it or not. */
export type Target =
  | { readonly path: string }
  | { readonly path?: undefined; readonly host: string; readonly port: number }

/** Throws a `Fault` (`address_invalid`). */
export function parseAddress(address: string): Target {
  if (/^(?:unix:)?\//.test(address)) return { path: address.replace('unix:', '') }
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:\s]+)):(\d{1,5})$/i.exec(address)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) throw fault('address_invalid', { address, reason: 'it is not host:port' })
  return { host: match[1] ?? match[2] ?? '', port }
}

export function listenFault(address: string, error: NodeJS.ErrnoException): Fault {
  if (error.code === 'EADDRINUSE') return fault('port_in_use', { address }, error)
  return fault('address_invalid', { address, reason: reasonOf(error) }, error)
}

export const addressText = ({ address, port, family }: { address: string; port: number; family: string }): string =>
  family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
