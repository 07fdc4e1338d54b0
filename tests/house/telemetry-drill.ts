/** The attack on telemetry with the real program: spans arrive without a pause, while the house is killed
 *  again and again. At the end everything acknowledged must be there, once. Run by hand:
 *  `npm run drill:telemetry -- --seconds 600 --every 5`. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Telemetry } from '../../src/house/telemetry-store.ts'
import { ADMIN_KEY, type RunningHouse, startHouse } from '../kit/house.ts'
import { agentSpans, protobufOf } from '../kit/otlp.ts'

export interface DrillOptions {
  readonly seconds: number
  readonly killEverySeconds: number
  /** At once under way. */
  readonly senders: number
  readonly onProgress?: (line: string) => void
}

export interface DrillResult {
  readonly kills: number
  readonly sent: number
  readonly acknowledged: number
  /** Told to wait (429 or 503), and sent again. */
  readonly deferred: number
  /** Batches that a kill left without an answer, and that were sent again. */
  readonly repeated: number
  readonly stored: number
  /** Spans acknowledged and not there, spans there twice, spans there that were never sent. */
  readonly lost: number
  readonly twice: number
  readonly strange: number
  /** From the acknowledgement until the trace is found. */
  readonly visibleMs: readonly number[]
  /** While the house was up. */
  readonly spansPerSecond: number
}

const TRACES_PER_BATCH = 64
const SPANS_PER_TRACE = 8
const PAUSE_MS = 50
const VISIBLE_EVERY = 40
const VISIBLE_MS_MAX = 5_000
const HEADERS = { authorization: `Bearer ${ADMIN_KEY}`, connection: 'keep-alive' }

class Drill {
  readonly #options: DrillOptions
  readonly #startUs = (Date.now() - 3_600_000) * 1000
  readonly #acknowledged = new Set<number>()
  readonly #visibleMs: number[] = []
  #house: RunningHouse | undefined
  #next = 1
  #sent = 0
  #deferred = 0
  #repeated = 0
  #upMs = 0
  #over = false

  constructor(options: DrillOptions) {
    this.#options = options
  }

