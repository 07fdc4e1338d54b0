import type { Clock, Timer } from '../../base/clock.ts'
import type { JsonObject } from '../../base/json.ts'
import type { Alerts } from '../alerts/alerts.ts'
import {
  budgetLeft,
  burnOf,
  type Events,
  RULES,
  type Severity,
  severityOf,
  type Timeline,
  TOLD_MINUTES,
} from './burn.ts'
import { MINUTE_MS, ObjectiveCounts, type CountsDependencies } from './counts.ts'
import type { Objective } from './objective.ts'

/** Keeps an eye on the objectives: an alert where the error budget of one is spent too fast, closed
 *  when it no longer is. Any number of processes may do so. */

const KEEP_UP_MS = 15_000
const FORGET_EVERY = 240
/** Open alerts looked at for objectives that are no more. */
const OPEN_MAX = 1_000

export interface ObjectiveWatchDependencies extends CountsDependencies {
  readonly alerts: Alerts
}

/** How an objective stands. */
export interface Standing {
  readonly objective: Objective
  /** In its window. */
  readonly events: Events
  /** Undefined where nothing happened in its window. */
  readonly budgetLeft: number | undefined
  readonly burns: readonly { readonly minutes: number; readonly burn: number; readonly events: Events }[]
  readonly severity: Severity | undefined
}

export class ObjectiveWatch {
  readonly counts: ObjectiveCounts
  readonly #dependencies: ObjectiveWatchDependencies
  readonly #clock: Clock
  #names = ''
  /** What this process raised: figures of a whole window are added up only when there is news. */
  readonly #told = new Map<string, Severity>()
  #rounds = 0
  #timer: Timer | undefined
  #looking: Promise<void> | undefined
  #stopped = false

  constructor(dependencies: ObjectiveWatchDependencies) {
    this.#dependencies = dependencies
    this.#clock = dependencies.clock
    this.counts = new ObjectiveCounts(dependencies)
  }

  /** Looks now and then. A store that refuses is asked again next time. */
  keepUp(): void {
    this.#timer = this.#clock.after(KEEP_UP_MS, () => {
      void this.look()
        .catch(() => {})
        .then(() => !this.#stopped && this.keepUp())
    })
  }

  /** Ends `keepUp`; resolves when nothing of it runs. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.#looking?.catch(() => {})
  }

  /** Counts, and raises and closes alerts. Rejects with a `Fault` of the store. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined))
    return this.#looking
  }

  /** How every objective stands, everything that is recorded by now included. */
  async standings(): Promise<Standing[]> {
    await this.counts.catchUp()
    const objectives = this.#dependencies.objectives()
    const lately = await this.counts.lately(objectives, TOLD_MINUTES)
    const sums = await this.counts.inWindow(objectives)
    return objectives.flatMap((objective) => {
      const timeline = lately.get(objective.name)
      return timeline === undefined ? [] : [this.#standing(objective, timeline, sums.get(objective.name))]
    })
  }

  async #look(): Promise<void> {
    const { objectives, alerts } = this.#dependencies
    const all = objectives()
    await this.#closeUnknown(all)
    if (all.length === 0) return
    await this.counts.catchUp()
    const lately = await this.counts.lately(all, TOLD_MINUTES)
    const minute = Math.floor(this.#clock.wallMs() / MINUTE_MS)
    const burning = new Map<Objective, Severity>()
    for (const objective of all) {
      const timeline = lately.get(objective.name)
      const severity = timeline && severityOf(timeline, minute, objective.share)
      if (severity === undefined) {
        this.#told.delete(objective.name)
        await alerts.close(keyOf(objective.name), 'the error budget is no longer spent too fast')
      } else if (this.#told.get(objective.name) !== severity) burning.set(objective, severity)
    }
    if (burning.size > 0) await this.#raise(burning, lately)
    if (this.#rounds++ % FORGET_EVERY === 0) await this.counts.forget()
  }

  async #raise(burning: ReadonlyMap<Objective, Severity>, lately: ReadonlyMap<string, Timeline>): Promise<void> {
    const sums = await this.counts.inWindow([...burning.keys()])
    for (const [objective, severity] of burning) {
      const timeline = lately.get(objective.name)
      if (timeline === undefined) continue
      const standing = this.#standing(objective, timeline, sums.get(objective.name))
      await this.#dependencies.alerts.raise({
        kind: 'objective_burn',
        subject: { objective: objective.name, ...matchOf(objective) },
        key: keyOf(objective.name),
        step: severity,
        evidence: evidenceOf(standing, severity, this.#clock.wallMs()),
      })
      this.#told.set(objective.name, severity)
    }
  }

  /** An objective that was taken out of the configuration keeps no alert open. */
  async #closeUnknown(all: readonly Objective[]): Promise<void> {
    const names = JSON.stringify(all.map(({ name }) => name))
    if (names === this.#names) return
    const { alerts } = this.#dependencies
    const known = new Set(all.map(({ name }) => keyOf(name)))
    const { alerts: open } = await alerts.list({
      limit: OPEN_MAX,
      fits: ({ kind, closed, key }) => kind === 'objective_burn' && closed === undefined && !known.has(key),
    })
    for (const { key } of open) await alerts.close(key, 'the objective is no longer configured')
    this.#told.clear()
    this.#names = names
  }

  #standing(objective: Objective, timeline: Timeline, events: Events = { good: 0, bad: 0 }): Standing {
    const { share } = objective
    const minute = Math.floor(this.#clock.wallMs() / MINUTE_MS)
    const windows = RULES.flatMap(({ longMinutes, shortMinutes }) => [shortMinutes, longMinutes])
    return {
      objective,
      events,
      budgetLeft: budgetLeft(events, share),
      burns: windows
        .toSorted((a, b) => a - b)
        .map((minutes) => {
          const last = timeline.last(minutes, minute)
          return { minutes, burn: burnOf(last, share), events: last }
        }),
      severity: severityOf(timeline, minute, share),
    }
  }
}

