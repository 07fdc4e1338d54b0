import type { Clock } from '../../src/base/clock.ts'
import { fault } from '../../src/base/errors.ts'
import { isObject, type JsonObject } from '../../src/base/json.ts'
import { silentLog } from '../../src/base/log.ts'
import { seededRandom } from '../../src/base/random.ts'
import { BATCHES, type BatchRow, isOver, PROGRESS, RESULTS } from '../../src/batch/batch.ts'
import { Batches } from '../../src/batch/batches.ts'
import { MemoryBlobs } from '../../src/drivers/memory/blobs.ts'
import { MemoryEvents } from '../../src/drivers/memory/events.ts'
import { MemoryQueue } from '../../src/drivers/memory/queue.ts'
import { MemoryRows } from '../../src/drivers/memory/rows.ts'
import { type FileRow, FILES, HOLDINGS } from '../../src/files/file.ts'
import { Files } from '../../src/files/files.ts'
import { Gateway } from '../../src/gateway/gateway.ts'
import { unbound } from '../../src/guard/bindings.ts'
import type { Principal } from '../../src/guard/principal.ts'
import { Spending } from '../../src/meter/spending.ts'
import { type Rows, SCAN_MAX } from '../../src/store/rows.ts'
import { Dice } from '../dice.ts'
import { Kernel } from '../kernel.ts'
import { catalogueOf, type EngineHost } from './engine.ts'

/** The real batches, files, journal and answers given again, over stores that are slow and fail, in a
 *  process that dies at any step and is started anew. */

export const BATCH_INVARIANTS = [
  'every batch ends',
  'every line is told of once',
  'what is told is what was charged',
  'a line is asked again only for cause',
  'no more at once than there may be',
  'nothing is left over',
] as const

type BatchInvariant = (typeof BATCH_INVARIANTS)[number]

/** A fault put between the batches and what they stand on. */
export interface Plant {
  readonly rows?: (rows: Rows) => Rows
  /** Requests in flight. */
  readonly parallel?: number
}

const STEPS_MAX = 200_000
const OWNER: Principal = { id: 'key_1', name: 'app', role: 'user', bindings: unbound('user') }
const PARALLEL = 3
const WALL_MS = 1_780_000_000_000
const SHORT_MS = 5_000
/** Ten times, so that the store takes it at last. */
const UPKEEP_MS = Array.from({ length: 10 }, (_, at) => 60_000 + 10_000 * at)
const DAY_MS = 24 * 3_600_000

interface Life extends EngineHost {
  batches: Batches | undefined
  isAlive: boolean
}

export class World {
  readonly kernel: Kernel<BatchInvariant>
  readonly dice: Dice
  readonly seen = { crashes: 0, faults: 0, completed: 0, expired: 0, cancelled: 0, calls: 0 }
  readonly #plant: Plant
  readonly #rows = new MemoryRows()
  readonly #blobs = new MemoryBlobs()
  readonly #events = new MemoryEvents()
  readonly #queue: MemoryQueue
  /** Files that were sent, with the lines they hold. */
  readonly #sent = new Map<string, readonly string[]>()
  /** Answers that the engine finished. */
  #finished = 0
  /** Of this run: whether the store and the engine fail now and then. */
  readonly #isRough: boolean
  #life: Life | undefined
  #lives = 0

