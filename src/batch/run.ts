import { type Clock, sleep } from '../base/clock.ts'
import { refuse, sentenceOf } from '../base/errors.ts'
import type { Handler } from '../base/http.ts'
import { newId } from '../base/ids.ts'
import type { JsonLimits } from '../base/json.ts'
import { type Random, uniform } from '../base/random.ts'
import type { Slots } from '../base/slots.ts'
import type { Principal } from '../guard/principal.ts'
import type { BatchRow } from './batch.ts'
import { type Answered, exchange } from './exchange.ts'
import { type Asked, readLine } from './input.ts'
import type { ResultLedger } from './ledger.ts'
import type { Line } from './lines.ts'
import { answeredResult, type Result, unansweredResult } from './result.ts'

/** Asks what the lines of one batch ask: through the path of every other request, on the account of the
 *  batch's key, behind everybody who waits. Each line has an Idempotency-Key of its own, so that one
 *  which a crash repeats is charged once where its answer was there. */

export interface RunDependencies {
  readonly clock: Clock
  readonly random: Random
  /** The key as it stands now; undefined when it has ended. */
  readonly principalOf: (key: string) => Principal | undefined
  readonly handleFor: (principal: Principal) => Handler
  /** Tells that the answers to these Idempotency-Keys need not be kept any more. */
  readonly forget: (scope: string, keys: readonly string[]) => Promise<void>
  /** Of all batches: requests in flight. */
  readonly slots: Slots
  readonly limits: () => JsonLimits
}

/** Of an engine that fails: it may be the line that is at fault. */
const FAILURES_MAX = 5
/** Between attempts, where nobody says otherwise. */
const PAUSE_MS = 1_000
const PAUSE_MS_MAX = 60_000

/** Statuses by which a request is told to come again; and `x-should-retry: false` that it need not. */
const TURNED_AWAY: ReadonlySet<number> = new Set([408, 409, 425, 429, 503])

export class Run {
  readonly #dependencies: RunDependencies
  readonly #batch: BatchRow
  readonly #ledger: ResultLedger
  /** Nothing more is begun. */
  readonly #halt: AbortSignal
  /** What is in flight is given up. */
  readonly #leave: AbortSignal

  constructor(
    dependencies: RunDependencies,
    batch: BatchRow,
    ledger: ResultLedger,
    { halt, leave }: { readonly halt: AbortSignal; readonly leave: AbortSignal },
  ) {
    this.#dependencies = dependencies
    this.#batch = batch
    this.#ledger = ledger
    this.#halt = halt
    this.#leave = leave
  }

  /** Resolves when all lines have results, or nothing is in flight after a halt. Rejects with the fault
   *  of the store that keeps the results, once nothing is in flight. */
  async go(lines: AsyncIterable<Line>): Promise<void> {
    const failed = new AbortController()
    const halt = AbortSignal.any([this.#halt, failed.signal])
    const inFlight = new Set<Promise<void>>()
    try {
      for await (const line of lines) {
        if (halt.aborted) break
        if (this.#ledger.has(line.number)) continue
        const giveBack = await this.#dependencies.slots.take(1, halt)
        if (giveBack === undefined) break
        const doing = this.#do(line, halt)
          .catch((thrown: unknown) => failed.abort(thrown))
          .finally(() => {
            giveBack()
            inFlight.delete(doing)
          })
        inFlight.add(doing)
      }
    } finally {
      await Promise.all(inFlight)
    }
    if (failed.signal.aborted) throw failed.signal.reason
  }

  async #do(line: Line, halt: AbortSignal): Promise<void> {
    const { limits, forget } = this.#dependencies
    const asked = readLine(line, this.#batch.endpoint, limits())
    const key = `batch:${this.#batch.id}:${line.number}`
    const result = await this.#result(asked, key, halt)
    if (result === undefined) return
    await this.#ledger.keep(line.number, result)
    await forget(this.#batch.key, [key]).catch(() => {}) // It goes by itself, later.
  }

  /** Undefined where it is not known, because of a halt. */
  async #result(
    asked: Asked | { code: string; message: string },
    key: string,
    halt: AbortSignal,
  ): Promise<Result | undefined> {
    const { clock, random } = this.#dependencies
    const id = newId('batch_req', clock, random)
    // The file was checked; limits may have been lowered since.
    if ('code' in asked) return unansweredResult(id, '', asked.code, asked.message)
    const { customId } = asked
    const body = Buffer.from(JSON.stringify(asked.body))
    for (let attempt = 1, failures = 0; ; attempt++) {
      const principal = this.#dependencies.principalOf(this.#batch.key)
      if (principal === undefined)
        return unansweredResult(id, customId, 'key_ended', sentenceOf(refuse('key_ended', { id: this.#batch.key })))
      const answer = await this.#ask(principal, key, body)
      if (answer === 'left') return undefined
      if (answer === 'too_large')
        return unansweredResult(id, customId, 'response_too_large', 'The answer is larger than what is kept of one.')
      if (answer !== 'broken' && !mayComeAgain(answer)) return answeredResult(id, customId, answer)
      const hint = answer === 'broken' ? undefined : pauseOf(answer)
      const isTurnedAway = answer !== 'broken' && (TURNED_AWAY.has(answer.status) || hint !== undefined)
      if (!isTurnedAway && ++failures >= FAILURES_MAX)
        return answer === 'broken'
          ? unansweredResult(id, customId, 'stream_broken', 'The answer broke off again and again.')
          : answeredResult(id, customId, answer)
      const backoffMs = Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** Math.min(attempt - 1, 6))
      await sleep(clock, Math.min(PAUSE_MS_MAX, hint ?? backoffMs) * (0.5 + uniform(random) / 2), halt)
      if (halt.aborted) return undefined
    }
  }

  #ask(principal: Principal, key: string, body: Uint8Array): ReturnType<typeof exchange> {
    const headers = { 'idempotency-key': key, 'x-headworks-priority': 'batch' }
    return exchange(this.#dependencies.handleFor(principal), { path: this.#batch.endpoint, headers, body }, this.#leave)
  }
}

/** Whether the same may be answered otherwise in a while. */
const mayComeAgain = ({ status, headers }: Answered): boolean =>
  headers['x-should-retry'] !== 'false' && (TURNED_AWAY.has(status) || status >= 500)

function pauseOf({ headers }: Answered): number | undefined {
  const ms = Number(headers['retry-after-ms'] ?? Number.NaN)
  return Number.isFinite(ms) && ms > 0 ? ms : undefined
}
