import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { refuse } from '../base/errors.ts'
import { revealed } from '../config/references.ts'
import type { Config } from '../config/schema.ts'
import type { Secrets } from '../config/secret.ts'
import { openQuery } from '../retrieval/queries.ts'
import type { Sources } from '../retrieval/sources.ts'
import type { Streams } from '../retrieval/streams.ts'

/** Where documents come from, each kind loaded when it is first needed. */

export interface SourceParts {
  readonly data: string
  readonly clock: Clock
  readonly privateHosts: Config['ingest']['privateHosts']
  /** Those in force now. */
  readonly secrets: () => Secrets
  /** Of one document. */
  readonly bytesMax: number
}

export function openSources({
  data,
  clock,
  privateHosts,
  secrets,
  bytesMax,
}: SourceParts): Sources & { close(): Promise<void> } {
  const allowed = new Set(privateHosts.map((host) => host.toLowerCase()))
  const load = async () =>
    new (await import('../drivers/undici/fetcher.ts')).GuardedFetcher({ clock, privateHosts: allowed })
  let loaded: ReturnType<typeof load> | undefined
  const fetcher = () => (loaded ??= load())
  return {
    async open(spec, signal) {
      switch (spec.kind) {
        case 's3': {
          const options = { fetcher: await fetcher(), bytesMax, reveal: (text: string) => revealed(text, secrets()) }
          return (await import('../drivers/s3/sources.ts')).openS3(spec, options, signal)
        }
        case 'urls':
          return (await import('../drivers/web/sources.ts')).openUrls(spec, {
            fetcher: await fetcher(),
            clock,
            bytesMax,
          })
        case 'sitemap':
          return (await import('../drivers/web/sources.ts')).openSitemap(
            spec,
            { fetcher: await fetcher(), clock, bytesMax },
            signal,
          )
        case 'git': {
          const options = { folder: join(data, 'git'), fetcher: await fetcher(), bytesMax }
          return (await import('../drivers/git/sources.ts')).openGit(spec, options, signal)
        }
        case 'sqlite':
          return await openQuery(spec, (await import('../drivers/sqlite/query.ts')).openQueryFile(spec.path))
        case 'postgres': {
          const { openPostgres } = await import('../drivers/postgres/query.ts')
          return await openQuery(spec, await openPostgres(spec.name, revealed(spec.url, secrets())))
        }
        case 'nats':
        case 'kafka':
        case 'folder':
        case 'glob':
          return refuse('source_unreadable', { source: spec.kind, reason: 'it is not read as a whole' })
      }
    },
    async close() {
      await (await loaded)?.close()
    },
  }
}

export function openStreams(clock: Clock, secrets: () => Secrets): Streams {
  const reveal = (text: string): string => revealed(text, secrets())
  return {
    async open(spec) {
      if (spec.kind === 'nats') return (await import('../drivers/nats/streams.ts')).openNats(spec, { reveal })
      return (await import('../drivers/kafka/streams.ts')).openKafka(spec, { clock, reveal })
    },
  }
}
