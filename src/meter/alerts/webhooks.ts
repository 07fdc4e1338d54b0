import { hash } from 'node:crypto'
import type { Clock, Timer } from '../../base/clock.ts'
import { reasonOf } from '../../base/errors.ts'
import type { Exchange, HttpClient } from '../../base/http.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { Log } from '../../base/log.ts'
import { type Random, uniform } from '../../base/random.ts'
import type { Job, Queue } from '../../store/queue.ts'
import { remove, type Rows } from '../../store/rows.ts'
import { type Alert, type Message, OUTBOX } from './alerts.ts'
import { signed } from './signature.ts'

/** Passes messages about alerts on to webhooks: at least once, in the manner of Standard Webhooks
 *  (standardwebhooks.com). A message leaves the outbox only once it is a job of the durable queue for
 *  every webhook; a receiver knows one that comes twice by its `webhook-id`. */

export interface Webhook {
  readonly url: string
  readonly secret?: { reveal(): string }
}

export interface WebhooksDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly rows: Rows
  readonly queue: Queue
  readonly log: Log
  /** Those of the configuration in force. */
  readonly webhooks: () => readonly Webhook[]
  /** Made when first needed. */
  readonly client: () => Promise<HttpClient>
}

const QUEUE = 'webhooks'
/** Longer than one attempt takes at most. */
const LEASE_MS = 60_000
const CONNECT_MS_MAX = 5_000
/** From sending to the end of the answer. */
const ANSWER_MS_MAX = 15_000
/** What an answer says is not read: its beginning, so that the connection can be used again. */
const ANSWER_BYTES_MAX = 64 * 1024
/** Pauses after each failure, each by up to a tenth longer; after the last the message is given up.
 *  Standard Webhooks, "Deliverability and reliability": over some days. */
const PAUSES_MS = [5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000, 86_400_000]
/** How often is looked for what others left to do, and for pauses that are over. */
const LOOK_MS = 5_000
/** Deliveries at a time, so that one slow receiver does not hold up the others. */
const PARALLEL = 4
const OUTBOX_PAGE = 100
/** Jobs looked at for what the API shows. */
const SHOWN_JOBS = 1_000

export class Webhooks {
  readonly #dependencies: WebhooksDependencies
  #timer: Timer | undefined
  #passing: Promise<void> | undefined
  readonly #stopped = new AbortController()

  constructor(dependencies: WebhooksDependencies) {
    this.#dependencies = dependencies
  }

