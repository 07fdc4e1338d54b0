import type { Clock, Timer } from '../../base/clock.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { Random } from '../../base/random.ts'
import type { Entry, Events } from '../../store/events.ts'
import { type Change, getAll, type Key, put, remove, type Rows, scanAll, type Stored, table } from '../../store/rows.ts'
import type { AlertDraft, Alerts } from '../alerts/alerts.ts'
import { TOKEN_BUCKETS, totalTokens } from '../usage.ts'
import { type Evidence, type Figures, observe, UNWATCHED, type Verdict, type Watched } from './detector.ts'
import type { Ratio } from './history.ts'

/** Follows the journal and raises an alert where the tokens or the cost of a request of a prompt, a
 *  user or a workflow are no longer what they were. Like the usage book it keeps its place together
 *  with what it knows and with the alerts it raises: each request is looked at exactly once.
 *
 *  The threshold grows with the number of tests: of all subjects and measures together there are, on
 *  average, at most `FALSE_ALARMS_PER_DAY` false alarms a day. */

const SUBJECT_KINDS = ['prompt', 'user', 'workflow'] as const
const MEASURES = ['tokens', 'costNanoUsd'] as const
type Measure = (typeof MEASURES)[number]

type SubjectRow = { readonly [Name in Measure]: Watched } & { readonly seenMs: number }

interface StateRow {
  readonly position: number
  readonly subjects: number
  /** Tests of the last days, the older the less they count, as of `testsAtMs`. */
  readonly tests: number
  readonly testsAtMs: number
}

/** Keyed by [kind, name]. */
const SUBJECTS = table<SubjectRow>('anomaly.subjects')
const STATE = table<StateRow>('anomaly.state')
const STATE_KEY: Key = ['journal']
const BEGINNING: StateRow = { position: 0, subjects: 0, tests: 0, testsAtMs: 0 }

/** Subjects that are known at a time. Beyond, the tenth that was not seen for the longest is
 *  forgotten: should one come back, its history begins anew. */
const SUBJECTS_MAX = 10_000
const FORGOTTEN_SHARE = 0.1

const FALSE_ALARMS_PER_DAY = 0.05
/** However few tests there are: at most one false alarm in so many. */
const TESTS_PER_ALARM_MIN = 100_000
const DAY_MS = 86_400_000
/** Over which tests are counted. */
const TESTS_DAYS = 7

/** Entries looked at in one commit: a few milliseconds. */
const BATCH_ENTRIES = 200
const ATTEMPTS_MAX = 100
const KEEP_UP_MS = 15_000

export interface AnomalyWatchDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly rows: Rows
  readonly events: Events
  readonly alerts: Alerts
}

export class AnomalyWatch {
  readonly #dependencies: AnomalyWatchDependencies
  #timer: Timer | undefined
  #following: Promise<void> | undefined
  #stopped = false

  constructor(dependencies: AnomalyWatchDependencies) {
    this.#dependencies = dependencies
  }

  /** Looks at what comes, now and then. A store that refuses is asked again next time. */
  keepUp(): void {
    this.#timer = this.#dependencies.clock.after(KEEP_UP_MS, () => {
      void this.catchUp()
        .then(() => this.#dependencies.alerts.prune())
        .catch(() => {})
        .then(() => !this.#stopped && this.keepUp())
    })
  }

  /** Ends `keepUp`; resolves when nothing of it runs. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.#following?.catch(() => {})
  }

  /** Looks at all that the journal has by now. Rejects with a `Fault` of the store. */
  catchUp(): Promise<void> {
    this.#following ??= this.#follow().finally(() => (this.#following = undefined))
    return this.#following
  }

