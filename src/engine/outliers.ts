import type { Clock } from '../base/clock.ts'
import type { Outcomes } from './outcomes.ts'
import type { Pace } from './pace.ts'

/** Ejection of outliers (Envoy's, with medians in place of means, since pools of models are small): who
 *  answers much less often than the others, or begins much later, is asked after them for a while. A
 *  circuit sees a deployment that is down; this sees one that is worse than its peers.
 *
 *  Where all are equally bad nobody is an outlier. */

/** How often the pool is looked at. */
const LOOK_MS = 1_000
/** Of fewer calls nothing is said. */
const CALLS_MIN = 20
/** Answered less often than the others by as much: five standard errors of 64 calls at 90 %. */
const FAILING_BY = 0.2
/** Begins so many times later than the others, and later by as much. */
const SLOW_TIMES = 3
const SLOW_BY_MS = 100
/** Each time in a row for longer. */
const EJECTION_MS = 30_000
const EJECTION_MS_MAX = 300_000

export type Oddity = 'failing' | 'slow'

/** A deployment, as far as it is compared. */
interface Member {
  readonly ejected: Oddity | undefined
  /** Its ejection is over. */
  readonly readmitted: boolean
  readonly outcomes: Pick<Outcomes, 'known' | 'answeredShare'>
  readonly pace: Pick<Pace, 'percentileMs'>
  eject(oddity: Oddity, forMs: number, forMsMax: number): void
  readmit(): void
}

/** The pool of one model. */
export class Outliers {
  readonly #clock: Clock
  readonly #members: readonly Member[]
  readonly #ejectedMax: number
  #lookMs = -Infinity

  /** `shareMax`: of the pool, that may be out at the same time; never all of it. */
  constructor(clock: Clock, members: readonly Member[], shareMax: number) {
    this.#clock = clock
    this.#members = members
    this.#ejectedMax = Math.min(members.length - 1, Math.floor(members.length * shareMax))
  }

  /** Before a request is routed. */
  look(): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#lookMs < LOOK_MS) return
    this.#lookMs = nowMs
    for (const member of this.#members) if (member.readmitted) member.readmit()
    const odd = this.#members.filter(({ ejected }) => ejected === undefined).flatMap((one) => this.#judge(one))
    // The worst first: there may be more than may be out.
    odd.sort((a, b) => b.badness - a.badness)
    const room = this.#ejectedMax - this.#members.filter(({ ejected }) => ejected !== undefined).length
    for (const { member, oddity } of odd.slice(0, Math.max(0, room))) member.eject(oddity, EJECTION_MS, EJECTION_MS_MAX)
  }

  #judge(member: Member): { member: Member; oddity: Oddity; badness: number }[] {
    const others = this.#members.filter((one) => one !== member && one.ejected === undefined)
    const shares = others
      .filter(({ outcomes }) => outcomes.known >= CALLS_MIN)
      .map(({ outcomes }) => outcomes.answeredShare)
    const lacking = (medianOf(shares) ?? 0) - member.outcomes.answeredShare
    if (member.outcomes.known >= CALLS_MIN && lacking > FAILING_BY)
      return [{ member, oddity: 'failing', badness: SLOW_TIMES + lacking }]
    const usualMs = medianOf(others.flatMap(({ pace }) => pace.percentileMs(0.5) ?? []))
    const ownMs = member.pace.percentileMs(0.5)
    if (usualMs === undefined || ownMs === undefined) return []
    const isSlow = ownMs > SLOW_TIMES * usualMs && ownMs - usualMs > SLOW_BY_MS
    return isSlow ? [{ member, oddity: 'slow', badness: SLOW_TIMES - usualMs / ownMs }] : []
  }
}

function medianOf(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)]
}
