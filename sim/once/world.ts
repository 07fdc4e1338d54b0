import type { Clock } from '../../src/base/clock.ts'
import { statusOf } from '../../src/base/errors.ts'
import type { Headers, Reply } from '../../src/base/http.ts'
import { silentLog } from '../../src/base/log.ts'
import { MemoryRows } from '../../src/drivers/memory/rows.ts'
import { type Ending, Once } from '../../src/gateway/replay/once.ts'
import type { Rows } from '../../src/store/rows.ts'
import { Dice } from '../dice.ts'
import { Kernel } from '../kernel.ts'

/** The real answers to one Idempotency-Key, in two processes over one store: callers who come again,
 *  read slowly or leave, calls that fail, processes that die and come back. */

export const ONCE_INVARIANTS = [
  'one call at a time',
  'what was answered stays the answer',
  'another body is refused',
  'nobody reads what was not said',
  'who does not leave hears an end',
  'nobody works for those who left',
  'no timer is left',
] as const

type OnceInvariant = (typeof ONCE_INVARIANTS)[number]

/** A fault put between the answers and what they stand on. */
export interface Plant {
  readonly rows?: (rows: Rows) => Rows
  readonly reply?: (reply: Reply) => Reply
  readonly clock?: (clock: Clock) => Clock
  readonly fingerprint?: (fingerprint: string) => string
}

const STEPS_MAX = 20_000
const NODES = 2
const STALL_MS = 3_000
const SPAN_MS = 2_000
/** After the last request: another process has waited for a dead one's claim. */
const EPILOGUE_MS = 40_000

class Caller implements Reply {
  status = 0
  text = ''
  state: 'waiting' | 'ended' | 'left' | 'cut' = 'waiting'
  readonly body: string
  readonly node: number
  readonly #world: World
  readonly #drain: (() => void)[] = []
  readonly #gone: (() => void)[] = []
  readonly #isSlow: boolean

  constructor(world: World, body: string, node: number, isSlow: boolean) {
    this.#world = world
    this.body = body
    this.node = node
    this.#isSlow = isSlow
  }

  get headSent(): boolean {
    return this.status !== 0
  }

  head(status: number, _headers: Headers): void {
    this.status = status
  }

  write(bytes: string | Uint8Array): boolean {
    if (this.state !== 'waiting') return true
    this.text += String(bytes)
    if (!this.#isSlow) return true
    this.#world.kernel.after(this.#world.dice.int(1, 200), 'a slow caller reads on', () => {
      if (this.state === 'waiting') for (const listener of this.#drain) listener()
    })
    return false
  }

  end(bytes?: string | Uint8Array): void {
    if (this.state !== 'waiting') return
    this.text += bytes === undefined ? '' : String(bytes)
    this.state = 'ended'
    this.#world.heard(this)
  }

  abort(): void {
    if (this.state === 'waiting') this.state = 'cut'
  }

  onDrain(listener: () => void): void {
    this.#drain.push(listener)
  }

  onGone(listener: () => void): void {
    if (this.state === 'left') queueMicrotask(listener)
    else this.#gone.push(listener)
  }

  leave(): void {
    if (this.state !== 'waiting') return
    this.state = 'left'
    for (const listener of this.#gone) listener()
  }
}

/** One process. */
interface Life {
  readonly once: Once
  readonly timers: Set<symbol>
  isAlive: boolean
}

export class World {
  readonly kernel: Kernel<OnceInvariant>
  readonly dice: Dice
  readonly seen = { answered: 0, refused: 0, failed: 0, left: 0, cut: 0, calls: 0, replayed: 0 }
  readonly #plant: Plant
  readonly #rows = new MemoryRows()
  readonly #lives: Life[] = []
  readonly #callers: Caller[] = []
  /** Calls under way, by body, of processes that live. */
  readonly #running = new Set<{ readonly life: Life }>()
  /** Of the store. */
  #pending = 0
  /** What a caller was told to its end, and nothing else may be told after. */
  #answer: { readonly body: string; readonly text: string } | undefined