  /** Passes on what there is, now and then. A store that refuses is asked again next time. */
  keepUp(): void {
    this.#timer = this.#dependencies.clock.after(LOOK_MS, () => {
      void this.pass()
        .catch(() => {})
        .then(() => this.#timer !== undefined && this.keepUp())
    })
  }

  /** Ends `keepUp`; resolves when nothing of it runs. Deliveries that run are broken off, and made
   *  again at the next start. */
  async stop(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#stopped.abort()
    await this.#passing?.catch(() => {})
  }

  /** Passes on what is in the outbox, and makes what deliveries are due. */
  pass(): Promise<void> {
    this.#passing ??= this.#pass().finally(() => (this.#passing = undefined))
    return this.#passing
  }

  /** Of each webhook, what waits, what was given up, and why the last one failed. */
  async status(): Promise<JsonObject[]> {
    const { queue, webhooks } = this.#dependencies
    const jobs = await queue.list(QUEUE, SHOWN_JOBS)
    return webhooks().map(({ url, secret }) => {
      const own = jobs.filter(({ payload }) => isObject(payload) && payload['url'] === url)
      const failed = own.find(({ reason, state }) => reason !== undefined && state !== 'done')
      return {
        url,
        signed: secret !== undefined,
        waiting: own.filter(({ state }) => state === 'waiting' || state === 'leased').length,
        delivered: own.filter(({ state }) => state === 'done').length,
        givenUp: own.filter(({ state }) => state === 'dead').length,
        failing: failed === undefined ? null : { reason: failed.reason ?? '', attempts: failed.attempt },
      }
    })
  }

  async #pass(): Promise<void> {
    await this.#empty()
    await Promise.all(Array.from({ length: PARALLEL }, () => this.#deliverAll()))
  }

  async #empty(): Promise<void> {
    const { rows, queue, log, webhooks } = this.#dependencies
    for (;;) {
      const page = await rows.scan(OUTBOX, { limit: OUTBOX_PAGE })
      if (page.length === 0) return
      for (const { row: message } of page) {
        const { kind, id, subject } = message.alert
        log.write('warn', message.type, { alert: id, kind, subject: JSON.stringify(subject) })
        const body = JSON.stringify(bodyOf(message))
        for (const { url } of webhooks())
          await queue.enqueue(QUEUE, `${message.id}.${hash('sha256', url).slice(0, 16)}`, { url, id: message.id, body })
      }
      await rows.commit(page.map(({ key }) => remove(OUTBOX, key)))
    }
  }

  async #deliverAll(): Promise<void> {
    const { queue } = this.#dependencies
    while (!this.#stopped.signal.aborted) {
      const job = await queue.lease(QUEUE, LEASE_MS)
      if (job === undefined) return
      await this.#deliver(job)
    }
  }

  async #deliver(job: Job): Promise<void> {
    const { queue, random, webhooks, log } = this.#dependencies
    const { url, id, body } = partsOf(job.payload)
    const webhook = webhooks().find((one) => one.url === url)
    if (webhook === undefined) return void (await queue.bury(job, 'it is no longer configured'))
    const failure = await this.#post(webhook, id, body)
    if (this.#stopped.signal.aborted) return
    if (failure === undefined) return void (await queue.complete(job))
    const pauseMs = PAUSES_MS[job.attempt - 1]
    log.write('warn', 'a webhook failed', { url, reason: failure, attempt: job.attempt, gaveUp: pauseMs === undefined })
    if (pauseMs === undefined) await queue.bury(job, failure)
    else await queue.retry(job, Math.round(pauseMs * (1 + uniform(random) / 10)), failure)
  }

  /** Why it was not taken; undefined where it was. Redirects are not followed: a body that is signed
   *  for one address goes to no other. */
  async #post({ url, secret }: Webhook, id: string, body: string): Promise<string | undefined> {
    const { clock, client } = this.#dependencies
    const http = await client()
    return new Promise((resolve) => {
      let exchange: Exchange | undefined = undefined
      let status = 0
      let bytes = 0
      const end = (failure: string | undefined): void => {
        deadline.cancel()
        this.#stopped.signal.removeEventListener('abort', stop)
        resolve(failure)
      }
      const give = (failure: string | undefined): void => {
        exchange?.abort()
        end(failure)
      }
      const stop = (): void => give('this process is stopping')
      const deadline = clock.after(ANSWER_MS_MAX, () => give(`no answer within ${ANSWER_MS_MAX} ms`))
      this.#stopped.signal.addEventListener('abort', stop, { once: true })
      const taken = (): string | undefined => (status >= 200 && status < 300 ? undefined : `it answered ${status}`)
      exchange = http.start(
        {
          method: 'POST',
          url,
          headers: {
            'content-type': 'application/json',
            'user-agent': 'headworks',
            ...signed(id, clock.wallMs(), body, secret?.reveal()),
          },
          body,
          connectTimeoutMs: CONNECT_MS_MAX,
        },
        {
          head: (code) => (status = code),
          data: (chunk) => {
            bytes += chunk.length
            if (bytes > ANSWER_BYTES_MAX) give(taken())
          },
          end: () => end(taken()),
          fail: (cause) => end(reasonOf(cause)),
        },
      )
    })
  }
}

function partsOf(payload: Json): { url: string; id: string; body: string } {
  const { url, id, body } = isObject(payload) ? payload : {}
  return { url: String(url), id: String(id), body: String(body) }
}

/** What a receiver gets: `type`, `timestamp` and `data`, as Standard Webhooks has them. */
const bodyOf = ({ type, atMs, alert }: Message): JsonObject => ({
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
