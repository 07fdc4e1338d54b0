import type { JsonObject } from '../base/json.ts'
import { ok, openApi, type Route } from './router.ts'

export interface StatusDependencies {
  readonly version: string
  readonly startedAtMs: number
  readonly isReady: () => boolean
  /** What the process is doing now, and what is wrong with it. */
  readonly figures: () => Promise<JsonObject>
  /** The other routes, for the description. */
  readonly routes: readonly Route[]
}

/** `/healthz`, `/readyz`, `/api/status` and the description of the control plane. */
export function statusRoutes({ version, startedAtMs, isReady, figures, routes }: StatusDependencies): Route[] {
  const own: Route[] = [
    {
      method: 'GET',
      path: '/healthz',
      summary: 'The process runs.',
      role: 'anyone',
      answer: () => ok({ status: 'ok' }),
    },
    {
      method: 'GET',
      path: '/readyz',
      summary: '200 when requests are taken, 503 while starting or draining.',
      role: 'anyone',
      answer: () => ({ status: isReady() ? 200 : 503, value: { status: isReady() ? 'ready' : 'not ready' } }),
    },
    {
      method: 'GET',
      path: '/api/status',
      summary: 'Version, start, what is in flight, and how the deployments fare, as each gateway sees them.',
      role: 'user',
      answer: async () =>
        ok({ version, startedAt: new Date(startedAtMs).toISOString(), ready: isReady(), ...(await figures()) }),
    },
    {
      method: 'GET',
      path: '/api/openapi.json',
      summary: 'This description.',
      role: 'anyone',
      answer: () => ok(openApi([...own, ...routes], version)),
    },
  ]
  return own
}