  constructor(seed: number, plant: Plant = {}) {
    this.kernel = new Kernel<OnceInvariant>(seed)
    this.dice = new Dice(seed).fork('once')
    this.#plant = plant
    for (let node = 0; node < NODES; node++) this.#lives.push(this.#start(node))
    this.kernel.afterEveryStep(() => this.#check())
  }

  async run(): ReturnType<Kernel<OnceInvariant>['run']> {
    const { kernel, dice } = this
    for (let count = dice.int(2, 8); count > 0; count--)
      kernel.after(dice.int(0, SPAN_MS), 'a call', () => this.#call())
    if (dice.chance(0.4)) kernel.after(dice.int(0, SPAN_MS), 'a crash', () => this.#crash(dice.int(0, NODES - 1)))
    kernel.after(EPILOGUE_MS, 'a late call', () => this.#call())
    const outcome = await kernel.run(STEPS_MAX)
    if (outcome.violation === undefined) this.#atRest()
    return kernel.outcome()
  }

  heard({ body, status, text, node }: Caller): void {
    if (status === 422) return void this.seen.refused++
    if (status !== 200 || text.endsWith('failed')) return void this.seen.failed++
    this.seen.answered++
    if (!text.endsWith(`${body} end.`))
      this.#broken('nobody reads what was not said', `at ${node}: ${JSON.stringify(text)}`)
    if (this.#answer !== undefined && this.#answer.body !== body)
      this.#broken('another body is refused', `${body} was answered beside ${this.#answer.body}`)
    this.#answer ??= { body, text }
    if (this.#answer.text !== text)
      this.#broken('what was answered stays the answer', `${JSON.stringify(text)} after ${this.#answer.text}`)
    else this.seen.replayed++
  }

  #call(): void {
    const { dice, kernel } = this
    const node = dice.int(0, NODES - 1)
    const life = this.#lives[node]
    if (life === undefined) return
    const caller = new Caller(this, dice.chance(0.8) ? 'one' : 'two', node, dice.chance(0.3))
    this.#callers.push(caller)
    const reply = this.#plant.reply?.(caller) ?? caller
    const fingerprint = this.#plant.fingerprint?.(caller.body) ?? caller.body
    const request = { scope: 'key', key: 'k', fingerprint, stallMs: STALL_MS }
    void life.once
      .answer(
        {
          ...request,
          say: (to, problem) => {
            to.head(statusOf(problem), {})
            to.end(problem.code)
          },
        },
        reply,
        (to) => this.#work(life, caller.body, to),
      )
      .catch((cause: unknown) => this.#broken('who does not leave hears an end', String(cause)))
    if (dice.chance(0.25)) kernel.after(dice.int(0, 800), 'a caller leaves', () => caller.leave())
  }

  /** Says a few words, and may fail before or between them. */
  #work(life: Life, body: string, to: Reply): Promise<Ending> {
    const { dice, kernel } = this
    const call = { life }
    this.#running.add(call)
    const number = ++this.seen.calls
    const fails = dice.weighted({ never: 5, before: 1, between: 1 })
    let wordsLeft = dice.int(1, 5)
    return new Promise((resolve) => {
      let isOver = false
      const over = (ending: Ending): void => {
        if (isOver) return
        isOver = true
        this.#running.delete(call)
        resolve(ending)
      }
      to.onGone(() => life.isAlive && over('broken'))
      const speak = (): void => {
        if (isOver || !life.isAlive) return void this.#running.delete(call)
        if (!to.headSent) to.head(fails === 'before' ? 502 : 200, {})
        if (fails !== 'never' && (fails === 'before' || wordsLeft === 1)) {
          to.end('failed')
          return over(fails === 'before' ? 'complete' : 'broken')
        }
        if (wordsLeft-- > 0) {
          to.write(`${number} says ${body} `)
          return void kernel.after(dice.int(0, 300), 'a word', speak)
        }
        to.end(`${body} end.`)
        over('complete')
      }
      kernel.after(dice.int(0, 300), 'the first word', speak)
    })
  }

  #start(node: number): Life {
    const { kernel } = this
    const timers = new Set<symbol>()
    const clock: Clock = {
      monotonicMs: () => kernel.nowMs,
      wallMs: () => 1_780_000_000_000 + kernel.nowMs,
      after: (delayMs, task) => {
        const id = Symbol()
        timers.add(id)
        const scheduled = kernel.after(delayMs, 'a timer', () => timers.delete(id) && life.isAlive && task())
        return {
          cancel() {
            timers.delete(id)
            scheduled.cancel()
          },
        }
      },
    }
    const rows = this.#plant.rows?.(this.#late(() => life)) ?? this.#late(() => life)
    const once = new Once({ clock: this.#plant.clock?.(clock) ?? clock, rows, log: silentLog, node: `node-${node}` })
    const life: Life = { once, timers, isAlive: true }
    return life
  }

  /** A store takes its time, and a dead process hears nothing of it. */
  #late(life: () => Life): Rows {
    const wait = <Value>(run: () => Promise<Value>): Promise<Value> =>
      new Promise((resolve, reject) => {
        this.#pending++
        this.kernel.after(this.dice.delayMs(), 'the store', () => {
          const answered = life().isAlive ? run() : undefined
          this.kernel.after(this.dice.delayMs(), 'the store answers', () => {
            this.#pending--
            if (answered !== undefined && life().isAlive) answered.then(resolve, reject)
          })
        })
      })
    const rows = this.#rows
    return {
      get: (from, key) => wait(() => rows.get(from, key)),
      getMany: (from, keys) => wait(() => rows.getMany(from, keys)),
      scan: (from, range) => wait(() => rows.scan(from, range)),
      commit: (changes) => wait(() => rows.commit(changes)),
      close: () => rows.close(),
    }
  }

  #crash(node: number): void {
    const life = this.#lives[node]
    if (life === undefined) return
    life.isAlive = false
    life.timers.clear()
    for (const call of this.#running) if (call.life === life) this.#running.delete(call)
    for (const caller of this.#callers) if (caller.node === node) caller.abort()
    this.#lives[node] = this.#start(node)
  }

  #check(): void {
    if (this.#running.size > 1) this.#broken('one call at a time', `${this.#running.size} are under way`)
    if (this.#callers.some(({ state }) => state === 'waiting')) return
    if (this.#running.size > 0) this.#broken('nobody works for those who left', 'a call is under way')
    if (this.#pending > 0) return
    for (const { timers } of this.#lives)
      if (timers.size > 0) this.#broken('no timer is left', `${timers.size} are set and nobody waits`)
  }

  #atRest(): void {
    const waiting = this.#callers.filter(({ state }) => state === 'waiting').length
    if (waiting > 0) this.#broken('who does not leave hears an end', `${waiting} wait at rest`)
    for (const { state } of this.#callers) if (state === 'left' || state === 'cut') this.seen[state]++
  }

  #broken(invariant: OnceInvariant, detail: string): void {
    this.kernel.violate(invariant, detail)
  }
}
