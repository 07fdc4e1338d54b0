import { hash } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { refuse, type Refusal } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import type { JsonObject } from '../../base/json.ts'
import type { Random } from '../../base/random.ts'
import { type Change, type Key, put, remove, type Rows, SCAN_MAX, type Stored, table } from '../../store/rows.ts'

/** What somebody should look at. Of one matter there is one open alert: raised once, told of again
 *  only when it takes another step, closed when it is over. Every change leaves a message in the
 *  same commit, for whoever passes messages on. */

export type AlertKind =
  | 'usage_anomaly'
  | 'budget_warning'
  | 'budget_forecast'
  | 'recall_low'
  | 'drift'
  | 'objective_burn'

export const ALERT_KINDS: readonly AlertKind[] = [
  'usage_anomaly',
  'budget_warning',
  'budget_forecast',
  'recall_low',
  'drift',
  'objective_burn',
]

export interface AlertInput {
  readonly kind: AlertKind
  /** Whom or what it is about: `{ prompt: "summary" }`, `{ budget: "...", user: "ann" }`. */
  readonly subject: { readonly [name: string]: string }
  /** Figures with their n, as the API shows them. */
  readonly evidence: JsonObject
  /** Names the matter: while an alert of that key is open there is no second one. */
  readonly key: string
  /** How far it has come, such as `0.8`: an open alert is told of again when this changes. */
  readonly step?: string
}

export interface Alert extends AlertInput {
  readonly id: string
  readonly raisedAtMs: number
  readonly changedAtMs: number
  /** How often it was raised or took another step. */
  readonly times: number
  readonly acknowledged?: { readonly atMs: number; readonly by: string }
  readonly closed?: { readonly atMs: number; readonly because: string }
}

/** A change of an alert that is to be passed on, in the manner of Standard Webhooks. */
export interface Message {
  readonly id: string
  readonly type: 'alert.raised' | 'alert.changed' | 'alert.closed'
  readonly atMs: number
  readonly alert: Alert
}

const ALERTS = table<Alert>('alerts')
const OPEN = table<{ readonly id: string }>('alerts.open')
/** Messages that wait to be passed on. */
export const OUTBOX = table<Message>('alerts.outbox')

/** Alerts that are kept; of more, the oldest that are closed are forgotten. */
const KEPT_MAX = SCAN_MAX
/** Somebody else changed the same alert; each time one of us wins. */
const ATTEMPTS_MAX = 100

export interface AlertsDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly rows: Rows
}

export class Alerts {
  readonly #dependencies: AlertsDependencies

  constructor(dependencies: AlertsDependencies) {
    this.#dependencies = dependencies
  }

  /** Changes to be committed together with something else. */
  draft(): AlertDraft {
    return new AlertDraft(this.#dependencies)
  }

  /** Raises an alert, or takes an open one a step further. Durable when resolved. */
  async raise(input: AlertInput): Promise<void> {
    await this.#commit((draft) => draft.raise(input))
  }

  /** Closes the open alert of a key, where there is one. */
  async close(key: string, because: string): Promise<void> {
    await this.#commit((draft) => draft.close(key, because))
  }

  /** `not_found`. A second time changes nothing. */
  async acknowledge(id: string, by: string): Promise<Alert | Refusal> {
    const { rows, clock } = this.#dependencies
    for (;;) {
      const stored = await rows.get(ALERTS, [id])
      if (stored === undefined) return refuse('not_found', { what: 'alert', id })
      if (stored.row.acknowledged !== undefined) return stored.row
      const row: Alert = { ...stored.row, acknowledged: { atMs: clock.wallMs(), by } }
      if (await rows.commit([put(ALERTS, [id], row, stored.version)])) return row
    }
  }

  /** Newest first, before `before`. */
  async list(options: {
    readonly limit: number
    readonly before?: string
    readonly fits: (alert: Alert) => boolean
  }): Promise<{ readonly alerts: Alert[]; readonly next?: string }> {
    const { limit, before, fits } = options
    const after = before === undefined ? {} : { after: [before] }
    const page = await this.#dependencies.rows.scan(ALERTS, { limit: SCAN_MAX, reverse: true, ...after })
    const alerts = page.map(({ row }) => row).filter(fits)
    const last = alerts[limit - 1]
    return alerts.length > limit && last !== undefined ? { alerts: alerts.slice(0, limit), next: last.id } : { alerts }
  }

  /** Forgets the oldest closed alerts beyond `KEPT_MAX`. */
  async prune(): Promise<void> {
    const { rows } = this.#dependencies
    const newest = await rows.scan(ALERTS, { limit: KEPT_MAX, reverse: true })
    const last = newest.at(-1)
    if (newest.length < KEPT_MAX || last === undefined) return
    const older = await rows.scan(ALERTS, { limit: SCAN_MAX, reverse: true, after: last.key })
    await rows.commit(
      older.filter(({ row }) => row.closed !== undefined).map(({ key, version }) => remove(ALERTS, key, version)),
    )
  }

  async #commit(change: (draft: AlertDraft) => Promise<void>): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const draft = this.draft()
      await change(draft)
      if (await this.#dependencies.rows.commit(draft.changes())) return
    }
  }
}

