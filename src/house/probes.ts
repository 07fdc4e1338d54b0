import { systemClock as clock } from '../base/clock.ts'
import type { ApiClient } from '../base/api.ts'
import { Refusal, sentenceOf } from '../base/errors.ts'
import { isObject, type Json } from '../base/json.ts'
import { Analyzer } from '../base/words.ts'
import type { GatewayHealth, Probes, StoreHealth } from '../cli/checks.ts'
import { folderHolder } from '../drivers/filesystem/lock.ts'
import { machineProbes } from '../drivers/machine/probes.ts'
import { openClient, openEngine } from './models.ts'

/** What `doctor` looks at, on the real machine. */

type Connect = () => Promise<ApiClient | Refusal>

export function houseProbes(root: string, connect: Connect): Probes {
  return {
    ...machineProbes(clock, root),
    lockHolder: async (data) => folderHolder(data),
    engines: ({ config, secrets }) =>
      Object.entries(config.engines).map(([name, engine]) => ({
        name,
        async models(timeoutMs) {
          const client = await openClient()
          try {
            return await (
              await openEngine(name, engine, secrets, { clock, analyzer: new Analyzer(), client: async () => client })
            ).models(timeoutMs)
          } finally {
            await client.close()
          }
        },
      })),
    gateways: async () => {
      const { gateways } = await statusOf(connect)
      return gateways.map(({ pid, ...rest }) => (pid === null ? rest : { pid, ...rest }))
    },
    store: () => storeHealth(connect),
  }
}

interface Status {
  readonly damage: readonly string[]
  readonly gateways: readonly (Omit<GatewayHealth, 'pid'> & { readonly pid: number | null })[]
}

async function statusOf(connect: Connect): Promise<Status> {
  return (await connected(connect)).request('GET', '/api/status').then((answer) => answer.json() as unknown as Status)
}

async function connected(connect: Connect): Promise<ApiClient> {
  const api = await connect()
  if (api instanceof Refusal) throw new Error(sentenceOf(api))
  return api
}

async function storeHealth(connect: Connect): Promise<StoreHealth> {
  const api = await connected(connect)
  const { collections } = (await api.request('GET', '/api/collections')).json() as {
    readonly collections: readonly Json[]
  }
  const { damage } = await statusOf(connect)
  const sum = (field: string): number =>
    collections.reduce((total: number, one) => total + (isObject(one) ? Number(one[field]) : 0), 0)
  return { collections: collections.length, documents: sum('documents'), chunks: sum('chunks'), damage }
}
