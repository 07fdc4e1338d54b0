import { refuse } from '../base/errors.ts'
import { isObject } from '../base/json.ts'
import type { Audit } from '../guard/audit.ts'
import { ok, type Route } from './router.ts'

export interface CacheDependencies {
  /** Of a model, or of all; in all processes. Resolves with how many answers there were. */
  readonly purge: (model: string | undefined) => Promise<number>
  readonly audit: Audit
}

export function cacheRoutes({ purge, audit }: CacheDependencies): Route[] {
  return [
    {
      method: 'POST',
      path: '/api/cache/purge',
      summary: 'Forgets the cached answers of {model}, or of all models.',
      role: 'admin',
      async answer({ body, principal }) {
        const model = isObject(body) ? (body['model'] ?? undefined) : undefined
        if (model !== undefined && (typeof model !== 'string' || model === ''))
          return refuse('field_invalid', {
            field: 'model',
            problem: 'must be the name of a model',
            remedy: 'Leave it out to forget the answers of all of them.',
          })
        const act = { action: 'cache.purge', object: model ?? '*', details: {} }
        return ok({
          purged: await audit.record(
            principal,
            act,
            () => purge(model),
            (purged) => ({ purged }),
          ),
        })
      },
    },
  ]
}
