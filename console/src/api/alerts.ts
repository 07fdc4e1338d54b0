import type { Fetch } from './chat.ts'
import { get, post, read } from './exchange.ts'
import type { Result } from './problem.ts'
import { isRecord, listOf, numberOf, textOf, timeOf, type Json } from './shape.ts'

/** What somebody should look at. */

export interface Alert {
  readonly id: string
  readonly kind: string
  /** Whom or what it is about, by kind. */
  readonly subject: readonly (readonly [kind: string, name: string])[]
  readonly evidence: Json
  readonly raisedMs: number
  readonly changedMs: number
  readonly times: number
  readonly seenBy: string | undefined
}

export interface Alerts {
  readonly alerts: readonly Alert[]
  readonly hasMore: boolean
}

export interface AlertsApi {
  open(): Promise<Result<Alerts>>
  acknowledge(id: string): Promise<Result<unknown>>
}

export const openAlerts = (fetch: Fetch): AlertsApi => ({
  open: async () => read(await get(fetch, '/api/alerts?state=open'), 'list of alerts', readAlerts),
  acknowledge: async (id) =>
    read(await post(fetch, `/api/alerts/${encodeURIComponent(id)}/acknowledge`, {}), 'alert', isRecord),
})

function readAlerts(body: unknown): Alerts | undefined {
  if (!isRecord(body) || !Array.isArray(body['alerts'])) return undefined
  return { alerts: listOf(body['alerts'], readAlert), hasMore: textOf(body['next']) !== undefined }
}

function readAlert(value: unknown): Alert | undefined {
  const id = isRecord(value) ? textOf(value['id']) : undefined
  if (!isRecord(value) || id === undefined) return undefined
  const acknowledged = isRecord(value['acknowledged']) ? value['acknowledged'] : undefined
  const raisedMs = timeOf(value['raisedAt']) ?? 0
  return {
    id,
    kind: textOf(value['kind']) ?? '',
    subject: Object.entries(isRecord(value['subject']) ? value['subject'] : {}).flatMap(([kind, name]) =>
      typeof name === 'string' ? [[kind, name] as const] : [],
    ),
    evidence: isRecord(value['evidence']) ? value['evidence'] : {},
    raisedMs,
    changedMs: timeOf(value['changedAt']) ?? raisedMs,
    times: numberOf(value['times']) ?? 1,
    seenBy: acknowledged && (textOf(acknowledged['by']) ?? 'somebody'),
  }
}