  async #follow(): Promise<void> {
    const { rows, events, alerts } = this.#dependencies
    for (let lost = 0; lost < ATTEMPTS_MAX && !this.#stopped;) {
      const stored = await rows.get(STATE, STATE_KEY)
      const state = stored?.row ?? BEGINNING
      const { entries, position } = await events.follow(state.position, BATCH_ENTRIES)
      if (position === state.position) return
      const seen = entries.flatMap(seenIn)
      const last = entries.at(-1)
      const tests = testsBy(state, last?.atMs ?? 0)
      const draft = alerts.draft()
      const subjects = await this.#look(seen, tests, draft)
      const fresh = subjects.filter(({ version }) => version === 0).length
      const changes: Change[] = subjects.map(({ key, row, version }) => put(SUBJECTS, key, row, version))
      let count = state.subjects + fresh
      if (count > SUBJECTS_MAX) {
        const forgotten = await this.#forgotten(new Set(subjects.map(({ key }) => key.join('\0'))), draft)
        changes.push(...forgotten)
        count -= forgotten.length
      }
      const next: StateRow = {
        position,
        subjects: count,
        tests: tests + seen.length,
        testsAtMs: Math.max(state.testsAtMs, last?.atMs ?? 0),
      }
      changes.push(put(STATE, STATE_KEY, next, stored?.version ?? 0), ...draft.changes())
      if (!(await rows.commit(changes))) lost++
    }
  }

  /** What the subjects come to. */
  async #look(seen: readonly Seen[], tests: number, draft: AlertDraft): Promise<Stored<SubjectRow>[]> {
    const { rows, random } = this.#dependencies
    const keys = [...new Map(seen.map(({ subject }) => [subject.join('\0'), subject])).values()]
    const stored = await getAll(rows, SUBJECTS, keys)
    const subjects = new Map(
      keys.map((key, i) => [
        key.join('\0'),
        stored[i] ?? { key, version: 0, row: { seenMs: 0, tokens: UNWATCHED, costNanoUsd: UNWATCHED } },
      ]),
    )
    const threshold = Math.max(TESTS_PER_ALARM_MIN, tests / TESTS_DAYS / FALSE_ALARMS_PER_DAY)
    for (const { subject, measure, value, entry } of seen) {
      const known = subjects.get(subject.join('\0'))
      if (known === undefined) continue
      const observation = { value, atMs: entry.atMs, requestId: entry.id }
      const { watched, verdict } = observe(known.row[measure], observation, threshold, random)
      const row = { ...known.row, [measure]: watched, seenMs: Math.max(known.row.seenMs, entry.atMs) }
      subjects.set(subject.join('\0'), { ...known, row })
      if (verdict !== undefined) await tell(draft, subject, measure, verdict)
    }
    return [...subjects.values()]
  }

  /** Removes those that were not seen for the longest, but none that was seen just now. */
  async #forgotten(busy: ReadonlySet<string>, draft: AlertDraft): Promise<Change[]> {
    const idle: { readonly key: Key; readonly version: number; readonly row: SubjectRow }[] = []
    for await (const one of scanAll(this.#dependencies.rows, SUBJECTS))
      if (!busy.has(one.key.join('\0'))) idle.push(one)
    const oldest = idle.toSorted((a, b) => a.row.seenMs - b.row.seenMs).slice(0, SUBJECTS_MAX * FORGOTTEN_SHARE)
    for (const { key, row } of oldest) {
      for (const measure of MEASURES)
        if (row[measure].departure !== undefined)
          await draft.close(keyOf(key, measure), 'its subject is no longer seen')
    }
    return oldest.map(({ key, version }) => remove(SUBJECTS, key, version))
  }
}

/** One value of one subject. */
interface Seen {
  readonly subject: Key
  readonly measure: Measure
  readonly value: number
  readonly entry: Entry
}

/** Of requests that were answered: others end early, which says nothing of the prompt. */
function seenIn(entry: Entry): Seen[] {
  const { kind, body } = entry
  if (kind !== 'request' || body['outcome'] !== 'answered') return []
  const subjects = SUBJECT_KINDS.flatMap((name): Key[] => {
    const value = body[name]
    return typeof value === 'string' && value !== '' ? [[name, value]] : []
  })
  const measured = [
    { measure: 'tokens', value: tokensIn(body['usage']) },
    {
      measure: 'costNanoUsd',
      value: typeof body['costNanoUsd'] === 'string' ? Number(body['costNanoUsd']) : undefined,
    },
  ] as const
  return subjects.flatMap((subject) =>
    measured.flatMap(({ measure, value }) =>
      value === undefined || !Number.isFinite(value) ? [] : [{ subject, measure, value, entry }],
    ),
  )
}

function tokensIn(usage: Json | undefined): number | undefined {
  if (!isObject(usage)) return undefined
  const counts = TOKEN_BUCKETS.map((bucket) => [bucket, typeof usage[bucket] === 'number' ? usage[bucket] : 0])
  return totalTokens(Object.fromEntries(counts))
}

const testsBy = ({ tests, testsAtMs }: StateRow, atMs: number): number =>
  tests * Math.exp(-Math.max(0, atMs - testsAtMs) / (TESTS_DAYS * DAY_MS))

const keyOf = ([kind = '', name = '']: Key, measure: Measure): string =>
  JSON.stringify(['usage_anomaly', kind, name, measure])

async function tell(draft: AlertDraft, subject: Key, measure: Measure, verdict: Verdict): Promise<void> {
  const key = keyOf(subject, measure)
  if (verdict.is === 'returned') return draft.close(key, 'it is back to what it was')
  if (verdict.is === 'accepted') return draft.close(key, 'it has lasted so long that it counts as usual')
  const [kind = '', name = ''] = subject
  const evidence = evidenceJson(measure, verdict.evidence)
  await draft.raise({
    kind: 'usage_anomaly',
    subject: { [kind]: name },
    key,
    step: stepOf(verdict.evidence),
    evidence,
  })
}

/** Names how far it went, so that another distance is another step. */
const stepOf = ({ ratio, after }: Evidence): string =>
  `${ratio.p50.value === null ? 'from nothing' : `x${ratio.p50.value.toFixed(2)}`} after ${after.n}`

const evidenceJson = (measure: Measure, evidence: Evidence): JsonObject => {
  const { sinceMs, before, after, ratio, examples } = evidence
  return {
    measure: measure === 'tokens' ? 'tokensPerRequest' : 'costNanoUsdPerRequest',
    since: new Date(sinceMs).toISOString(),
    before: figuresJson(before),
    after: figuresJson(after),
    ratio: { p50: ratioJson(ratio.p50), p95: ratioJson(ratio.p95) },
    examples,
  }
}

/** Tokens and nano-USD are whole, ratios have three places. */
const figuresJson = ({ n, p50, p95 }: Figures): JsonObject => ({ n, p50: Math.round(p50), p95: Math.round(p95) })
const ratioJson = ({ value, low, high }: Ratio): JsonObject => ({
  value: thousandths(value),
  low: thousandths(low),
  high: thousandths(high),
})
const thousandths = (ratio: number | null): number | null => (ratio === null ? null : Math.round(ratio * 1000) / 1000)