const keyOf = (name: string): string => JSON.stringify(['objective', name])

const matchOf = ({ match }: Objective): { readonly [name: string]: string } =>
  Object.fromEntries(Object.entries(match).filter((pair): pair is [string, string] => pair[1] !== undefined))

/** Figures as the API shows them. */
export const standingJson = ({ objective, events, budgetLeft: left, burns, severity }: Standing): JsonObject => ({
  name: objective.name,
  what: objective.what,
  limit: objective.what === 'errors' ? null : objective.limit,
  share: objective.share,
  windowDays: objective.windowDays,
  match: matchOf(objective),
  events: events.good + events.bad,
  bad: events.bad,
  goodShare: events.good + events.bad === 0 ? null : events.good / (events.good + events.bad),
  budgetLeft: left ?? null,
  burns: burns.map((one) => ({
    minutes: one.minutes,
    burn: one.burn,
    events: one.events.good + one.events.bad,
    bad: one.events.bad,
  })),
  burning: severity ?? null,
})

function evidenceOf(standing: Standing, severity: Severity, nowMs: number): JsonObject {
  const rule = RULES.find((one) => one.severity === severity) ?? RULES[0]
  return {
    ...standingJson(standing),
    rule: { burn: rule.burn, longMinutes: rule.longMinutes, shortMinutes: rule.shortMinutes },
    link: linkTo(standing.objective, nowMs - rule.longMinutes * MINUTE_MS, nowMs),
  }
}

const LINKED = ['model', 'workflow', 'user', 'tenant'] as const

/** Where the requests are that spent the budget: a query of the API, as far as its filters go. */
function linkTo({ what, limit, match }: Objective, fromMs: number, toMs: number): string {
  const collection = match.collection === undefined ? '' : `/${encodeURIComponent(match.collection)}`
  if (what === 'recall') return `/api/collections${collection}`
  const query = new URLSearchParams({ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() })
  if (what === 'errors') query.set('status', 'error')
  else if (what === 'cost') query.set('minUsd', String(limit / 1e9))
  else query.set('minMs', String(limit))
  for (const name of LINKED) {
    const wanted = match[name]
    if (wanted !== undefined) query.set(name, wanted)
  }
  return `/api/traces?${query.toString()}`
}
