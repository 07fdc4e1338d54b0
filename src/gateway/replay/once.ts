import { type Clock, sleep } from '../../base/clock.ts'
import { type Problem, reasonOf, refuse, type Refusal, toProblem } from '../../base/errors.ts'
import type { Reply } from '../../base/http.ts'
import type { Log } from '../../base/log.ts'
import type { Rows } from '../../store/rows.ts'
import { Claim, claim } from './claim.ts'
import { type AnswerId, digestOf, type KeptAnswer, KeptAnswers } from './kept-answers.ts'
import { SharedAnswer } from './shared-answer.ts'

/** What is asked again with the same Idempotency-Key is answered once: whoever comes while it runs
 *  follows it, whoever comes later is told the same (draft-ietf-httpapi-idempotency-key-header).
 *
 *  Within a process the flights decide who runs; between processes a claim (`claim.ts`).
 *  An answer is kept before its end leaves, if the store takes it. */

/** How often another process is asked whether it has finished, and how long at most. */
const POLL_MS = 50
const WAIT_MS_MAX = 60_000
const KEY_UNITS_MAX = 255

/** Refusals that say nothing about the moment. */
const KEPT_STATUS: ReadonlySet<number> = new Set([200, 400, 413, 422])

/** How an answer ended: said to its end, or not. */
export type Ending = 'complete' | 'broken'

export interface OnceDependencies {
  readonly clock: Clock
  readonly rows: Rows
  readonly log: Log
  /** The name of this process among those that share the store. */
  readonly node: string
}

export interface OnceRequest {
  /** Whose keys are meant. */
  readonly scope: string
  readonly key: string
  /** What is asked: path and body. */
  readonly fingerprint: string
  readonly stallMs: number
  /** Says a problem to one caller. */
  readonly say: (reply: Reply, problem: Problem) => void
}

interface Flight {
  readonly fingerprint: string
  readonly shared: SharedAnswer
  /** It is known that nothing is kept, and the call is being made. */
  begun: boolean
  readonly over: Promise<void>
}

/** The header, fit to be a name; undefined without one. */
export function readIdempotencyKey(value: string | undefined): string | undefined | Refusal {
  if (value === undefined) return undefined
  if (value !== '' && value.length <= KEY_UNITS_MAX && /^[\x20-\x7e]+$/.test(value)) return value
  return refuse('field_invalid', {
    field: 'Idempotency-Key',
    problem: `must be 1 to ${KEY_UNITS_MAX} printable ASCII characters`,
    remedy: 'Send a UUID for each thing to be done once.',
  })
}

export const fingerprintOf = (path: string, body: Uint8Array): string => digestOf(path, body)

export class Once {
  readonly #dependencies: OnceDependencies
  readonly #kept: KeptAnswers
  readonly #flights = new Map<string, Flight>()

  constructor(dependencies: OnceDependencies) {
    this.#dependencies = dependencies
    this.#kept = new KeptAnswers(dependencies.rows, dependencies.clock)
  }

  /** Answers; `run` is called by at most one of those who ask at the same time. Resolves when nothing
   *  of this caller's is left. */
  async answer(request: OnceRequest, reply: Reply, run: (reply: Reply) => Promise<Ending>): Promise<void> {
    const id = { scope: request.scope, digest: digestOf(request.key) }
    const name = `${id.scope}/${id.digest}`
    for (;;) {
      const flight = this.#flights.get(name)
      if (flight === undefined) return this.#begin(name, id, request, reply, run)
      const { shared, fingerprint } = flight
      if (fingerprint === request.fingerprint && shared.isOpen) return shared.join(reply, true)
      if (flight.begun && fingerprint !== request.fingerprint)
        return request.say(reply, refuse('idempotency_key_reused', {}))
      if (shared.isTooLarge && !shared.isDeserted) return request.say(reply, refuse('idempotency_key_busy', {}))
      await flight.over
    }
  }

  /** Nobody will ask for these again. */
  forget(scope: string, keys: readonly string[]): Promise<void> {
    return this.#kept.forget(keys.map((key) => ({ scope, digest: digestOf(key) })))
  }

  async #begin(
    name: string,
    id: AnswerId,
    request: OnceRequest,
    reply: Reply,
    run: (reply: Reply) => Promise<Ending>,
  ): Promise<void> {
    const { clock } = this.#dependencies
    const shared = new SharedAnswer({ clock, stallMs: request.stallMs })
    let done = (): void => {}
    const over = new Promise<void>((resolve) => (done = resolve))
    const flight: Flight = { fingerprint: request.fingerprint, shared, begun: false, over }
    this.#flights.set(name, flight)
    const read = shared.join(reply, false)
    try {
      await this.#fly(id, request, flight, run)
    } catch (thrown) {
      shared.fail(toProblem(thrown), request.say)
    } finally {
      this.#flights.delete(name)
      done()
    }
    await read
    await this.#kept.sweep().catch((cause: unknown) => this.#grumble('old answers could not be cleared away', cause))
  }

  async #fly(
    id: AnswerId,
    request: OnceRequest,
    flight: Flight,
    run: (reply: Reply) => Promise<Ending>,
  ): Promise<void> {
    const { shared, fingerprint } = flight
    const found = await this.#found(id, shared)
    if (found === undefined) return
    if (!(found instanceof Claim)) {
      if ('code' in found || found.fingerprint !== fingerprint)
        return shared.fail('code' in found ? found : refuse('idempotency_key_reused', {}), request.say)
      return replay(found, shared)
    }
    flight.begun = true
    try {
      const ending = await run(shared)
      const { whole } = shared
      // Where the store does not take it, who has it need not ask again, and who must is called for anew.
      if (ending === 'complete' && whole !== undefined && KEPT_STATUS.has(whole.status))
        await this.#kept
          .keep(id, fingerprint, whole)
          .catch((cause: unknown) => this.#grumble('an answer could not be kept under its Idempotency-Key', cause))
      shared.release()
    } finally {
      await found.release()
    }
  }

  /** What is kept, the right to make it, or why neither is to be had; undefined when all have left. */
  async #found(id: AnswerId, shared: SharedAnswer): Promise<KeptAnswer | Claim | Refusal | undefined> {
    const { clock } = this.#dependencies
    const untilMs = clock.monotonicMs() + WAIT_MS_MAX
    const stop = new AbortController()
    shared.onGone(() => stop.abort())
    for (;;) {
      const held = await claim(this.#dependencies, id)
      const kept = await this.#kept.read(id).catch(async (cause: unknown) => {
        await held?.release()
        throw cause
      })
      if (kept === undefined && held !== undefined && !shared.isDeserted) return held
      await held?.release()
      if (shared.isDeserted) return undefined
      if (kept !== undefined) return kept
      if (clock.monotonicMs() >= untilMs) return refuse('idempotency_key_busy', {})
      await sleep(clock, POLL_MS, stop.signal)
    }
  }

  #grumble(message: string, cause: unknown): void {
    this.#dependencies.log.write('warn', message, { reason: reasonOf(cause) })
  }
}

/** As it was said the first time, to everybody. */
function replay({ status, headers, encoding, body }: KeptAnswer, shared: SharedAnswer): void {
  shared.head(status, { ...headers, 'idempotent-replayed': 'true' })
  shared.end(encoding === 'utf8' ? body : Buffer.from(body, encoding))
  shared.release()
}
