import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { systemClock as clock } from '../base/clock.ts'
import { revealed } from '../config/references.ts'
import type { IndexConfig } from '../config/schema.ts'
import type { Secrets } from '../config/secret.ts'
import type { Vectors } from '../store/vectors.ts'

/** Where the vectors of large segments lie, as the processes that write and search them are told. */

export const VECTORS_VARIABLE = 'HEADWORKS_CHILD_VECTORS'

/** With the secrets in place of their references: for the environment of a child. */
export function vectorsFor(vectors: IndexConfig, secrets: Secrets, data: string): string {
  const reveal = (text: string): string => revealed(text, secrets)
  switch (vectors.kind) {
    case 'embedded':
      return JSON.stringify(vectors)
    case 'postgres':
      return JSON.stringify({ ...vectors, url: reveal(vectors.url) })
    case 'lancedb': {
      const uri = /^[a-z0-9]+:\/\//.test(vectors.uri) ? vectors.uri : join(data, vectors.uri)
      const storage = Object.entries(vectors.storage ?? {}).map(([name, value]) => [name, reveal(value)])
      return JSON.stringify({ ...vectors, uri, storage: Object.fromEntries(storage) as object })
    }
    case 'qdrant':
      return JSON.stringify({ ...vectors, ...(vectors.key === undefined ? {} : { key: reveal(vectors.key) }) })
  }
}

/** Undefined where they lie nowhere, so that all are compared: embedded, on a machine for which
 *  there is no zvec. */
export async function openVectors(
  told: string,
  folder: string,
  onDamage: (segment: string, reason: string) => void = () => {},
): Promise<Vectors | undefined> {
  const vectors = JSON.parse(told) as IndexConfig
  switch (vectors.kind) {
    case 'embedded': {
      const { loadZvec } = await import('../drivers/zvec/binding.ts')
      const { openZvecVectors } = await import('../drivers/zvec/vectors.ts')
      const threads = availableParallelism()
      const zvec = loadZvec(threads)
      return typeof zvec === 'string' ? undefined : openZvecVectors({ clock, folder, zvec, threads, onDamage })
    }
    case 'postgres':
      return new LateVectors(async () => (await import('../drivers/postgres/vectors.ts')).openPostgresVectors(vectors))
    case 'lancedb': {
      const { uri, storage = {} } = vectors
      return new LateVectors(async () =>
        (await import('../drivers/lancedb/vectors.ts')).openLanceVectors({ uri, storage }),
      )
    }
    case 'qdrant': {
      const { url, key, prefix } = vectors
      return new LateVectors(async () => {
        const { UndiciClient } = await import('../drivers/undici/client.ts')
        const { openQdrantVectors } = await import('../drivers/qdrant/vectors.ts')
        return openQdrantVectors({
          client: new UndiciClient(),
          clock,
          url,
          prefix,
          ...(key === undefined ? {} : { key }),
        })
      })
    }
  }
}

/** Opened when it is first needed and, where that fails, when it is needed next: a server that is
 *  down at our start is no reason not to start. */
export class LateVectors implements Vectors {
  readonly #open: () => Promise<Vectors>
  #vectors: Promise<Vectors> | undefined

  constructor(open: () => Promise<Vectors>) {
    this.#open = open
  }

  write: Vectors['write'] = async (segment, dimension) => (await this.#opened()).write(segment, dimension)
  open: Vectors['open'] = async (segment, target) => (await this.#opened()).open(segment, target)
  segments: Vectors['segments'] = async () => (await this.#opened()).segments()
  drop: Vectors['drop'] = async (segment) => (await this.#opened()).drop(segment)

  #opened(): Promise<Vectors> {
    this.#vectors ??= this.#open().catch((thrown: unknown) => {
      this.#vectors = undefined
      throw thrown
    })
    return this.#vectors
  }
}
