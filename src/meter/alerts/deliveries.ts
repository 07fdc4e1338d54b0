import { hash } from 'node:crypto'
import type { Clock, Timer } from '../../base/clock.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { Log } from '../../base/log.ts'
import { type Random, uniform } from '../../base/random.ts'
import type { Job, Queue } from '../../store/queue.ts'
import { type Change, put, remove, type Rows, scanAll, table } from '../../store/rows.ts'
import { type Message, OUTBOX } from './alerts.ts'
import type { Destination } from './destination.ts'
import { isSilenced, type Silences } from './silences.ts'

/** Passes messages about alerts on to their destinations, at least once: a message leaves the outbox
 *  only once it is a job of the durable queue for every destination; a receiver knows one that comes
 *  twice by its id. */

export interface DeliveriesDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly rows: Rows
  readonly queue: Queue
  readonly log: Log
  readonly silences: Pick<Silences, 'list'>
  /** Those of the configuration in force. */
  readonly destinations: () => readonly Destination[]
}

/** By alert: the latest message that a silence keeps back. */
const HELD = table<Message>('alerts.held')

const QUEUE = 'alerts'
/** Longer than one attempt takes at most. */
const LEASE_MS = 60_000
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

export class Deliveries {
  readonly #dependencies: DeliveriesDependencies
  #timer: Timer | undefined
  #passing: Promise<void> | undefined
  readonly #stopped = new AbortController()

  constructor(dependencies: DeliveriesDependencies) {
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

  /** Of each destination, what waits, what was given up, and why the last one failed. */
  async status(): Promise<JsonObject[]> {
    const { queue, destinations } = this.#dependencies
    const jobs = await queue.list(QUEUE, SHOWN_JOBS)
    return destinations().map((one) => {
      const own = jobs.filter(({ payload }) => isObject(payload) && payload['to'] === addressOf(one))
      const failed = own.find(({ reason, state }) => reason !== undefined && state !== 'done')
      return {
        kind: one.kind,
        to: one.name,
        signed: one.isSigned,
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
    const { rows, log, silences } = this.#dependencies
    const silent = await silences.list()
    for (;;) {
      const page = await rows.scan(OUTBOX, { limit: OUTBOX_PAGE })
      if (page.length === 0) break
      for (const { key, row: message } of page) {
        const { kind, id, subject } = message.alert
        log.write('warn', message.type, { alert: id, kind, subject: JSON.stringify(subject) })
        const changes = await this.#passOrHold(message, isSilenced(silent, message.alert))
        await rows.commit([...changes, remove(OUTBOX, key)])
      }
    }
    for await (const { key, row: message, version } of scanAll(rows, HELD)) {
      if (isSilenced(silent, message.alert)) continue
      await this.#enqueue(message)
      await rows.commit([remove(HELD, key, version)])
    }
  }

  /** What nobody was told of needs no end either; what they were told of ends also in a silence. */
  async #passOrHold(message: Message, silenced: boolean): Promise<Change[]> {
    const key = [message.alert.id]
    const held = await this.#dependencies.rows.get(HELD, key)
    const isOver = message.type === 'alert.closed'
    const isUntold = held?.row.type === 'alert.raised'
    if (isUntold && isOver) return [remove(HELD, key)]
    const next = isUntold ? { ...message, type: held.row.type } : message
    if (silenced && !isOver) return [put(HELD, key, next)]
    await this.#enqueue(next)
    return held === undefined ? [] : [remove(HELD, key)]
  }

  async #enqueue(message: Message): Promise<void> {
    const { queue, destinations } = this.#dependencies
    for (const one of destinations()) {
      const to = addressOf(one)
      const job = `${message.id}.${hash('sha256', to).slice(0, 16)}`
      await queue.enqueue(QUEUE, job, { to, id: message.id, body: one.bodyOf(message) })
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
    const { queue, random, destinations, log } = this.#dependencies
    const { to, id, body } = partsOf(job.payload)
    const destination = destinations().find((one) => addressOf(one) === to)
    if (destination === undefined) return void (await queue.bury(job, 'it is no longer configured'))
    const failure = await destination.send(id, body, this.#stopped.signal)
    if (this.#stopped.signal.aborted) return
    if (failure === undefined) return void (await queue.complete(job))
    const pauseMs = PAUSES_MS[job.attempt - 1]
    log.write('warn', 'a message about an alert was not taken', {
      to,
      reason: failure,
      attempt: job.attempt,
      gaveUp: pauseMs === undefined,
    })
    if (pauseMs === undefined) await queue.bury(job, failure)
    else await queue.retry(job, Math.round(pauseMs * (1 + uniform(random) / 10)), failure)
  }
}

const addressOf = ({ kind, name }: Destination): string => `${kind} ${name}`

function partsOf(payload: Json): { to: string; id: string; body: string } {
  const { to, id, body } = isObject(payload) ? payload : {}
  return { to: String(to), id: String(id), body: String(body) }
}
