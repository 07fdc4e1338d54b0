import type { Clock } from '../base/clock.ts'
import { type ErrorCode, type Problem, sentenceOf } from '../base/errors.ts'

/** A circuit breaker (Nygard, "Release It!", 2007) of one deployment and operation. Closed, calls pass. It opens
 *  when calls fail in a row, or too many of the last ones did, or when the engine names a time to
 *  come back; then none pass until that is over. Half-open, one call at a time tries: an answer
 *  closes the circuit, a failure opens it for longer.
 *
 *  Only what is the engine's fault counts. A request that it rejects was answered, and one whose
 *  caller left says nothing. */

/** Failures in a row that open it. */
const FAILURES_IN_A_ROW = 5
/** Ends of calls that are looked back at, and how many of them failed when it opens. */
const ENDS_REMEMBERED = 20
const FAILURES_REMEMBERED_MAX = 10
/** Calls that may try at the same time while it is half-open. */
const PROBES_MAX = 1
/** How long it stays open the first time; each failed probe doubles it. Load passes sooner than a
 *  server comes back. */
const PAUSE_MS = { unreachable: 5_000, overloaded: 1_000 } as const
const PAUSE_MS_MAX = 60_000
/** An engine that asks for more is tried again all the same. */
const RETRY_AFTER_MS_MAX = 300_000

export type CircuitState = 'closed' | 'open' | 'half_open'
export type Trouble = 'unreachable' | 'overloaded'

/** What became of a call: an answer, whatever it said; nothing that says anything of the engine; or
 *  what went wrong. */
export type Verdict = 'answered' | 'unknown' | Problem

const TROUBLE_OF: Partial<Record<ErrorCode, Trouble>> = {
  engine_unreachable: 'unreachable',
  engine_timeout: 'unreachable',
  engine_refused: 'unreachable',
  engine_garbled: 'unreachable',
  stream_broken: 'unreachable',
  engine_busy: 'overloaded',
}

/** Whether the engine answered, or failed; undefined where nothing is said of it. A request that is wrong
 *  was answered too. */
export function isAnswered(verdict: Verdict): boolean | undefined {
  if (verdict === 'unknown') return undefined
  if (verdict === 'answered' || verdict.code === 'engine_rejected') return true
  return TROUBLE_OF[verdict.code] === undefined ? undefined : false
}

/** Why no call passes. */
export interface Opened {
  readonly trouble: Trouble
  /** What the last failure said. */
  readonly reason: string
  /** Wall milliseconds: since then no call has succeeded. */
  readonly sinceMs: number
}

/** The leave to make one call. */
export interface Pass {
  readonly isProbe: boolean
  /** A verdict on what was before counts no more. */
  readonly epoch: number
}

export class Breaker {
  readonly #clock: Clock
  #opened: Opened | undefined
  /** In a row, without a success between them. */
  #openings = 0
  #openUntilMs = 0
  #probes = 0
  #epoch = 0
  /** One bit for each end of a call, the latest lowest: 1 failed. */
  #ends = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get state(): CircuitState {
    if (this.#opened === undefined) return 'closed'
    return this.#clock.monotonicMs() < this.#openUntilMs ? 'open' : 'half_open'
  }

  /** Undefined while it is closed. */
  get opened(): Opened | undefined {
    return this.#opened
  }

  /** Until a call may pass: 0 when one may now, or as soon as the probe under way is over. */
  get waitMs(): number {
    return this.#opened === undefined ? 0 : Math.max(0, this.#openUntilMs - this.#clock.monotonicMs())
  }

  /** Whether a call would pass now. */
  get admits(): boolean {
    const { state } = this
    return state === 'closed' || (state === 'half_open' && this.#probes < PROBES_MAX)
  }

  /** Undefined when no call may pass. Each pass is to be given back by `leave`, once. */
  enter(): Pass | undefined {
    if (!this.admits) return undefined
    const isProbe = this.#opened !== undefined
    if (isProbe) this.#probes++
    return { isProbe, epoch: this.#epoch }
  }

  /** The probe has begun to answer: others need not wait for its end. */
  spoke({ isProbe, epoch }: Pass): void {
    if (isProbe && epoch === this.#epoch) this.#close()
  }

  leave({ isProbe, epoch }: Pass, verdict: Verdict): void {
    if (epoch !== this.#epoch) return
    if (isProbe) this.#probes--
    if (verdict === 'unknown') return
    if (verdict === 'answered' || isAnswered(verdict) === true) return this.#succeeded(isProbe)
    const trouble = TROUBLE_OF[verdict.code]
    if (trouble === undefined) return
    this.#ends = this.#remember(1)
    const askedMs = retryAfterMsOf(verdict)
    if (isProbe || askedMs > 0 || this.#hasFailedOften()) this.#open(trouble, verdict, askedMs)
  }

  #succeeded(isProbe: boolean): void {
    this.#ends = this.#remember(0)
    if (isProbe) this.#close()
  }

  #remember(failed: 0 | 1): number {
    return ((this.#ends << 1) | failed) & (2 ** ENDS_REMEMBERED - 1)
  }

  #hasFailedOften(): boolean {
    const inARow = 2 ** FAILURES_IN_A_ROW - 1
    if ((this.#ends & inARow) === inARow) return true
    let failures = 0
    for (let ends = this.#ends; ends > 0; ends >>>= 1) failures += ends & 1
    return failures >= FAILURES_REMEMBERED_MAX
  }

  #open(trouble: Trouble, problem: Problem, askedMs: number): void {
    const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS[trouble] * 2 ** this.#openings++)
    this.#opened = { trouble, reason: sentenceOf(problem), sinceMs: this.#opened?.sinceMs ?? this.#clock.wallMs() }
    this.#openUntilMs = this.#clock.monotonicMs() + (askedMs > 0 ? Math.min(askedMs, RETRY_AFTER_MS_MAX) : pauseMs)
    this.#turn()
  }

  #close(): void {
    this.#opened = undefined
    this.#openings = 0
    this.#turn()
  }

  #turn(): void {
    this.#epoch++
    this.#probes = 0
    this.#ends = 0
  }
}

/** How long the engine, or the circuit before it, asks to be left alone; 0 where nobody says. */
export function retryAfterMsOf({ details }: Problem): number {
  const { retryAfterMs } = details
  return typeof retryAfterMs === 'number' && Number.isFinite(retryAfterMs) ? Math.max(0, retryAfterMs) : 0
}