  async run(): Promise<DrillResult> {
    const { seconds, killEverySeconds, senders, onProgress } = this.#options
    const untilMs = performance.now() + seconds * 1000
    this.#house = await startHouse({ documents: {} })
    const sending = Array.from({ length: senders }, () => this.#send())
    let kills = 0
    while (performance.now() < untilMs) {
      const beganMs = performance.now()
      await sleep(Math.min(killEverySeconds * 1000, Math.max(0, untilMs - beganMs)))
      const { folder } = this.#house
      const house = this.#house
      this.#house = undefined
      await house.kill()
      this.#upMs += performance.now() - beganMs
      kills++
      onProgress?.(`${kills} kills, ${this.#acknowledged.size * TRACES_PER_BATCH * SPANS_PER_TRACE} spans acknowledged`)
      this.#house = await startHouse({ documents: {}, folder })
    }
    this.#over = true
    await Promise.all(sending)
    const result = await this.#prove()
    await this.#house.stop()
    const spans = this.#acknowledged.size * TRACES_PER_BATCH * SPANS_PER_TRACE
    return {
      kills,
      sent: this.#sent * TRACES_PER_BATCH * SPANS_PER_TRACE,
      acknowledged: spans,
      deferred: this.#deferred,
      repeated: this.#repeated,
      ...result,
      visibleMs: this.#visibleMs,
      spansPerSecond: Math.round(spans / (this.#upMs / 1000)),
    }
  }

  /** One batch after another, each until it is acknowledged. */
  async #send(): Promise<void> {
    while (!this.#over) {
      const batch = this.#next++
      const spans = agentSpans(batch * TRACES_PER_BATCH, TRACES_PER_BATCH, this.#startUs, SPANS_PER_TRACE)
      const body = protobufOf(spans)
      this.#sent++
      for (;;) {
        const status = await this.#post(body)
        if (status === 200) break
        if (status === 0) this.#repeated++
        else this.#deferred++
        await sleep(PAUSE_MS)
      }
      this.#acknowledged.add(batch)
      if (batch % VISIBLE_EVERY === 0) await this.#see(spans[0]?.traceId ?? '')
    }
  }

  /** 0: no answer. */
  async #post(body: Uint8Array): Promise<number> {
    const url = this.#house?.url
    if (url === undefined) return 0
    try {
      const answer = await fetch(`${url}/v1/traces`, {
        method: 'POST',
        headers: { ...HEADERS, 'content-type': 'application/x-protobuf' },
        body: body as Uint8Array<ArrayBuffer>,
      })
      const bytes = await answer.arrayBuffer()
      // A partial success would be a loss by another name.
      return answer.status === 200 && bytes.byteLength > 0 ? 500 : answer.status
    } catch {
      return 0
    }
  }

  async #see(traceId: string): Promise<void> {
    const beganMs = performance.now()
    while (performance.now() - beganMs < VISIBLE_MS_MAX) {
      const url = this.#house?.url
      if (url === undefined) return // Killed meanwhile: the start that follows is no delay of the index.
      try {
        const answer = await fetch(`${url}/api/traces/${traceId}?limit=1`, { headers: HEADERS })
        await answer.arrayBuffer()
        if (answer.status === 200) return void this.#visibleMs.push(performance.now() - beganMs)
      } catch {
        return
      }
      await sleep(PAUSE_MS)
    }
    this.#visibleMs.push(VISIBLE_MS_MAX)
  }

  /** Reads everything that lies there once the house is gone, as its next start would find it. */
  async #prove(): Promise<Pick<DrillResult, 'stored' | 'lost' | 'twice' | 'strange'>> {
    const house = this.#house
    if (house === undefined) throw new Error('there is no house to look into')
    await house.kill()
    const path = join(import.meta.dirname, '..', '..', 'catalogue', 'prices.json')
    const store = new Telemetry({
      folder: join(house.folder, 'data', 'telemetry'),
      prices: { shipped: { path, bytes: readFileSync(path) } },
      sampling: { share: 1 },
      keptDays: 30,
      files: true,
      log: { write: () => {} },
    })
    const seen = new Uint8Array(this.#next * TRACES_PER_BATCH)
    let [stored, twice, strange] = [0, 0, 0]
    await store.settle()
    for await (const spans of store.spans({}))
      for (const { traceId, spanId, service } of spans) {
        if (service !== 'shop') continue
        stored++
        const trace = Number.parseInt(traceId.slice(-8), 16)
        const bit = 1 << Number.parseInt(spanId.slice(-2), 16)
        if (trace >= seen.length) strange++
        else if (((seen[trace] ?? 0) & bit) !== 0) twice++
        else seen[trace] = (seen[trace] ?? 0) | bit
      }
    await store.close()
    let lost = 0
    for (const batch of this.#acknowledged)
      for (let at = 0; at < TRACES_PER_BATCH; at++)
        lost += SPANS_PER_TRACE - bitsOf(seen[batch * TRACES_PER_BATCH + at] ?? 0)
    return { stored, lost, twice, strange }
  }
}

function bitsOf(byte: number): number {
  let bits = 0
  for (let rest = byte; rest > 0; rest >>= 1) bits += rest & 1
  return bits
}

export const drill = (options: DrillOptions): Promise<DrillResult> => new Drill(options).run()

if (import.meta.main) {
  const option = (name: string, fallback: number): number => {
    const at = process.argv.indexOf(`--${name}`)
    return at < 0 ? fallback : Number(process.argv[at + 1])
  }
  const { visibleMs, ...result } = await drill({
    seconds: option('seconds', 600),
    killEverySeconds: option('every', 5),
    senders: option('senders', 8),
    onProgress: (line) => void process.stderr.write(`\r\x1b[K${line}`),
  })
  const sorted = visibleMs.toSorted((a, b) => a - b)
  const share = (q: number): string => (sorted[Math.ceil(q * sorted.length) - 1] ?? 0).toFixed(0)
  process.stderr.write('\n')
  process.stdout.write(
    [
      `${result.kills} kills; ${result.sent} spans sent, ${result.acknowledged} acknowledged, ${result.stored} stored`,
      `lost ${result.lost}, twice ${result.twice}, never sent ${result.strange}; ${result.repeated} batches sent again after a kill, ${result.deferred} told to wait`,
      `${result.spansPerSecond} spans/s while up; found after p50 ${share(0.5)} ms, p95 ${share(0.95)} ms, most ${share(1)} ms (n = ${sorted.length})`,
      '',
    ].join('\n'),
  )
  process.exitCode = result.lost + result.twice + result.strange > 0 ? 1 : 0
}