  constructor(seed: number, plant: Plant = {}) {
    this.kernel = new Kernel<BatchInvariant>(seed)
    this.dice = new Dice(seed).fork('batches')
    this.#plant = plant
    this.#isRough = this.dice.chance(0.5)
    this.#queue = new MemoryQueue(this.#clock({ isAlive: true }))
    this.kernel.afterEveryStep(() => this.#check())
  }

  async run(): ReturnType<Kernel<BatchInvariant>['run']> {
    const { kernel, dice } = this
    kernel.after(0, 'the start', () => void this.#begin())
    for (let left = dice.int(1, 2); left > 0; left--)
      kernel.after(dice.int(100, 1_500), 'a batch is asked for', () => this.#ask(left))
    if (dice.chance(0.6))
      for (let left = dice.int(1, 4); left > 0; left--)
        kernel.after(dice.int(0, 6_000), 'a crash', () => {
          this.seen.crashes++
          if (this.#life !== undefined) this.#life.isAlive = false
          kernel.after(dice.delayMs(), 'the start', () => void this.#begin())
        })
    if (dice.chance(0.2)) kernel.after(dice.int(100, 3_000), 'a cancel', () => this.#cancel())
    for (const afterMs of UPKEEP_MS)
      kernel.after(
        afterMs,
        'the upkeep',
        () =>
          void this.#running()
            ?.resume()
            .catch(() => {}),
      )
    await kernel.run(STEPS_MAX)
    const { violation } = kernel.outcome()
    if (violation === undefined) await this.#atRest()
    return kernel.outcome()
  }

  // What lives

  async #begin(): Promise<void> {
    const number = ++this.#lives
    const life: Life = { batches: undefined, isAlive: true, inFlight: 0 }
    if (this.#life !== undefined) this.#life.isAlive = false
    this.#life = life
    const clock = this.#clock(life)
    const random = seededRandom(this.kernel.seed * 31 + number)
    const rows = this.#plant.rows?.(this.#late(life, this.#rows)) ?? this.#late(life, this.#rows)
    const [events, blobs, queue] = [this.#events, this.#blobs, this.#queue].map((port) => this.#late(life, port))
    const shared = { clock, random, rows }
    try {
      const files = await Files.open({ ...shared, blobs: blobs as MemoryBlobs, ownerBytesMax: () => 2 ** 40 })
      const gateway = new Gateway({
        ...shared,
        log: silentLog,
        events: events as MemoryEvents,
        node: 'gateway-0',
        catalogue: catalogueOf({ ...this.#engineParts(life), life }),
        authenticate: () => OWNER,
        limits: () => LIMITS,
        accounting: { spending: (request, scopes) => new Spending(clock, undefined, request, scopes) },
      })
      await gateway.recover()
      life.batches = new Batches({
        ...shared,
        queue: queue as MemoryQueue,
        log: silentLog,
        files,
        parallel: () => this.#plant.parallel ?? PARALLEL,
        principalOf: () => OWNER,
        handleFor: (principal) => gateway.handleFor(principal),
        forget: (scope, keys) => gateway.forgetAnswers(scope, keys),
        limits: () => ({ bytesMax: 10_000, depthMax: 16 }),
      })
      await life.batches.resume()
    } catch {
      // The store failed at the start: as a supervisor would, once more.
      life.isAlive = false
      this.kernel.after(500, 'the start', () => void this.#begin())
    }
  }

  #engineParts(life: Life) {
    return {
      after: (delayMs: number, run: () => void) =>
        void this.kernel.after(delayMs, 'the engine', () => life.isAlive && run()),
      delayMs: () => this.dice.int(1, 400),
      fails: () => this.#isRough && this.dice.chance(0.08),
      called: () => void this.seen.calls++,
      finished: () => void this.#finished++,
    }
  }

  #clock(life: { readonly isAlive: boolean }): Clock {
    const { kernel } = this
    return {
      monotonicMs: () => kernel.nowMs,
      wallMs: () => WALL_MS + kernel.nowMs,
      after: (delayMs, task) => kernel.after(delayMs, 'a timer', () => life.isAlive && task()),
    }
  }

  /** A port takes its time, fails now and then before or after it has done what it was asked, and a dead
   *  process hears nothing of it. */
  #late<Port extends object>(life: Life, port: Port): Port {
    const { kernel, dice } = this
    return new Proxy(port, {
      get: (target, name) => {
        const method = Reflect.get(target, name, target) as (...given: unknown[]) => Promise<unknown>
        return (...given: unknown[]) =>
          new Promise((resolve, reject) => {
            const fate = this.#isRough && dice.chance(0.01) ? dice.pick(['before', 'after'] as const) : 'well'
            if (fate !== 'well') this.seen.faults++
            kernel.after(dice.delayMs(), 'a store', () => {
              if (!life.isAlive) return
              const done = fate === 'before' ? Promise.resolve() : method.apply(target, given)
              kernel.after(dice.delayMs(), 'a store answers', () => {
                if (!life.isAlive) return void done.catch(() => {})
                if (fate === 'well') done.then(resolve, reject)
                else reject(fault('store_unavailable', { reason: `told to fail ${fate}` }))
              })
            })
          })
      },
    })
  }

  #running(): Batches | undefined {
    return this.#life?.isAlive === true ? this.#life.batches : undefined
  }

  // What is asked

  #ask(number: number): void {
    const { dice, kernel } = this
    const lines = Array.from({ length: dice.int(1, 12) }, (_, at) => `${number}-${at}`)
    const text = lines.map((custom_id) =>
      JSON.stringify({
        custom_id,
        method: 'POST',
        url: '/v1/chat/completions',
        body: { model: 'chat', messages: [{ role: 'user', content: custom_id }] },
      }),
    )
    const windowMs = dice.chance(0.2) ? SHORT_MS : DAY_MS
    const send = async (): Promise<void> => {
      const batches = this.#running()
      if (batches === undefined) return void kernel.after(200, 'asked again', () => void send())
      const id = `file_${number}`
      // Sent in another process, as it were: what files survive is their own test's.
      await this.#keep(id, text.join('\n'), lines)
      const asked = {
        endpoint: '/v1/chat/completions',
        windowText: '24h',
        windowMs,
        metadata: {},
        inputFile: id,
      } as const
      await batches.create(OWNER, asked).catch(() => kernel.after(200, 'asked again', () => void send()))
    }
    void send()
  }

  async #keep(id: string, text: string, lines: readonly string[]): Promise<void> {
    if (this.#sent.has(id)) return
    this.#sent.set(id, lines)
    const clock = this.#clock({ isAlive: true })
    const dependencies = {
      clock,
      random: seededRandom(1),
      rows: this.#rows,
      blobs: this.#blobs,
      ownerBytesMax: () => 2 ** 40,
    }
    const row: FileRow = {
      id,
      owner: OWNER.id,
      name: 'in.jsonl',
      mediaType: '',
      purpose: 'batch',
      bytes: Buffer.byteLength(text),
      createdAtMs: dependencies.clock.wallMs(),
      state: 'whole',
    }
    await this.#blobs.put(`files/${id}/000000`, Buffer.from(text))
    await this.#rows.commit([{ op: 'put', table: FILES.name, key: [OWNER.id, id], row }])
  }

  #cancel(): void {
    void (async () => {
      const [first] = await this.#rows.scan(BATCHES, { limit: 1 })
      const batches = this.#running()
      if (first !== undefined) await batches?.cancel(OWNER.id, first.row.id).catch(() => {})
    })()
  }

  // What must hold

  #check(): void {
    const inFlight = this.#life?.isAlive === true ? this.#life.inFlight : 0
    if (inFlight > PARALLEL) this.#broken('no more at once than there may be', `${inFlight} are in flight`)
  }

  async #atRest(): Promise<void> {
    const batches = (await this.#rows.scan(BATCHES, { limit: SCAN_MAX })).map(({ row }) => row)
    const outputs = await Promise.all(batches.map(({ outputFile }) => this.#read(outputFile)))
    const again = this.#finished - outputs.reduce((sum, lines) => sum + lines.length, 0)
    // At a crash, and where the store fails under an answer, what was in flight is asked again.
    const causes = this.seen.crashes + this.seen.faults
    if (again > PARALLEL * causes)
      this.#broken('a line is asked again only for cause', `${again} answers were made again for ${causes} causes`)
    for (const row of batches) await this.#judge(row)
    const left = await this.#rows.scan(RESULTS, { limit: 1 })
    if (left.length > 0) this.#broken('nothing is left over', `the result ${left[0]?.key.join('/')}`)
    const unclosed = await this.#events.unclosed(1)
    if (unclosed.length > 0) this.#broken('nothing is left over', `the request ${unclosed[0]?.id} is open`)
    const files = await this.#rows.scan(FILES, { limit: SCAN_MAX })
    const known = new Set(files.map(({ row }) => row.id))
    for (const { name } of await this.#blobs.list(''))
      if (!known.has(name.split('/')[1] ?? '')) this.#broken('nothing is left over', `the blob ${name}`)
    const made = files.filter(({ row }) => row.purpose === 'batch_output')
    const held = (await this.#rows.get(HOLDINGS, [OWNER.id]))?.row.files ?? 0
    if (made.length !== held)
      this.#broken('nothing is left over', `${held} files are counted, ${made.length} are there`)
  }

  async #judge(batch: BatchRow): Promise<void> {
    const { id, state } = batch
    if (!isOver(state) || state === 'failed') return this.#broken('every batch ends', `${id} is ${state}`)
    if (state === 'completed' || state === 'expired' || state === 'cancelled') this.seen[state]++
    const lines = this.#sent.get(batch.inputFile) ?? []
    const output = await this.#read(batch.outputFile)
    const errors = await this.#read(batch.errorFile)
    const told = [...output, ...errors].map((line) => String(line['custom_id'])).toSorted()
    if (told.join() !== lines.toSorted().join())
      this.#broken('every line is told of once', `${id} (${state}) tells of ${told.join()}`)
    const unasked = errors.filter(({ error }) => isObject(error) && String(error['code']).startsWith('batch_'))
    if (state === 'completed' && unasked.length > 0)
      this.#broken('every line is told of once', `${id} is completed and ${unasked.length} lines were not asked`)
    await this.#audit(batch, output)
  }

  async #audit({ owner, id }: BatchRow, output: readonly JsonObject[]): Promise<void> {
    const progress = (await this.#rows.get(PROGRESS, [owner, id]))?.row
    let tokens = 0
    let cost = 0n
    for (const { response } of output) {
      const request = isObject(response) ? String(response['request_id']) : ''
      const closing = (await this.#events.read(request)).find(({ phase }) => phase === 'close')?.body
      if (closing?.['outcome'] !== 'answered')
        return this.#broken(
          'what is told is what was charged',
          `${request} is on record as ${String(closing?.['outcome'])}`,
        )
      const usage = isObject(closing['usage']) ? closing['usage'] : {}
      tokens += Number(usage['outputTokens'])
      cost += BigInt(String(closing['costNanoUsd']))
    }
    const summed = [progress?.completed ?? 0, progress?.outputTokens ?? 0, progress?.costNanoUsd ?? '0'].join()
    if (summed !== [output.length, tokens, String(cost)].join())
      this.#broken(
        'what is told is what was charged',
        `${id} sums up ${summed}, charged were ${output.length},${tokens},${cost}`,
      )
  }

  async #read(file: string | undefined): Promise<JsonObject[]> {
    if (file === undefined) return []
    const parts = await this.#blobs.list(`files/${file}/`)
    const bytes = await Promise.all(parts.map(({ name }) => this.#blobs.get(name)))
    const text = Buffer.concat(bytes.flatMap((part) => part ?? [])).toString()
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as JsonObject)
  }

  #broken(invariant: BatchInvariant, detail: string): void {
    this.kernel.violate(invariant, detail)
  }
}

const LIMITS = {
  bodyBytesMax: 10_000,
  bodyDepthMax: 16,
  requestsInFlightMax: 64,
  clientStallMs: 5_000,
  cacheBytesMax: 1_000,
}
