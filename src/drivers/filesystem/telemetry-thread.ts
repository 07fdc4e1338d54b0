import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { type Fault, fault, Refusal, toFault } from '../../base/errors.ts'
import { serveThread } from '../../base/threads.ts'
import { loadCatalogue, type PriceFileBytes } from '../../meter/catalogue.ts'
import { spanPrices } from '../../meter/span-prices.ts'
import { Adapter, type PriceOf } from '../../trace/adapt.ts'
import { type Delivery, readDelivery } from '../../trace/intake.ts'
import type { Rejected } from '../../trace/otlp/answer.ts'
import { recordText } from '../../trace/record.ts'
import type { ScoreRow } from '../../trace/span.ts'
import { type Position, SegmentedLog } from './segmented-log.ts'

/** The thread that takes telemetry in: it reads bodies, and acknowledges them once they are in the
 *  log on the disk. What arrives while it waits for the disk goes there together. */

export interface IntakeData {
  readonly folder: string
  /** Up to where the index has taken the log in for good. */
  readonly from: Position
  readonly prices: { readonly shipped: PriceFileBytes; readonly own?: PriceFileBytes | undefined }
  /** To the index. */
  readonly index: MessagePort
}

/** To the index: one record, and where it ends. */
export interface ToIndex {
  readonly position: Position
  readonly text: string
  /** Of the record, to be counted as applied. */
  readonly bytes: number
}

/** From the index. */
export interface FromIndex {
  /** Bytes of records taken in, as counted here. */
  readonly applied: number
  /** Up to where they survive the end of the machine. */
  readonly durable?: Position
}

/** Of records on their way to the index. Beyond it senders are told to wait, which they do without
 *  losing anything; memory stays bounded. */
const IN_FLIGHT_BYTES_MAX = 64 * 1024 * 1024
/** Beyond so many an acknowledgement waits for the index, so that senders go at its pace and what they
 *  sent is found soon after; but not for long, since it is safe already. */
const AHEAD_BYTES_MAX = 4 * 1024 * 1024
const AHEAD_MS_MAX = 2_000

interface Waiting {
  readonly text: string
  readonly bytes: Buffer
  readonly done: (failure?: Fault) => void
}

class Intake {
  readonly #log: SegmentedLog
  readonly #index: MessagePort
  readonly #adapter: Adapter
  #waiting: Waiting[] = []
  #inFlightBytes = 0
  readonly #drained: (() => void)[] = []
  readonly #ahead: (() => void)[] = []

  constructor({ folder, from, index }: IntakeData, priceOf: PriceOf) {
    this.#log = SegmentedLog.open(folder, from)
    this.#index = index
    this.#adapter = new Adapter(priceOf)
    index.on('message', ({ applied, durable }: FromIndex) => {
      this.#inFlightBytes -= applied
      if (this.#inFlightBytes === 0) for (const resolve of this.#drained.splice(0)) resolve()
      if (this.#inFlightBytes <= AHEAD_BYTES_MAX) for (const go of this.#ahead.splice(0)) go()
      if (durable !== undefined) this.#log.drop(durable)
    })
    for (const { position, bytes } of this.#log.after(from)) this.#pass(position, bytes.toString(), bytes.length)
  }

  async take(delivery: Delivery): Promise<Rejected> {
    this.#checkRoom()
    const rows = readDelivery(delivery, this.#adapter)
    if (rows.spans.length + rows.scores.length + rows.points.length === 0) return rows.rejected
    await this.#write(recordText(rows, nowUs()))
    await this.#notTooFarAhead()
    return rows.rejected
  }

  async score(score: ScoreRow): Promise<void> {
    this.#checkRoom()
    await this.#write(recordText({ spans: [], scores: [score], points: [] }, nowUs()))
  }

  /** Resolves once the index has all that was acknowledged by now, or nothing waits. */
  drained(): Promise<void> {
    if (this.#inFlightBytes === 0) return Promise.resolve()
    return new Promise((resolve) => this.#drained.push(resolve))
  }

  waitingBytes(): number {
    return this.#inFlightBytes
  }

  close(): void {
    this.#flush()
    this.#log.close()
    this.#index.close()
  }

  #notTooFarAhead(): Promise<void> {
    if (this.#inFlightBytes <= AHEAD_BYTES_MAX) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, AHEAD_MS_MAX)
      this.#ahead.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #checkRoom(): void {
    if (this.#inFlightBytes > IN_FLIGHT_BYTES_MAX)
      throw fault('telemetry_full', { limitBytes: IN_FLIGHT_BYTES_MAX, retryAfterMs: RETRY_MS })
  }

  #write(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#flush())
      const done = (failure?: Fault): void => (failure === undefined ? resolve() : reject(failure))
      this.#waiting.push({ text, bytes: Buffer.from(text), done })
    })
  }

  #flush(): void {
    const batch = this.#waiting
    this.#waiting = []
    if (batch.length === 0) return
    try {
      const positions = this.#log.append(batch.map(({ bytes }) => bytes))
      for (const [at, { text, bytes }] of batch.entries()) {
        const position = positions[at]
        if (position !== undefined) this.#pass(position, text, bytes.length)
      }
      for (const { done } of batch) done()
    } catch (thrown) {
      for (const { done } of batch) done(toFault(thrown))
    }
  }

  #pass(position: Position, text: string, bytes: number): void {
    this.#inFlightBytes += bytes
    this.#index.postMessage({ position, text, bytes } satisfies ToIndex)
  }
}

const RETRY_MS = 1000
const nowUs = (): number => Date.now() * 1000

if (parentPort !== null) {
  const data = workerData as IntakeData
  const catalogue = await loadCatalogue(data.prices.shipped, data.prices.own)
  const intake = new Intake(data, catalogue instanceof Refusal ? () => undefined : spanPrices(catalogue))
  serveThread({
    take: (delivery: Delivery) => intake.take(delivery),
    score: (score: ScoreRow) => intake.score(score),
    drained: () => intake.drained(),
    waitingBytes: () => intake.waitingBytes(),
    close: () => intake.close(),
  })
}