/** Several changes of alerts, each of which sees those before it, as one part of a commit. */
export class AlertDraft {
  readonly #dependencies: AlertsDependencies
  /** By key: what is stored, and what it comes to. */
  readonly #read = new Map<string, { readonly open: Stored<{ id: string }> | undefined; readonly version: number }>()
  readonly #now = new Map<string, Alert | undefined>()
  readonly #closed: Alert[] = []
  readonly #messages: Message[] = []

  constructor(dependencies: AlertsDependencies) {
    this.#dependencies = dependencies
  }

  async raise(input: AlertInput): Promise<void> {
    const { clock, random } = this.#dependencies
    const atMs = clock.wallMs()
    const open = await this.#openAlert(input.key)
    if (open === undefined) {
      const id = newId('alr', clock, random)
      return this.#put('alert.raised', { ...input, id, raisedAtMs: atMs, changedAtMs: atMs, times: 1 })
    }
    if (open.step === input.step) return
    // Whoever had seen it has not seen this.
    const { acknowledged: _, ...seen } = open
    this.#put('alert.changed', { ...seen, ...input, changedAtMs: atMs, times: open.times + 1 })
  }

  async close(key: string, because: string): Promise<void> {
    const open = await this.#openAlert(key)
    if (open === undefined) return
    const atMs = this.#dependencies.clock.wallMs()
    this.#put('alert.closed', { ...open, changedAtMs: atMs, closed: { atMs, because } })
  }

  changes(): Change[] {
    const changes: Change[] = this.#closed.map((alert) => {
      const read = this.#read.get(alert.key)
      return put(ALERTS, [alert.id], alert, read?.open?.row.id === alert.id ? read.version : 0)
    })
    for (const [key, { open, version }] of this.#read) {
      const now = this.#now.get(key)
      if (now !== undefined) changes.push(put(ALERTS, [now.id], now, open?.row.id === now.id ? version : 0))
      if (now === undefined && open !== undefined) changes.push(remove(OPEN, openKey(key), open.version))
      if (now !== undefined && open?.row.id !== now.id)
        changes.push(put(OPEN, openKey(key), { id: now.id }, open?.version ?? 0))
    }
    changes.push(...this.#messages.map((message) => put(OUTBOX, [message.id], message)))
    return changes
  }

  #put(type: Message['type'], alert: Alert): void {
    const { clock, random } = this.#dependencies
    this.#now.set(alert.key, alert.closed === undefined ? alert : undefined)
    if (alert.closed !== undefined) this.#closed.push(alert)
    this.#messages.push({ id: newId('msg', clock, random), type, atMs: alert.changedAtMs, alert })
  }

  async #openAlert(key: string): Promise<Alert | undefined> {
    if (this.#read.has(key)) return this.#now.get(key)
    const { rows } = this.#dependencies
    const open = await rows.get(OPEN, openKey(key))
    const stored = open === undefined ? undefined : await rows.get(ALERTS, [open.row.id])
    this.#read.set(key, { open, version: stored?.version ?? 0 })
    this.#now.set(key, stored?.row)
    return stored?.row
  }
}

/** What a receiver gets: `type`, `timestamp` and `data`, as Standard Webhooks has them. */
export const messageJson = ({ type, atMs, alert }: Message): JsonObject => ({
  type,
  timestamp: new Date(atMs).toISOString(),
  data: alertJson(alert),
})

/** An alert as the API and webhooks show it. */
export const alertJson = (alert: Alert): JsonObject => ({
  id: alert.id,
  kind: alert.kind,
  subject: alert.subject,
  step: alert.step ?? null,
  evidence: alert.evidence,
  state: alert.closed === undefined ? 'open' : 'closed',
  raisedAt: new Date(alert.raisedAtMs).toISOString(),
  changedAt: new Date(alert.changedAtMs).toISOString(),
  times: alert.times,
  acknowledged:
    alert.acknowledged === undefined
      ? null
      : { at: new Date(alert.acknowledged.atMs).toISOString(), by: alert.acknowledged.by },
  closed:
    alert.closed === undefined
      ? null
      : { at: new Date(alert.closed.atMs).toISOString(), because: alert.closed.because },
})

/** A matter's name may be of any length. */
const openKey = (key: string): Key => [hash('sha256', key, 'base64url')]
