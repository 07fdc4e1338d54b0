import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json } from '../base/json.ts'
import type { SourceConfig } from '../config/schema.ts'
import type { Principal } from '../guard/principal.ts'
import { type Schedules, shownSchedule } from '../retrieval/ingest/schedules.ts'
import { sourceText, trustOf } from '../retrieval/sources.ts'
import { isStream } from '../retrieval/streams.ts'
import { administers, maySee, type OwnerOf, toAdministrators } from './access.ts'
import { type Answer, type Context, ok, type Route } from './router.ts'

/** What the routes need of the ingest: `retrieval/ingest` offers it. */
export interface IngestRuns {
  /** Starts reading a file, folder or source; resolves to the run's id once the run is durable. */
  start(collection: string, what: string | SourceConfig): Promise<string | Refusal>
  status(run: string): Promise<Json | undefined>
  /** Newest first; of all collections where none is named. */
  list(collection?: string): Promise<Json[]>
  dropCollection(collection: string): Promise<Refusal | undefined>
}

const PATH_UNITS_MAX = 4096

export interface IngestDependencies {
  readonly ownerOf: OwnerOf
  readonly ingest: IngestRuns
  /** Reads the configured sources of a collection again. */
  readonly again: (collection: string) => Promise<readonly string[] | Refusal>
  /** The configured sources of a collection. */
  readonly sourcesOf: (collection: string) => readonly SourceConfig[]
  /** When they are read again by themselves. */
  readonly schedules: Pick<Schedules, 'of'>
}

export function ingestRoutes(dependencies: IngestDependencies): Route[] {
  const { ingest, ownerOf } = dependencies
  return [
    {
      method: 'DELETE',
      path: '/api/collections/{collection}',
      summary: 'Removes a collection with everything in it.',
      role: 'admin',
      answer: toAdministrators(
        ownerOf,
        async (collection) => (await ingest.dropCollection(collection)) ?? ok({ collection, removed: true }),
      ),
    },
    {
      method: 'POST',
      path: '/api/collections/{collection}/ingest',
      ingests: true,
      summary:
        'Reads a file or folder of the server, {path}, or another source, {source}, into a collection; without either, its configured sources again. Answers with the run at once.',
      role: 'admin',
      answer: toAdministrators(ownerOf, (collection, context) => start(dependencies, collection, context)),
    },
    {
      method: 'GET',
      path: '/api/collections/{collection}/sources',
      summary:
        'The sources that the configuration names, without their secrets, how far each is trusted, and when it is read again.',
      role: 'admin',
      answer: toAdministrators(ownerOf, (collection) => sources(dependencies, collection)),
    },
    {
      method: 'GET',
      path: '/api/ingests',
      summary: 'The latest runs, newest first. `collection`.',
      role: 'admin',
      async answer({ query, principal }) {
        const runs = await ingest.list(query.get('collection') ?? undefined)
        return ok({ runs: runs.flatMap((run) => shownTo(principal, run, ownerOf) ?? []) })
      },
    },
    {
      method: 'GET',
      path: '/api/ingests/{run}',
      summary: 'How far a run is, what it skipped and why.',
      role: 'admin',
      async answer({ params, principal }) {
        const run = params['run'] ?? ''
        const found = await ingest.status(run)
        const status = found === undefined ? undefined : shownTo(principal, found, ownerOf)
        return status === undefined ? refuse('not_found', { what: 'ingest run', id: run }) : ok(status)
      },
    },
  ]
}

async function start(
  dependencies: IngestDependencies,
  collection: string,
  { body, principal }: Context,
): Promise<Answer | Refusal> {
  const { path, source } = isObject(body) ? body : {}
  // What the server can reach, others may have put there.
  if ((path !== undefined || source !== undefined) && principal?.bindings.tenant !== undefined)
    return refuse('not_allowed', { action: 'read what it names itself', role: 'admin that is bound to no tenant' })
  if (path === undefined) return await begin(dependencies, collection, source)
  if (typeof path !== 'string' || !path.startsWith('/') || path.length > PATH_UNITS_MAX || path.includes('\0'))
    return invalid('path', 'must be an absolute path on the machine Headworks runs on', 'Send {"path": "/srv/docs"}.')
  const run = await dependencies.ingest.start(collection, path)
  return run instanceof Refusal ? run : { status: 202, value: { run } }
}

async function sources({ schedules, sourcesOf }: IngestDependencies, collection: string): Promise<Answer> {
  const scheduled = await schedules.of(collection)
  return ok({
    sources: sourcesOf(collection).map((source) => {
      const name = sourceText(source)
      const schedule = scheduled.find((row) => row.source === name)
      return {
        kind: source.kind,
        name,
        trust: trustOf(source),
        schedule: schedule === undefined ? null : shownSchedule(schedule),
      }
    }),
  })
}

/** Names of documents only to who administers the collection: of others', a tenant learns the numbers. */
function shownTo(principal: Principal | undefined, run: Json, ownerOf: OwnerOf): Json | undefined {
  const collection = isObject(run) && typeof run['collection'] === 'string' ? run['collection'] : ''
  if (!isObject(run) || administers(principal, collection, ownerOf)) return run
  return maySee(principal, collection, ownerOf) ? { ...run, path: '', skipped: [], notes: [] } : undefined
}

async function begin(
  { ingest, again }: Pick<IngestDependencies, 'ingest' | 'again'>,
  collection: string,
  declared: Json | undefined,
): Promise<Answer | Refusal> {
  if (declared === undefined) {
    const runs = await again(collection)
    if (runs instanceof Refusal) return runs
    if (runs.length > 0) return { status: 202, value: { run: runs[0] ?? null, runs } }
    return invalid(
      'path',
      'is missing, and the configuration names no source of this collection',
      'Send {"path": "/srv/docs"}.',
    )
  }
  // Loaded here: the schema takes longer to load than the gateway to start.
  const { SOURCE, SOURCE_SECRETS } = await import('../config/sources.ts')
  const parsed = SOURCE.safeParse(declared)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const field = ['source', ...(issue?.path ?? [])].map(String).join('.')
    return invalid(field, `is not valid: ${issue?.message ?? ''}`, 'docs/configuration.md describes sources.')
  }
  const source = parsed.data as SourceConfig
  const secret = SOURCE_SECRETS.find((name) => name in source && !(name === 'url' && source.kind === 'sitemap'))
  if (secret !== undefined || isStream(source))
    return invalid('source', 'needs a secret, or listens for ever', 'Declare it in headworks.yaml.')
  const run = await ingest.start(collection, source)
  return run instanceof Refusal ? run : { status: 202, value: { run } }
}

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
