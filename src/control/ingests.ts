import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json } from '../base/json.ts'
import { ok, type Route } from './router.ts'

/** What the routes need of the ingest: `retrieval/ingest` offers it. */
export interface IngestRuns {
  /** Starts reading a file or folder; resolves to the run's id once the run is durable. */
  start(collection: string, path: string): Promise<string | Refusal>
  status(run: string): Promise<Json | undefined>
  dropCollection(collection: string): Promise<Refusal | undefined>
}

const PATH_UNITS_MAX = 4096

export function ingestRoutes(ingest: IngestRuns): Route[] {
  return [
    {
      method: 'DELETE',
      path: '/api/collections/{collection}',
      summary: 'Removes a collection with everything in it.',
      role: 'admin',
      async answer({ params }) {
        const { collection = '' } = params
        return (await ingest.dropCollection(collection)) ?? ok({ collection, removed: true })
      },
    },
    {
      method: 'POST',
      path: '/api/collections/{collection}/ingest',
      summary: 'Reads a file or folder of the server into a collection: {path}. Answers with the run at once.',
      role: 'admin',
      async answer({ params, body }) {
        const path = isObject(body) ? body['path'] : undefined
        if (typeof path !== 'string' || !path.startsWith('/') || path.length > PATH_UNITS_MAX || path.includes('\0')) {
          return refuse('field_invalid', {
            field: 'path',
            problem: 'must be an absolute path on the machine Headworks runs on',
            remedy: 'Send {"path": "/srv/docs"}.',
          })
        }
        const run = await ingest.start(params['collection'] ?? '', path)
        return run instanceof Refusal ? run : { status: 202, value: { run } }
      },
    },
    {
      method: 'GET',
      path: '/api/ingests/{run}',
      summary: 'How far a run is, what it skipped and why.',
      role: 'admin',
      async answer({ params }) {
        const run = params['run'] ?? ''
        const status = await ingest.status(run)
        return status === undefined ? refuse('not_found', { what: 'ingest run', id: run }) : ok(status)
      },
    },
  ]
}
