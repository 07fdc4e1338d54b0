import { hash } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import type { Headers } from '../../base/http.ts'
import { type Change, put, remove, type Rows, SCAN_MAX, scanAll, type Stored, table } from '../../store/rows.ts'
import type { WholeAnswer } from './shared-answer.ts'

/** Answers that are kept for whoever asks again with the same Idempotency-Key: rows, so that they
 *  survive a restart, bounded in time and bytes. */

/** As long as OpenAI and Stripe keep theirs. */
const KEPT_MS = 24 * 3_600_000
/** Of all answers together; beyond it the oldest go first. */
const KEPT_BYTES_MAX = 256 * 2 ** 20
/** Kept by one process before it clears away again: what they may be beyond `KEPT_BYTES_MAX`. */
const SWEEP_BYTES = 16 * 2 ** 20
const SWEEP_MS = 10 * 60_000
const REMOVALS_PER_COMMIT = 1_000

/** Whose answer: the key that asked, and the digest of the name it gave. */
export interface AnswerId {
  readonly scope: string
  readonly digest: string
}

export interface KeptAnswer {
  /** Of the request. */
  readonly fingerprint: string
  readonly status: number
  readonly headers: Headers
  readonly encoding: 'utf8' | 'base64'
  readonly body: string
  readonly expiresAtMs: number
}

/** Beside each answer, in the order in which they end. */
interface Expiry {
  readonly bytes: number
}

const ANSWERS = table<KeptAnswer>('idempotent_answers')
const EXPIRIES = table<Expiry>('idempotent_expiries')

export const digestOf = (...parts: readonly (string | Uint8Array)[]): string =>
  hash('sha256', Buffer.concat(parts.flatMap((part) => [Buffer.from(part), Buffer.of(0)])), 'hex')

export class KeptAnswers {
  readonly #rows: Rows
  readonly #clock: Clock
  #bytesSince = 0
  /** Before the first sweep nobody knows what there is. */
  #sweptMs = -Infinity

  constructor(rows: Rows, clock: Clock) {
    this.#rows = rows
    this.#clock = clock
  }

  async read({ scope, digest }: AnswerId): Promise<KeptAnswer | undefined> {
    const stored = await this.#rows.get(ANSWERS, [scope, digest])
    return stored !== undefined && stored.row.expiresAtMs > this.#clock.wallMs() ? stored.row : undefined
  }

  /** Durable when it resolves. Rejects with a `Fault`. */
  async keep({ scope, digest }: AnswerId, fingerprint: string, answer: WholeAnswer): Promise<void> {
    const { status, headers, pieces } = answer
    const encoding = pieces.every((piece) => typeof piece === 'string') ? 'utf8' : 'base64'
    const body = Buffer.concat(pieces.map((piece) => Buffer.from(piece))).toString(encoding)
    const expiresAtMs = this.#clock.wallMs() + KEPT_MS
    const former = await this.#rows.get(ANSWERS, [scope, digest])
    await this.#rows.commit([
      ...(former === undefined ? [] : [remove(EXPIRIES, expiryKey(former.row.expiresAtMs, scope, digest))]),
      put(ANSWERS, [scope, digest], { fingerprint, status, headers, encoding, body, expiresAtMs }),
      put(EXPIRIES, expiryKey(expiresAtMs, scope, digest), { bytes: body.length }),
    ])
    this.#bytesSince += body.length
  }

  /** Forgets every answer that names it, as a JSON text; returns how many there were. */
  async forgetNaming(name: string): Promise<number> {
    const needle = JSON.stringify(name)
    let count = 0
    for await (const { key, row } of scanAll(this.#rows, ANSWERS)) {
      const body = row.encoding === 'utf8' ? row.body : Buffer.from(row.body, 'base64').toString()
      if (!body.includes(needle)) continue
      const [scope = '', digest = ''] = key
      const expiry = expiryKey(row.expiresAtMs, scope, digest)
      await this.#rows.commit([remove(ANSWERS, key), remove(EXPIRIES, expiry)])
      count++
    }
    return count
  }

  async forget(ids: readonly AnswerId[]): Promise<void> {
    const stored = await this.#rows.getMany(
      ANSWERS,
      ids.map(({ scope, digest }) => [scope, digest]),
    )
    const changes = stored.flatMap((one, at): Change[] => {
      const { scope = '', digest = '' } = ids[at] ?? {}
      if (one === undefined) return []
      return [remove(ANSWERS, [scope, digest]), remove(EXPIRIES, expiryKey(one.row.expiresAtMs, scope, digest))]
    })
    if (changes.length > 0) await this.#rows.commit(changes)
  }

  /** Clears away what is over and what is too much, where it is time to. */
  async sweep(bytesMax = KEPT_BYTES_MAX): Promise<void> {
    const nowMs = this.#clock.monotonicMs()
    if (this.#bytesSince < SWEEP_BYTES && nowMs - this.#sweptMs < SWEEP_MS) return
    this.#sweptMs = nowMs
    this.#bytesSince = 0
    const all: Stored<Expiry>[] = []
    for (;;) {
      const after = all.at(-1)?.key
      const page = await this.#rows.scan(EXPIRIES, { limit: SCAN_MAX, ...(after === undefined ? {} : { after }) })
      all.push(...page)
      if (page.length < SCAN_MAX) break
    }
    let bytes = all.reduce((sum, { row }) => sum + row.bytes, 0)
    const wallMs = this.#clock.wallMs()
    const changes: Change[] = []
    for (const { key, row } of all) {
      const [expires = '', scope = '', digest = ''] = key
      if (Number(expires) > wallMs && bytes <= bytesMax) break
      bytes -= row.bytes
      changes.push(remove(EXPIRIES, key), remove(ANSWERS, [scope, digest]))
    }
    for (let at = 0; at < changes.length; at += REMOVALS_PER_COMMIT)
      await this.#rows.commit(changes.slice(at, at + REMOVALS_PER_COMMIT))
  }
}

const TIME_DIGITS = 15

const expiryKey = (expiresAtMs: number, scope: string, digest: string): readonly string[] => [
  String(Math.floor(expiresAtMs)).padStart(TIME_DIGITS, '0'),
  scope,
  digest,
]
